"""`tune` that measures one candidate with one setting, of runs that take seconds."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

from allotrope import cli
from allotrope.config import Settings
from allotrope.progress import Progress
from allotrope.verbs.pipeline import Among
from allotrope.verbs.tune import tune as whole_tune
from allotrope.verbs.tune import tune_among
from allotrope.verbs.tuned import TunedRun
from quick import BRIEF, one_candidate

ONE = Among(settings=[Settings()], candidates=one_candidate, turns=BRIEF)
"""Without a number of threads, which TensorFlow takes only before its first computation."""
SMALL = {"network": "mlp", "epochs": 0.6, "trials": 4, "saliency": False, "quiet": True}


def tune_with(among: Among, show: Progress | None = None):
    """`allotrope.tune` with what it may choose among."""

    @functools.wraps(whole_tune)
    def tune(*arguments: Any, **options: Any) -> TunedRun:
        bound = inspect.signature(whole_tune).bind(*arguments, **options)
        bound.apply_defaults()
        return tune_among(bound.arguments, among, show)

    return tune


tune = tune_with(ONE)


def main(words: list[str], among: Among = ONE) -> int:
    """A command line of `tune`."""
    return cli.main(words, {**cli.VERBS, "tune": (tune_with(among), "Tune.")})


def process_of(words: list[str]) -> None:
    """A command line of `tune` that a process was started for."""
    sys.exit(main(words))
