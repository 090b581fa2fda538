"""A Python process and the messages to it and from it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.process.messages import pack

PACKAGE = str(Path(__file__).resolve().parents[2])
"""The folder in which this package lies."""


class Ended(Exception):
    """The process is not there any more."""


class Channel:
    """One process, from its start to its end."""

    def __init__(self, arguments: Sequence[str], *, alone: bool = False, threads: int = 0) -> None:
        """`arguments` are those of the interpreter, beginning with what it runs.

        `alone`: out of the terminal's reach, and what it complains of interests nobody.
        """
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if alone else self._complaints,
            start_new_session=alone,
            env=environment(threads),
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, command: str, parts: Sequence[bytes], arguments: Mapping[str, Any]) -> None:
        """Sends a request without waiting. Raises: Ended."""
        assert self._process.stdin is not None
        asked = json.dumps({"command": command, **arguments}).encode()
        try:
            self._process.stdin.write(pack([asked, *parts]))
            self._process.stdin.flush()
        except OSError as error:
            raise Ended from error

    def receive(self, patience: float) -> tuple[dict[str, Any], list[bytes]]:
        """The answer as JSON, and its parts. Raises: Ended; TimeoutError after so many seconds."""
        deadline = time.monotonic() + patience
        (count,) = struct.unpack("<I", self._bytes(4, deadline))
        parts = []
        for _ in range(count):
            (length,) = struct.unpack("<Q", self._bytes(8, deadline))
            parts.append(self._bytes(length, deadline))
        return json.loads(parts[0]), parts[1:]

    def _bytes(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        content = bytearray()
        while len(content) < count:
            # What has arrived is read even if the time is over: a busy machine may have kept us
            # away.
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError
            part = os.read(self._process.stdout.fileno(), count - len(content))
            if not part:
                raise Ended
            content += part
        return bytes(content)

    def death(self) -> str:
        """How the process ended, with the last line that it wrote."""
        code = self._process.wait()
        if code < 0:
            how = f"was killed by signal {-code}"
        else:
            how = f"ended with exit code {code}"
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        return ": ".join([how, *lines[-1:]])

    def kill(self) -> None:
        """Stops the process, if it still runs."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Stops the process and closes what was open to it."""
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Lets go of a process that somebody else ends: in a child that was forked, the parent."""
        # Without a return code, the object would wait for the process when it is collected.
        self._process.returncode = self._process.returncode or 0
        self._complaints.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # nobody waits for the rest
                    pipe.close()


def environment(threads: int) -> dict[str, str]:
    """This process's own, with this package importable, and thread counts for libraries."""
    path = os.pathsep.join([PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    if threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return environment
