"""Code that nobody vouches for, in a process of its own: the worst that happens is a crash there.

The process is started when it is first needed, lives as long as this one, and is started again
after a crash.
"""

from __future__ import annotations

import atexit
import os
import threading

from allotrope.process.channel import PACKAGE, Channel, Ended

_SECONDS = 120.0
"""When a process that neither answers nor uses its time on the processor is given up; `serve`
bounds what it may compute."""


class Crashed(Exception):
    """The process crashed, or took too long."""


class Refused(Exception):
    """What was called raised an error, which is this one's text."""


class IsolatedProcess:
    """One process for many requests, from any thread."""

    def __init__(self, *arguments: str) -> None:
        """`arguments` are those of the interpreter, beginning with what it runs."""
        self._arguments = arguments
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, command: str, *parts: bytes) -> list[bytes]:
        """The parts of the answer. Raises: Crashed, Refused."""
        with self._lock:
            channel = self._running()
            try:
                channel.send(command, parts, {})
                answer, contents = channel.receive(_SECONDS)
            except (Ended, TimeoutError) as error:
                self.end()
                raise Crashed from error
        if "error" in answer:
            raise Refused(answer["error"])
        return contents

    def _running(self) -> Channel:
        if self._channel is None or not self._channel.alive:
            self.end()
            self._channel = Channel(self._arguments, alone=True)
        return self._channel

    def end(self) -> None:
        """Stops the process, if there is one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.end()

    def _forget(self) -> None:
        """In a child that was forked, the process belongs to the parent."""
        # Another thread of the parent may have held the lock: here it would never let go of it.
        channel, self._channel = self._channel, None
        self._lock = threading.Lock()
        if channel is not None:
            channel.forget()


def bare(module: str, *arguments: str) -> IsolatedProcess:
    """`main` of a module of this package in a Python that finds nothing else that is installed.

    So it starts quickly, and nothing of the user's is imported.
    """
    program = f"import sys; sys.path.insert(0, {PACKAGE!r}); from {module} import main; main()"
    return IsolatedProcess("-I", "-S", "-c", program, *arguments)


def module(name: str) -> IsolatedProcess:
    """A module with all that is installed, but nothing of the folder in which this one runs."""
    return IsolatedProcess("-P", "-m", name)
