"""OpenVINO and NNCF without their reports of use, which a forked process sends."""

from __future__ import annotations

from contextlib import AbstractContextManager

from allotrope.lean_imports import hidden


def no_telemetry() -> AbstractContextManager[None]:
    """Within, imports do not find the package that reports, and keep to their stand-in."""
    return hidden("openvino_telemetry")
