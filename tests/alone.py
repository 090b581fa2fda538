"""Tests in a process of their own: those that press Ctrl-C, and those for another environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ALONE = "ALLOTROPE_TEST_ALONE"
alone = pytest.mark.skipif(ALONE not in os.environ, reason="run in a process of its own, below")
FOLDER = Path(__file__).parent


def check_alone(files: Sequence[str], chosen: str, **environment: str) -> str:
    """What pytest prints of those tests that `chosen` names, as its -k reads it; all must pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", chosen]
    done = subprocess.run(
        [*command, *(str(FOLDER / name) for name in files)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER.parent,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    return done.stdout
