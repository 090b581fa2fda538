"""`fit` that measures one candidate with one setting, for tests that are about something else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allotrope import cli
from allotrope.config import Settings
from allotrope.measure.candidates import Candidate
from allotrope.measure.network_files import FLOAT_FILE
from allotrope.measure.rounds import Turns
from allotrope.progress import Progress
from allotrope.verbs.fit_to_target import fit as whole_fit
from allotrope.verbs.fit_to_target import fit_to_target
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.pipeline import Among


def one_candidate(folder: Path) -> list[Candidate]:
    return [Candidate("onnxruntime", "float32", folder / FLOAT_FILE)]


BRIEF = Turns(rounds=2, seconds=0.02)
"""Latencies that nobody reads."""
ONE = Among(settings=[Settings(threads=1)], candidates=one_candidate, turns=BRIEF)


def fit_with(among: Among, show: Progress | None = None) -> Callable[..., FittedRun]:
    """`allotrope.fit` with what it may choose among."""

    @functools.wraps(whole_fit)
    def fit(*arguments: Any, **options: Any) -> FittedRun:
        bound = inspect.signature(whole_fit).bind(*arguments, **options)
        bound.apply_defaults()
        return fit_to_target(bound.arguments, among, show)

    return fit


fit = fit_with(ONE)


def main(words: list[str], among: Among = ONE) -> int:
    """A command line of `fit`."""
    return cli.main(words, {**cli.VERBS, "fit": (fit_with(among), "Train.")})
