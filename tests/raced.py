"""`compare` that measures speeds briefly, of races whose speeds nobody reads."""

from __future__ import annotations

import atexit
import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from allotrope import cli
from allotrope.measure.race.race import RACER, FrameworkRace, RacePlan, Row
from allotrope.process.worker import WorkerProcess
from allotrope.verbs.compare import compare as whole_compare
from allotrope.verbs.compare import compare_in
from allotrope.verbs.compared import ComparedRun
from quick import BRIEF


class BriefRace(FrameworkRace):
    """With short rounds."""

    def __init__(self, folder: Path, plan: RacePlan, report: Callable[[str], None]) -> None:
        super().__init__(folder, replace(plan, turns=BRIEF), report)


class KeptProcess(WorkerProcess):
    """Stays when it has done its part."""

    def close(self) -> None:
        pass


@functools.cache
def kept_process() -> WorkerProcess:
    process = KeptProcess(RACER, threads=1)
    atexit.register(WorkerProcess.close, process)
    return process


class RaceOfOne(BriefRace):
    """Of one framework, in the one process of all these races, so that it is imported once.

    They are about data and verdicts; `test_compare.py` is about processes, and has fresh ones.
    """

    def _worker(self, patience: float) -> WorkerProcess:
        assert len(self.plan.frameworks) == 1
        return kept_process()

    def _fail(self, row: Row, reason: str) -> None:
        # One that failed stays failed.
        kept_process.cache_clear()
        super()._fail(row, reason)


def compare_with(race: type[FrameworkRace]) -> Callable[..., ComparedRun]:
    """`allotrope.compare` by such a race."""

    @functools.wraps(whole_compare)
    def compare(*arguments: Any, **options: Any) -> ComparedRun:
        bound = inspect.signature(whole_compare).bind(*arguments, **options)
        bound.apply_defaults()
        return compare_in(bound.arguments, race)

    return compare


compare = compare_with(RaceOfOne)


def main(words: list[str]) -> int:
    """A command line of `compare`, in fresh processes."""
    return cli.main(words, {**cli.VERBS, "compare": (compare_with(BriefRace), "Race.")})
