"""`shrink` that measures one candidate with one setting, of runs that were fitted so."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from allotrope import cli
from allotrope.config import Settings
from allotrope.progress import Progress
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.pipeline import Among
from allotrope.verbs.shrink import shrink as whole_shrink
from allotrope.verbs.shrink import shrink_among
from quick import BRIEF, fit_with, one_candidate

ONE = Among(settings=[Settings()], candidates=one_candidate, turns=BRIEF)
"""Without a number of threads, which TensorFlow takes only before its first computation."""
fit = fit_with(ONE)


def shrink_with(among: Among, show: Progress | None = None):
    """`allotrope.shrink` with what it may choose among."""

    @functools.wraps(whole_shrink)
    def shrink(*arguments: Any, **options: Any) -> FittedRun:
        bound = inspect.signature(whole_shrink).bind(*arguments, **options)
        bound.apply_defaults()
        return shrink_among(bound.arguments, among, show)

    return shrink


shrink = shrink_with(ONE)


def main(words: list[str], among: Among = ONE) -> int:
    """A command line of `shrink`."""
    return cli.main(words, {**cli.VERBS, "shrink": (shrink_with(among), "Shrink.")})
