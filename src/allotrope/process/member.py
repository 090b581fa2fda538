"""The other end of `group.py`: a process that comes to a leader and does as it is told.

What it is asked for is computed by the main thread, as frameworks want; another one reads, so that
the end of the leader, or of the work, is heard in the middle of a computation.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from allotrope.process.group import MEETING
from allotrope.process.link import FOR_EVER, Gone, Link, Part, connected

Reply = tuple[Mapping[str, Any], list[Part]]


def serve_leader(
    worker: Any,
    rank: int,
    size: int | None,
    address: str,
    card: Mapping[str, Any],
    patience: float = MEETING,
) -> None:
    """Answers a leader with the worker's methods until it ends the work; then the process ends.

    A method gets parts and arguments by name, and gives a dict and parts. The last line of standard
    output is JSON: {"end": reason, "result": …}. `card` is what has to be as it is there.

    Raises: TrainingError if nobody answers at the address.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the leader decides what Ctrl-C means
    # Who leads also races settings and compiles: its end is known by the connection.
    link = Link(connected(address, patience), FOR_EVER)
    asked: queue.Queue[tuple[dict[str, Any], list[bytearray]]] = queue.Queue()
    threading.Thread(target=_hear, args=(link, asked, address), daemon=True).start()
    hello = {"rank": rank, "size": size, "pid": os.getpid(), "card": card}
    with contextlib.suppress(Gone):
        link.send(hello)
    while True:
        said, parts = asked.get()
        header, reply = _answer(getattr(worker, said.pop("command")), parts, said)
        with contextlib.suppress(Gone):  # who reads hears of it too
            link.send(header, reply)


def _answer(
    method: Callable[..., Reply], parts: list[bytearray], arguments: dict[str, Any]
) -> Reply:
    try:
        return method(parts, **arguments)
    except Exception as error:  # noqa: BLE001 - a framework may raise anything: back as text
        return {"error": f"{type(error).__name__}: {error}"}, []


def _hear(link: Link, asked: queue.Queue[Any], address: str) -> None:
    """Puts what is asked where it is taken from, until the end."""
    try:
        while True:
            said, parts = link.receive()
            if said["command"] == "end":
                _leave(said["reason"], said["result"])
            asked.put((said, parts))
    except Gone as gone:
        _leave(f"rank 0 at {address} is gone: {gone}.", {})


def _leave(reason: str, result: Mapping[str, Any]) -> None:
    """Ends the process, whatever its main thread waits for."""
    print(json.dumps({"end": reason, "result": result}), flush=True)
    if reason:
        print(reason, file=sys.stderr, flush=True)
    os._exit(1 if reason else 0)
