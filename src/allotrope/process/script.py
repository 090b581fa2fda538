"""A script run once, in a fresh process that sees neither this one's folders nor Allotrope."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from allotrope.process.worker import WorkerError, shortened


def run_script(script: Path, *arguments: str, patience: float) -> dict[str, Any]:
    """What it prints last, as JSON.

    Raises: WorkerError if it takes over `patience` seconds, or fails: with the last line that it
    wrote.
    """
    command = [sys.executable, "-I", "-B", "-W", "ignore", str(script), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=patience,
            check=False,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"did not end within {patience:g} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        complaints = done.stderr.strip().splitlines() or ["it said nothing"]
        raise WorkerError(shortened(complaints[-1]))
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
