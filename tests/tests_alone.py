"""Tests that are run again in a process of their own, with another environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def check_alone(files: list[str], chosen: str, **environment: str) -> None:
    """Asserts that those of the files that `chosen` names pass, as `pytest -k` reads it."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", chosen]
    done = subprocess.run(
        [*command, *(str(FOLDER / name) for name in files)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=FOLDER.parent,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
