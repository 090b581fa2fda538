"""The loop of a process that does as it is told, the other end of `worker.py` and `isolation.py`.

A request is a command with its arguments as JSON, and parts of bytes. The answer is {"ok": ...} or
{"error": reason}, and parts of bytes. Only the standard library is imported, so that a bare Python
starts in 40 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from allotrope.process.messages import pack, read


def serve(worker: Any, memory: int = 0, seconds: float = 0.0, seconds_a_byte: float = 0.0) -> None:
    """Answers commands with the worker's methods of those names, until standard input ends.

    A method gets the parts in order and the arguments by name; it gives a dict, or parts.

    `memory` bounds the bytes of address space. `seconds`, and `seconds_a_byte` of each request, are
    how long one may keep the processor: a busy machine takes nothing from it. 0: as long as it
    takes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that leads decides what Ctrl-C means
    if memory:
        # Libraries are loaded by now, so the bound is for what requests ask for.
        _bound(memory)
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while request := read(sys.stdin.buffer):
        allowed = seconds and seconds + seconds_a_byte * sum(map(len, request))
        signal.setitimer(signal.ITIMER_PROF, allowed)  # ends this process when it runs out
        asked = json.loads(request[0])
        reply = _answer(getattr(worker, asked.pop("command")), request[1:], asked)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(pack(reply))
        answers.flush()


def _bound(memory: int) -> None:
    """What is asked for beyond it fails in this process and nowhere else."""
    with contextlib.suppress(ValueError, OSError):  # some systems let no process bound itself
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(
    method: Callable[..., Any], parts: list[bytes], arguments: dict[str, Any]
) -> list[bytes]:
    try:
        answer = method(*parts, **arguments)
        if isinstance(answer, dict):
            return [json.dumps({"ok": answer}).encode()]
        return [json.dumps({"ok": {}}).encode(), *answer]
    except Exception as error:  # noqa: BLE001 - a library may raise anything; it goes back as text
        return [json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()]
