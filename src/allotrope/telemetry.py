"""OpenVINO and NNCF without their reports of use, which a forked process sends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

PACKAGE = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Within, imports do not find the package that reports, and keep to their stand-in."""
    modules = cast("dict[str, Any]", sys.modules)
    before = modules.get(PACKAGE)
    modules[PACKAGE] = None
    try:
        yield
    finally:
        del modules[PACKAGE]
        if before is not None:
            modules[PACKAGE] = before
