"""ONNX Runtime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allotrope.runtimes.contract import Runtime, Session


class OnnxRuntime(Runtime):
    """float32 files as they are, and int8 files that hold QuantizeLinear and DequantizeLinear.

    With the option `optimized=False` every node is computed as the file has it: what others are
    compared with.
    """

    name = "onnxruntime"
    package = "onnxruntime"
    install = "pip install onnxruntime"
    precisions = ("float32", "int8")
    session_module = "allotrope.runtimes.onnxruntime.session"

    def open(
        self, path: Path, precision: str, threads: int | None = None, **options: Any
    ) -> Session:
        from onnxruntime import GraphOptimizationLevel

        from allotrope.runtimes.onnxruntime.session import Session as OnnxRuntimeSession

        class AsInTheFile(OnnxRuntimeSession):
            level = GraphOptimizationLevel.ORT_DISABLE_ALL

        return (OnnxRuntimeSession if options.pop("optimized", True) else AsInTheFile)(
            path, precision, threads, **options
        )
