"""A network file in ONNX Runtime.

A delivered predict.py carries this text: it imports ONNX Runtime and NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Session:
    """A loaded file. The precision is the file's own; `threads` are all cores if None."""

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def __init__(
        self, path: str | Path, precision: str = "float32", threads: int | None = None
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        options.graph_optimization_level = self.level
        # Threads that wait in a busy loop take the core that another program needs, and won nothing
        # where it was measured.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, such as {"label": [n, k]} for {"row": [n, c]}."""
        return dict(zip(self._outputs, self._session.run(None, dict(inputs)), strict=True))

    def run_whole(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same: a batch is never run in parts."""
        return self.run(inputs)

    def tune(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Nothing to choose: parts of a batch on separate threads were 5 % faster at most."""
        return {}
