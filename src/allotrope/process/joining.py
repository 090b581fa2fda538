"""Joins a group that another process leads: members are started here and waited for.

Who leads says which, and how many threads each is to have.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from allotrope.errors import TrainingError
from allotrope.process.channel import environment
from allotrope.process.group import MEETING
from allotrope.process.link import FOR_EVER, Gone, Link, connected


@dataclass(frozen=True)
class Brought:
    """A member that was started here, and the files with its output and its complaints."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    complaints: IO[bytes]

    def last_line(self, file: IO[bytes]) -> str:
        """The last line that it wrote to one of them."""
        file.seek(0)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


def join(
    module: str,
    rank: int,
    size: int,
    address: str,
    card: Mapping[str, Any],
    patience: float = MEETING,
) -> dict[str, Any]:
    """What the leader says at the end of the work, in which process `rank` of `size` takes part.

    `size` 0: as many as the leader says. It is tried for `patience` seconds to reach the leader.
    Ctrl-C ends the members.

    Raises: TrainingError with the reason if the work ended before it was done.
    """
    link = Link(connected(address, patience), FOR_EVER)
    try:
        link.send({"process": rank, "size": size or None})
        said, _ = link.receive()
        if said["command"] == "end" or not said["members"]:
            return _idle(link, said)
    except Gone as gone:
        raise TrainingError(f"rank 0 at {address} is gone: {gone}.") from gone
    finally:
        link.close()
    words, rest = [sys.executable, "-m", module], ["0", address, json.dumps(card)]
    return _result(
        [_started([*words, str(member), *rest], said["threads"]) for member in said["members"]]
    )


def _idle(link: Link, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the leader says at the end to one that brings nothing, or is told why it does not fit.

    Raises: TrainingError, Gone.
    """
    while said["command"] != "end":
        said, _ = link.receive()
    if said["reason"]:
        raise TrainingError(said["reason"])
    result: dict[str, Any] = said["result"]
    return result


def _started(words: Sequence[str], threads: int) -> Brought:
    output, complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=complaints,
        env=environment(threads),
    )
    return Brought(process, output, complaints)


def _result(started: Sequence[Brought]) -> dict[str, Any]:
    """What members were told at the end. Raises: TrainingError."""
    try:
        codes = [one.process.wait() for one in started]
        # One that died by itself says more than those that heard of it.
        worst = started[codes.index(min(codes))]
        if any(codes):
            raise TrainingError(_reason(worst))
        result: dict[str, Any] = json.loads(worst.last_line(worst.output))["result"]
        return result
    finally:
        for one in started:
            with contextlib.suppress(ProcessLookupError):
                one.process.kill()
            one.process.wait()
            one.output.close()
            one.complaints.close()


def _reason(one: Brought) -> str:
    code = one.process.returncode
    if code < 0:
        return f"the process that computes was killed by signal {-code}."
    said = one.last_line(one.output)
    if said:
        reason: str = json.loads(said)["end"]
        return reason
    complaint = one.last_line(one.complaints)
    return f"the process that computes ended with exit code {code}: {complaint}"
