"""After how many rounds a loop of a network is taken for endless."""

from __future__ import annotations

import os

from allotrope.errors import UsageError

LONGEST_LOOP = "ALLOTROPE_LONGEST_LOOP"
"""The environment variable that says after how many rounds the loops of a network are taken for
endless."""
_ROUNDS = 20_000


def longest_loop() -> int:
    """How often the graphs inside If, Loop and Scan are run in one run of a network, at the most.

    Raises: UsageError where `LONGEST_LOOP` is no count.
    """
    said = os.environ.get(LONGEST_LOOP, "")
    if not said:
        return _ROUNDS
    if not said.isdecimal() or int(said) < 1:
        raise UsageError(f"{LONGEST_LOOP} is '{said}', expected a whole number of 1 or more.")
    return int(said)
