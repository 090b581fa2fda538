"""The other end of a worker process: commands sent, answers awaited for so long and no longer."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 300.0
"""Seconds that an answer may take."""


class WorkerError(Exception):
    """A worker that reported an error, died or did not answer in time. Its text is the reason for a row of a table."""


class WorkerProcess:
    """A fresh Python process for one candidate. Once it failed, it stays failed, with the same reason."""

    def __init__(self, threads: int, patience: float = PATIENCE, module: str = "allotrope.measure.worker") -> None:
        """`module` is what the process runs: one that ends in `serve`."""
        self.patience = patience
        self._failure: str | None = None
        self._asked = ""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            encoding="utf-8",
            env=_environment(threads),
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer. Raises: WorkerError."""
        self.send(command, **arguments)
        return self.receive()

    def send(self, command: str, **arguments: Any) -> None:
        """Sends a command without waiting, so that several workers can work at once. Raises: WorkerError."""
        self._check()
        assert self._process.stdin is not None
        self._asked = command
        try:
            self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
            self._process.stdin.flush()
        except OSError:
            self._fail(self._death())

    def receive(self) -> dict[str, Any]:
        """The answer to the command sent last. Raises: WorkerError."""
        self._check()
        try:
            line = self._answers.get(timeout=self.patience)
        except queue.Empty:
            self._process.kill()
            self._fail(f"no answer to '{self._asked}' within {self.patience:g} s; the process was ended")
        if line is None:
            self._fail(self._death())
        answer = json.loads(line or "")
        if "error" in answer:
            self._fail(_shortened(answer["error"]))
        found: dict[str, Any] = answer["ok"]
        return found

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # what was still to be written interests nobody now
                    continue
        self._complaints.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._answers.put(line)
        except ValueError:  # closed while it was being read
            return
        self._answers.put(None)

    def _check(self) -> None:
        if self._failure is not None:
            raise WorkerError(self._failure)

    def _fail(self, reason: str) -> None:
        self._failure = reason
        raise WorkerError(reason)

    def _death(self) -> str:
        """How the process ended, with the last line that it wrote."""
        code = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return _shortened(f"the process {how} during '{self._asked}'" + (f": {lines[-1]}" if lines else ""))


def _environment(threads: int) -> dict[str, str]:
    """This process's own environment, with this package importable and the number of threads for libraries that look there."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}


def _shortened(reason: str) -> str:
    reason = " ".join(reason.split())
    return reason if len(reason) <= 400 else reason[:400] + " …"
