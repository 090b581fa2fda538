"""Several processes for a training: which are asked for, and what they have to agree in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from allotrope.errors import UsageError
from allotrope.process.group import ProcessGroup
from allotrope.process.joining import join
from allotrope.process.link import host_and_port
from allotrope.progress import Progress
from allotrope.run import read_record
from allotrope.verbs.resuming import FINISHED, NOT_REPEATED

WORKER = "allotrope.training.processes.trainer_worker"
AGAIN = "--processes N, with as many as there are: it comes to the same bits"
"""How a run whose processes were ended goes on."""


@dataclass(frozen=True)
class Processes:
    """This process is `rank` of `size`, 0 if the leader knows; all meet at the address.

    Without an address all are on this machine. `beside` are those on one machine. Each batch is
    computed in `shares`, 0 for as many as processes, by a worker each. With `worker_threads` the
    run began, None if it begins now.
    """

    size: int
    rank: int = 0
    address: str | None = None
    beside: int = 1
    shares: int = 0
    worker_threads: int | None = None

    def threads(self, asked: int | None) -> int:
        """The processor threads of each worker, unless so many are asked for."""
        from allotrope.measure.machine import cores

        here = max(map(len, self.brought)) * self.beside
        return self.worker_threads or asked or max(1, cores() // here)

    @property
    def brought(self) -> list[range]:
        """The shares that each process computes."""
        from allotrope.frameworks.together import rows_of

        shares = self.shares or self.size
        return [range(*rows_of(shares, rank, self.size)) for rank in range(self.size)]

    def in_words(self, hosts: Iterable[str]) -> str:
        """Who computes what, and where."""
        train = "processes train together" if self.size > 1 else "process trains"
        said = f"{self.size} {train}, on {', '.join(sorted(set(hosts)))}"
        shares = self.shares or self.size
        if shares == self.size:
            return said
        said = f"{said}: each batch in {shares} shares, to the same bits as in {shares} processes"
        if shares > self.size:
            return said
        return (
            f"{said}. {self.size - shares} of them will have nothing to compute; --shares "
            f"{self.size} gives each a share, and adds in another order"
        )


def processes_asked(
    arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Processes | None:
    """The processes that the arguments of `fit` ask for, or torchrun; None for this one alone.

    A run that goes on keeps the shares that it began with, unless others are asked for: so it comes
    to the same bits in any number of processes.

    Raises: UsageError for options at odds with each other, in one message; RunFolderError.
    """
    asked = _asked(arguments, environment)
    if asked is not None and asked.rank > 0:
        _check_can(arguments)
        return asked
    begun = {} if arguments["resume"] is None else read_record(arguments["resume"])
    if begun.get("status") in FINISHED and (asked is None or asked.address is None):
        return None  # nothing is left to compute
    known = {**arguments, **begun.get("arguments", {})}
    shares = arguments["shares"] or known["shares"] or 0
    if asked is None and shares > 1:
        asked = Processes(1)
    if asked is None:
        return None
    _check_can(known)
    return replace(asked, shares=shares, worker_threads=begun.get("worker_threads"))


def _asked(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> Processes | None:
    size, rank, address = (arguments[name] for name in ("processes", "rank", "address"))
    if (size, rank, address) == (1, None, None):
        return _of_torchrun(environment)
    _check(size, rank, address)
    beside = size if address is None else 1
    return Processes(size if not rank or size > 1 else 0, rank or 0, address, beside)


def _of_torchrun(environment: Mapping[str, str]) -> Processes | None:
    """What torchrun says in its variables. Its own port is taken: the next one is ours."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if "TORCHELASTIC_RUN_ID" not in environment or size == 1:
        return None
    port = int(environment["MASTER_PORT"]) + 1
    address = f"{environment['MASTER_ADDR']}:{port}"
    beside = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    return Processes(size, int(environment["RANK"]), address, beside)


def _check(size: int, rank: int | None, address: str | None) -> None:
    problems = []
    if address is None and rank is not None:
        problems.append(f"--rank {rank} needs --address HOST:PORT, at which rank 0 listens")
    if address is not None and not rank and size < 2:
        problems.append("--address needs --processes N, how many there are in all")
    if rank is not None and size > 1 and not 0 <= rank < size:
        problems.append(f"--rank {rank} is none of 0 to {size - 1}")
    try:
        host_and_port(address or "localhost:1")
    except ValueError:
        problems.append(f"--address {address} is not HOST:PORT")
    if problems:
        raise UsageError(f"{'; '.join(problems)}.")


def _check_can(arguments: Mapping[str, Any]) -> None:
    from allotrope.frameworks import alone
    from allotrope.frameworks.keras.keras_engine import engine

    problems, name = [], arguments["framework"]
    reason = alone(name, engine() if name == "keras" else None)
    if reason is not None:
        problems.append(reason)
    if arguments["ensemble"] is not None:
        problems.append("--ensemble trains its members in one process")
    if arguments["compile"] and arguments["framework"] != "jax":
        problems.append("--compile compiles the step of one process")
    if problems:
        raise UsageError(f"--processes: {'; '.join(problems)}. Leave that out.")


def agreed_in(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The arguments in which all processes have to agree, by what messages call them."""
    from allotrope.verbs.request import IN_MEMORY

    said = {name: x for name, x in arguments.items() if name not in NOT_REPEATED}
    if not isinstance(said["data"], str):
        said["data"] = IN_MEMORY if isinstance(said["data"], Mapping) else str(said["data"])
    return {f"--{name.replace('_', '-')}": str(x) for name, x in said.items()}


@contextmanager
def gathered(
    asked: Processes | None, arguments: Mapping[str, Any], show: Progress
) -> Iterator[ProcessGroup | None]:
    """The processes, led by this one; None if it is alone. They end with what is done in here.

    Raises: TrainingError if some do not come, UsageError if some differ.
    """
    from allotrope.training.processes.version_card import version_card

    if asked is None:
        yield None
        return
    if asked.address is not None:
        show.say(f"rank 0 of {asked.size} processes waits for the others at {asked.address}")
    card = {**version_card(), **agreed_in(arguments)}
    threads, size = asked.threads(arguments["threads"]), asked.shares or asked.size
    with ProcessGroup(
        *(WORKER, size, card, asked.address, threads), brought=asked.brought
    ) as group:
        show.say(asked.in_words(member.host for member in group.members.values()))
        yield group


def taken_part(asked: Processes, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Computes for the process that leads; gives what it says at the end.

    Raises: TrainingError if the work ends before it is done.
    """
    assert asked.address is not None
    # Without data this command says of nothing what it is to be.
    card = {} if arguments["data"] is None else agreed_in(arguments)
    return join(WORKER, asked.rank, asked.size, asked.address, card)
