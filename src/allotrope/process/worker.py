"""A worker: a fresh process, asked one thing after another, waited for so long and no longer."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn

from allotrope.process.channel import Channel, Ended

PATIENCE = 300.0
"""Seconds that an answer may take."""


class WorkerError(Exception):
    """A worker that reported an error, died or did not answer in time.

    Its text is the reason for a row of a table.
    """


class WorkerProcess:
    """A fresh Python process. Once it failed, it stays failed, with the same reason."""

    def __init__(self, module: str, threads: int, patience: float = PATIENCE) -> None:
        """`module` is what the process runs: one that ends in `serve`."""
        self.patience = patience
        self._failure: str | None = None
        self._asked = ""
        self._channel = Channel(["-m", module], threads=threads)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._channel.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._channel.alive

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer. Raises: WorkerError."""
        self.send(command, **arguments)
        return self.receive()

    def send(self, command: str, **arguments: Any) -> None:
        """Sends a command without waiting, so that several workers can work at once.

        Raises: WorkerError.
        """
        self._check()
        self._asked = command
        try:
            self._channel.send(command, [], arguments)
        except Ended:
            self._fail(self._death())

    def receive(self) -> dict[str, Any]:
        """The answer to the command sent last. Raises: WorkerError."""
        self._check()
        try:
            answer, _ = self._channel.receive(self.patience)
        except TimeoutError:
            waited = f"no answer to '{self._asked}' within {self.patience:g} s"
            self._channel.kill()
            self._fail(f"{waited}; the process was ended")
        except Ended:
            self._fail(self._death())
        if "error" in answer:
            self._fail(shortened(answer["error"]))
        result: dict[str, Any] = answer["ok"]
        return result

    def close(self) -> None:
        """Ends the process."""
        self._channel.end()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise WorkerError(self._failure)

    def _fail(self, reason: str) -> NoReturn:
        self._failure = reason
        raise WorkerError(reason)

    def _death(self) -> str:
        how, _, said = self._channel.death().partition(": ")
        ended = f"the process {how} during '{self._asked}'"
        return shortened(f"{ended}: {said}" if said else ended)


def shortened(reason: str) -> str:
    """A reason in one line of at most 400 characters."""
    reason = " ".join(reason.split())
    if len(reason) <= 400:
        return reason
    return reason[:400] + " …"
