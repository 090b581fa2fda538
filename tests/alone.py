"""Tests that press Ctrl-C: signals are a process's, and each of these runs in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

ALONE = "ALLOTROPE_TEST_ALONE"
alone = pytest.mark.skipif(ALONE not in os.environ, reason="run in a process of its own, below")


def outcome_alone(files: Sequence[str], names: Sequence[str]) -> str:
    """What pytest says in the end of the tests of `files` with these words in their names.

    They are marked `alone`.
    """
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    words += ["-k", " or ".join(names)]
    environment = {**os.environ, ALONE: "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    return f"exit code {done.returncode}: {done.stdout}{done.stderr}"
