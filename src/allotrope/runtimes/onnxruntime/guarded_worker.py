"""ONNX Runtime in a process of its own, for networks nobody vouches for: crashes stay there."""

from __future__ import annotations

import onnxruntime

from allotrope.process.carried_arrays import packed, unpacked
from allotrope.process.serve import serve

SECONDS = 2.0
"""How long one request may keep the processor."""
MEMORY = 8 * 2**30
"""Bytes of address space."""


class StrangersNetwork:
    """Runs networks as they are, one thread."""

    def run(self, model: bytes, *runs: bytes) -> list[bytes]:
        """The outputs of each run; inputs and outputs are arrays in the model's order."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(model, options, providers=providers)
        names = [value.name for value in session.get_inputs()]
        inputs = [dict(zip(names, unpacked(run), strict=True)) for run in runs]
        return [packed(session.run(None, one)) for one in inputs]


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    serve(StrangersNetwork(), memory=MEMORY, seconds=SECONDS)
