"""OpenVINO on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allotrope.runtimes.contract import Runtime, Session
from allotrope.telemetry import no_telemetry


class OpenVino(Runtime):
    """ONNX files and OpenVINO's own.

    Bfloat16 is computed from a float32 file where the processor has instructions for it.
    """

    name = "openvino"
    package = "openvino"
    install = "pip install 'allotrope[openvino]'"
    precisions = ("float32", "bfloat16", "int8")
    session_module = "allotrope.runtimes.openvino.session"

    def open(
        self, path: Path, precision: str, threads: int | None = None, **options: Any
    ) -> Session:
        with no_telemetry():
            from allotrope.runtimes.openvino.session import Session as OpenVinoSession

        return OpenVinoSession(path, precision, threads, **options)
