"""OpenVINO and NNCF without their reports of use, which are sent over the network by a process forked from the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

PACKAGE = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Within, what is imported does not find the package that reports, and so keeps to the stand-in that it has for that case."""
    modules = cast("dict[str, Any]", sys.modules)
    before = modules.get(PACKAGE)
    modules[PACKAGE] = None
    try:
        yield
    finally:
        del modules[PACKAGE]
        if before is not None:
            modules[PACKAGE] = before
