"""Processes on one machine or several that work on one thing, and the one that leads them.

Each member connects to the leader and says who it is. From then on the leader asks and members
answer, in order. A member that is gone ends the work of all: its rank is named, and what it was
asked for. A process that comes from elsewhere asks first which members it is to bring
(`joining.py`): one, several, or none.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, Self

from allotrope.errors import TrainingError, UsageError
from allotrope.process.channel import environment
from allotrope.process.link import BEGINNING, SILENCE, Gone, Link, Part, host_and_port
from allotrope.process.worker import shortened

MEETING = 120.0
"""Seconds in which all members have to come."""
GRACE = 2.0
"""Seconds between the first sign that something is wrong and the search for who is gone.

Members that wait for one that is gone may say so before its connection closes."""

Answer = tuple[dict[str, Any], list[bytearray]]
LOCAL = "127.0.0.1"


@dataclass
class GroupMember:
    """One process: `waiting` is what it was asked for and has not answered."""

    rank: int
    link: Link
    host: str
    pid: int
    waiting: deque[str] = field(default_factory=deque)
    answers: deque[Answer] = field(default_factory=deque)
    last: str = ""
    gone: str = ""
    failed: str = ""


class ProcessGroup:
    """The members by rank, as their leader has them."""

    def __init__(
        self,
        module: str,
        size: int,
        card: Mapping[str, Any],
        address: str | None = None,
        threads: int = 0,
        patience: float = MEETING,
        silence: float = SILENCE,
        brought: Sequence[range] | None = None,
    ) -> None:
        """Starts `size` members that run `module`, or with an `address` those of process 0 alone.

        At HOST:PORT the others are then waited for. `brought` are the ranks of the members that
        each process brings, by default one. `card` is what all have to agree in, `threads` what
        each is to use, 0 for as many as it likes. One that gives no sign of life for `silence`
        seconds is taken for gone.

        Raises: TrainingError if some do not come, UsageError if some differ.
        """
        self.size, self._card, self._patience = size, card, patience
        self._brought = brought or [range(rank, rank + 1) for rank in range(size)]
        self._processes: dict[int, Link] = {}
        self._elsewhere = address is not None
        self.remedy = ""  # what to do if a member is gone, which who leads may come to know
        self.members: dict[int, GroupMember] = {}
        self._changed = threading.Condition()
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._complaints = {rank: tempfile.TemporaryFile() for rank in range(size)}  # noqa: SIM115
        self._module, self.threads, self._silence = module, threads, silence
        try:
            with _listening(address) as listening:
                self.address = address or f"{LOCAL}:{listening.getsockname()[1]}"
                for rank in range(size) if address is None else self._brought[0]:
                    self._start(rank)
                self._gather(listening)
        except BaseException as error:
            self.close(_why(error))
            raise
        for member in self.members.values():
            threading.Thread(target=self._listen, args=(member,), daemon=True).start()

    def be_patient(self, patient: bool) -> None:
        """Whether members may be silent for long, as in the first step."""
        for member in self.members.values():
            member.link.silence = max(self._silence, BEGINNING) if patient else self._silence

    def ask(
        self,
        rank: int,
        command: str,
        parts: Sequence[Part] = (),
        /,
        *,
        saying: str = "",
        **said: Any,
    ) -> None:
        """Asks a member for something without waiting; `saying` is what errors call it.

        Raises: TrainingError that names a member that is gone.
        """
        member = self.members[rank]
        with self._changed:
            member.waiting.append(saying or f"'{command}'")
        try:
            member.link.send({"command": command, **said}, parts)
        except Gone as gone:
            self._lost(member, str(gone))
            self._fail()

    def answer(self, rank: int) -> Answer:
        """What the member answers to the oldest that it was asked for.

        Raises: TrainingError that names a member that is gone, or what one failed with.
        """
        member = self.members[rank]
        with self._changed:
            while not member.answers and not self._broken:
                self._changed.wait()
            if member.answers:
                return member.answers.popleft()
        self._fail()

    def close(self, reason: str = "", result: Mapping[str, Any] | None = None) -> None:
        """Ends all members; without a `reason` they have done their part."""
        links = [*(member.link for member in self.members.values()), *self._processes.values()]
        for link in links:
            with contextlib.suppress(Gone):
                link.send({"command": "end", "reason": reason, "result": result or {}})
        for process in self._started.values():
            _ended(process, 0 if reason else 5)
        for link in links:
            link.close()
        for file in self._complaints.values():
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close("" if error is None else _why(error))

    # --- the meeting

    def _start(self, rank: int) -> None:
        words = [sys.executable, "-m", self._module, str(rank), str(self.size), self.address]
        self._started[rank] = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints[rank],
            env=environment(self.threads),
        )

    def _gather(self, listening: socket.socket) -> None:
        deadline = time.monotonic() + self._patience
        listening.settimeout(0.2)
        idle: set[int] = set()
        if self._elsewhere:
            idle = {process for process, ranks in enumerate(self._brought) if not ranks}
        while len(self.members) < self.size or not idle <= self._processes.keys():
            self._check_started()
            # What was started here comes, however long a busy machine takes to load it.
            late = time.monotonic() - deadline
            if late > 0 and (self._started.keys() <= self.members.keys() or late > BEGINNING):
                raise TrainingError(self._absent())
            with contextlib.suppress(TimeoutError):
                connection, (host, *_) = listening.accept()
                self._welcome(Link(connection, self._silence), host)

    def _welcome(self, link: Link, host: str) -> None:
        """Takes a member in. Raises: UsageError, which it is told too, if it does not fit."""
        try:
            said, _ = link.receive()
            if "process" in said:
                problem = self._invite(link, int(said["process"]), said["size"])
            else:
                problem = self._take(link, int(said["rank"]), said, host)
        except (Gone, KeyError, ValueError, TypeError):
            link.close()  # whoever that was, it is no member
            return
        if problem:
            link.send({"command": "end", "reason": problem, "result": {}})
            link.close()
            raise UsageError(problem)

    def _invite(self, link: Link, process: int, size: int | None) -> str:
        """Tells a process which members it brings; what keeps it from that, nothing if it fits."""
        count = len(self._brought)
        if not 0 < process < count or size not in (count, None):
            return (
                f"rank {process} of {size} came, and these are {count} processes: ranks 0 to "
                f"{count - 1}. Start all with the same --processes."
            )
        if process in self._processes:
            return f"two processes came as rank {process}. Give each a --rank of its own."
        self._processes[process] = link
        members = list(self._brought[process])
        link.send({"command": "bring", "members": members, "threads": self.threads})
        threading.Thread(target=_hear_out, args=(link,), daemon=True).start()
        return ""

    def _take(self, link: Link, rank: int, said: Mapping[str, Any], host: str) -> str:
        """Takes a member in; what keeps it from being one, nothing if it fits."""
        problem = self._misfit(rank, said)
        self.members.setdefault(rank, GroupMember(rank, link, host, said["pid"]))
        return problem

    def _misfit(self, rank: int, said: Mapping[str, Any]) -> str:
        if not 0 <= rank < self.size or rank in self.members:
            return f"a member came as rank {rank}, which is none that is waited for."
        theirs = said["card"]
        apart = [
            f"{name} is {theirs.get(name)} there and {mine} on rank 0"
            for name, mine in self._card.items()
            if name in theirs and theirs[name] != mine
        ]
        if apart:
            return f"rank {rank} differs: {'; '.join(apart)}. Processes train alike or not at all."
        return ""

    def _check_started(self) -> None:
        for rank, process in self._started.items():
            if rank not in self.members and process.poll() is not None:
                raise TrainingError(f"rank {rank} could not begin: {self._death(rank)}.")

    def _absent(self) -> str:
        absent = [
            process
            for process, ranks in enumerate(self._brought)
            if not self._has_come(process, ranks)
        ]
        ranks = ", ".join(map(str, absent))
        remedy = " and ".join(f"--rank {rank} --address {self.address}" for rank in absent[:3])
        return (
            f"of {len(self._brought)} processes rank {ranks} did not come to {self.address} within "
            f"{self._patience:g} s. Start them in that time: allotrope fit {remedy}"
        )

    def _has_come(self, process: int, ranks: range) -> bool:
        """Whether all that it brings are here; of one that brings none, whether it is."""
        if ranks:
            return self.members.keys() >= set(ranks)
        return process in self._processes

    # --- the work

    def _listen(self, member: GroupMember) -> None:
        """What a member says, until it is gone."""
        try:
            while True:
                answer = member.link.receive()
                with self._changed:
                    said = "nothing"
                    if member.waiting:
                        said = member.waiting.popleft()
                    if "error" in answer[0]:
                        member.failed = f"failed in {said}: {answer[0]['error']}"
                    member.last = said
                    member.answers.append(answer)
                    self._changed.notify_all()
        except Gone as gone:
            self._lost(member, str(gone))

    def _lost(self, member: GroupMember, how: str) -> None:
        with self._changed:
            member.gone = member.gone or how
            self._changed.notify_all()

    @property
    def _broken(self) -> bool:
        return any(member.gone or member.failed for member in self.members.values())

    def _fail(self) -> NoReturn:
        deadline = time.monotonic() + GRACE
        with self._changed:
            while not self._gone() and time.monotonic() < deadline:
                self._changed.wait(0.1)
            gone = self._gone()
            members = gone or [one for one in self.members.values() if one.failed]
        reason = "; ".join(map(self._said_of, members))
        if gone:
            reason += f". The other processes were ended. {self.remedy}".rstrip(". ")
        raise TrainingError(f"{reason}.")

    def _gone(self) -> list[GroupMember]:
        return [member for member in self.members.values() if member.gone]

    def _said_of(self, member: GroupMember) -> str:
        who = f"rank {member.rank} (process {member.pid} on {member.host})"
        if not member.gone:
            return f"{who} {member.failed}"
        how = f"is gone: {member.gone}"
        if "closed" in member.gone and member.rank in self._started:
            how = self._death(member.rank)
        when = f"after {member.last or 'its start'}"
        if member.waiting:
            when = f"in {member.waiting[0]}"
        return f"{who} {how}, {when}"

    def _death(self, rank: int) -> str:
        """How a process of this machine ended, with the last line that it wrote."""
        code = _ended(self._started[rank], 2)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        file = self._complaints[rank]
        file.seek(0)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
        return shortened(": ".join([how, *lines[-1:]]))


def _hear_out(link: Link) -> None:
    """Takes the signs of life of a process that says nothing else, until it is gone."""
    with contextlib.suppress(Gone):
        while True:
            link.receive()


def _why(error: BaseException) -> str:
    """What members are told of an error that ends the work."""
    return str(error) or type(error).__name__


def _listening(address: str | None) -> socket.socket:
    """A socket at HOST:PORT, or where only this machine reaches it. Raises: UsageError."""
    host, port = (LOCAL, 0) if address is None else host_and_port(address)
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise UsageError(
            f"nothing can listen at {address}: {error.strerror}. With --rank 0, --address is this "
            "machine's own name and a free port of it."
        ) from error


def _ended(process: subprocess.Popen[bytes], patience: float) -> int:
    """The exit code of a process that has so many seconds to end by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(patience)
    process.kill()
    return process.wait()
