"""Joins a group that another process leads: a member is started here and waited for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from allotrope.errors import TrainingError
from allotrope.process.channel import environment


def join(
    module: str, rank: int, size: int, address: str, card: Mapping[str, Any], threads: int = 0
) -> dict[str, Any]:
    """What the leader says at the end of the work, which the member takes part in.

    `size` 0: as many as the leader says. Ctrl-C ends the member.

    Raises: TrainingError with the reason if the work ended before it was done.
    """
    words = [sys.executable, "-m", module, str(rank), str(size), address, json.dumps(card)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment(threads)
    )
    try:
        said, complaints = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    lines = said.decode("utf-8", "replace").strip().splitlines()
    if process.returncode == 0:
        result: dict[str, Any] = json.loads(lines[-1])["result"]
        return result
    raise TrainingError(_reason(process.returncode, lines, complaints))


def _reason(code: int, lines: list[str], complaints: bytes) -> str:
    if code < 0:
        return f"the process that computes was killed by signal {-code}."
    if lines:
        reason: str = json.loads(lines[-1])["end"]
        return reason
    last = complaints.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the process that computes ended with exit code {code}: {' '.join(last)}"
