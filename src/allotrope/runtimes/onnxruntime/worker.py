"""ONNX Runtime in a process of its own, for networks that nobody vouches for: crashes stay there.

Run as `python -m allotrope.runtimes.onnxruntime.worker`. A request is a model and inputs for one
or more runs, each an .npz in the model's order; the reply is as many .npz with the outputs.
Messages are those of `network/isolated_worker.py`.
"""

from __future__ import annotations

import contextlib
import io
import resource
import signal
import sys
from collections.abc import Sequence

import numpy as np
import onnxruntime

from allotrope.network.isolated_worker import pack, read

SECONDS = 2.0
"""How long one request may keep the processor."""
MEMORY = 8 * 2**30
"""Bytes of address space."""


def main() -> None:
    """Answer requests one by one."""
    with contextlib.suppress(ValueError, OSError):  # some systems do not let a process bound itself
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    onnxruntime.set_default_logger_severity(4)
    while request := read(sys.stdin.buffer):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends this process when it runs out
        try:
            reply = [b"ok", *answers(*request)]
        except Exception as error:  # noqa: BLE001 - whatever it is goes back as text
            reply = [b"error", f"{type(error).__name__}: {error}".encode()]
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(pack(reply))
        sys.stdout.buffer.flush()


def answers(model: bytes, *runs: bytes) -> list[bytes]:
    """The outputs of each run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return [
        packed(session.run(None, dict(zip(names, arrays_of(run), strict=True)))) for run in runs
    ]


def packed(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as one message."""
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def arrays_of(content: bytes) -> list[np.ndarray]:
    """The arrays of a message, in order."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return [file[f"arr_{index}"] for index in range(len(file.files))]


if __name__ == "__main__":
    main()
