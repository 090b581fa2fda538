"""onnx's C++ code in a process of its own.

Shape inference, inlining and function bodies are C++ that trusts its input: a hostile axis makes it read outside its arrays
(seen with onnx 1.23.2: GatherND, LayerNormalization), a hostile number of outputs fills the memory (Split), a hostile equation
never ends (Einsum). There, the worst that happens is a ModelError here, and a fresh process for the next graph.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import onnx

from allotrope.errors import ModelError
from allotrope.network.isolated_worker import pack

_LIBRARY = str(onnx.onnx_cpp2py_export.__file__)
_SECONDS = 120.0
"""When a process that neither answers nor uses its time on the processor is given up; what it may compute is bounded there."""


class Worker:
    """One process, started when it is first needed, and again after a crash."""

    def __init__(self, *arguments: str) -> None:
        """`arguments` are those of the interpreter, beginning with what it runs."""
        self._command = [sys.executable, *arguments]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self.forget)

    def ask(self, parts: list[bytes]) -> list[bytes]:
        """The reply; empty where the process crashed or took too long."""
        message = pack(parts)
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(message)
                process.stdin.flush()
                return self._reply(process, time.monotonic() + _SECONDS)
            except (BrokenPipeError, EOFError, TimeoutError):
                self.end()
                return []

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(self._command, start_new_session=True, **pipes)  # type: ignore[call-overload]
        return self._process

    def _reply(self, process: subprocess.Popen[bytes], deadline: float) -> list[bytes]:
        (count,) = struct.unpack("<I", self._bytes(process, 4, deadline))
        return [self._bytes(process, struct.unpack("<Q", self._bytes(process, 8, deadline))[0], deadline) for _ in range(count)]

    def _bytes(self, process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None
        found = bytearray()
        while len(found) < count:
            if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(process.stdout.fileno(), count - len(found))
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def end(self) -> None:
        """Stop the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _close(process)

    def forget(self) -> None:
        """Let go of a process that belongs to the parent, in a child that was forked."""
        process, self._process = self._process, None
        self._lock = threading.Lock()
        if process is not None:
            process.returncode = 0
            _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


_WORKER = Worker("-I", "-S", str(Path(__file__).with_name("isolated_worker.py")), _LIBRARY)


def isolated(operation: str, *arguments: bytes) -> bytes:
    """What onnx's C++ code gives for `shapes`, `judge`, `inline` or `body`.

    Raises: ModelError where it refuses, crashes or takes too long.
    """
    reply = _WORKER.ask([operation.encode(), *arguments])
    if not reply:
        raise ModelError("onnx crashed on it, or took too long: an attribute or shape in it is far out of range.")
    kind, content = reply
    if kind != b"ok":
        raise ModelError(" ".join(content.decode("utf-8", "replace").split()))
    return content
