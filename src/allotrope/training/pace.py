"""How far a training is, by steps and clock, and when it stops so that the rest still fits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

EVALUATING_SHARE = 0.03
"""The part of a budget that validation may take before the last one."""

AFTER_COMPILING = 0.5
"""The part of a budget that is for the steps behind the first, however long that took."""


class Pace:
    """The clock of one training.

    With epochs alone, progress is a function of the step. With a budget, progress is the larger of
    the steps' share and the clock's; the clock's runs from the first finished step, whatever
    compiling took, to the moment when the last validation has to begin. If compiling takes more
    than half of the budget, the steps behind it have half of it all the same.
    """

    def __init__(
        self,
        steps: int | None,
        budget: float | None,
        *,
        elapsed: float = 0.0,
        progress: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        last: int = 1,
    ) -> None:
        """`steps` in all, None for no such limit.

        What comes after the last step takes as long as so many validations, `last`.

        `elapsed` seconds and `progress` are those of the part before a resume.
        """
        self._steps, self._budget, self._clock, self._last = steps, budget, clock, last
        self._started = clock() - elapsed
        self._first = self._begun = elapsed
        self._before = self.progress = progress
        self.evaluating = 0.0
        self.evaluation: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self._clock() - self._started

    @property
    def ends(self) -> float:
        """When the last validation has to begin, in seconds from the start.

        Infinite without a budget.
        """
        return self._whole - 1.1 * self._last * (self.evaluation or 0.0)

    @property
    def _whole(self) -> float:
        """The budget, or more if compiling took more than half; infinite without one."""
        if self._budget is None:
            return math.inf
        return max(self._budget, self._first + AFTER_COMPILING * (self._budget - self._begun))

    def first_step_done(self) -> None:
        """The clock's share of progress begins here."""
        self._first = self.elapsed

    def advance(self, done: int) -> float:
        """Progress in [0, 1] for the step after `done` ones, taken at its middle.

        It never falls.
        """
        if self._steps is None:
            share = 0.0
        else:
            share = (done + 0.5) / self._steps
        left = self.ends - self._first
        if self._budget is not None and done:
            share = max(
                share,
                1.0
                if left <= 0
                else self._before + (1 - self._before) * (self.elapsed - self._first) / left,
            )
        self.progress = min(max(self.progress, share), 1.0)
        return self.progress

    def stopped(self, done: int, seconds_per_step: float) -> str | None:
        """Why no other step should be made: `finished`, `budget`, or None to go on."""
        if self._steps is not None and done >= self._steps:
            return "finished"
        if self.elapsed + seconds_per_step / 2 >= self.ends:
            return "budget"
        return None

    def evaluated(self, seconds: float) -> None:
        """A validation took this long."""
        self.evaluation = seconds
        self.evaluating += seconds

    def affords_evaluation(self) -> bool:
        """Whether a validation now, before the last one, keeps to its share of the time.

        Always without a budget.
        """
        if self._budget is None:
            return True
        return self.evaluating + (self.evaluation or 0.0) <= EVALUATING_SHARE * self.elapsed

    def seconds_left(self, done: int, seconds_per_step: float) -> float | None:
        """The time until the end, None before it can be told."""
        by_clock = None
        if self._budget is not None:
            by_clock = self._whole - self.elapsed
        by_steps = None
        if self._steps is not None:
            by_steps = (self._steps - done) * seconds_per_step
        known = [seconds for seconds in (by_clock, by_steps) if seconds is not None]
        if known:
            return max(min(known), 0.0)
        return None
