"""What decides for a task: a number, whether higher is better, and what losing some of it means."""

from __future__ import annotations

import math
from dataclasses import dataclass

from allotrope.wording import significant


@dataclass(frozen=True)
class Metric:
    """One way to say how good answers are.

    `name` is its key in run.json, `title` what a sentence calls it. `percent`: a fraction that
    people read as per cent. `relative`: what is lost is counted in per cent of the reference, as
    suits an error in units of one's own; else in percentage points.
    """

    name: str
    title: str
    higher_is_better: bool = True
    percent: bool = False
    relative: bool = False

    def rank(self, value: float) -> float:
        """A number that is greater the better `value` is; what is not a number is worst."""
        if math.isnan(value):
            return -math.inf
        return value if self.higher_is_better else -value

    def better(self, value: float, other: float) -> bool:
        """Whether `value` is better than `other`."""
        return self.rank(value) > self.rank(other)

    def drop(self, reference: float, value: float) -> float:
        """How many points `value` is worse than `reference`: percentage points, or per cent of it.

        Below 0 it is better. Of a `relative` metric that is 0 every loss is infinite.
        """
        worse = self.rank(reference) - self.rank(value)
        if not self.relative:
            return 100 * worse
        if worse == 0:
            return 0.0
        return math.copysign(math.inf, worse) if reference == 0 else 100 * worse / abs(reference)

    def limit(self, reference: float, drop: float) -> float:
        """The worst value that is at most `drop` points worse than `reference`."""
        worse = drop / 100
        if self.relative:
            worse *= abs(reference)
        if self.higher_is_better:
            return reference - worse
        return reference + worse

    def text(self, value: float) -> str:
        """The value for people: `97.20%`, `0.9312`, `3.410`, `56,250`."""
        if self.percent:
            return f"{value:.2%}"
        return significant(value) if self.relative else f"{value:.4f}"

    def rounded(self, value: float) -> str:
        """The value in a sentence that needs no more digits: `97.2%`, `0.9312`, `3.41`."""
        return f"{value:.1%}" if self.percent else self.text(value)

    def near(self, value: float, share: float) -> float:
        """What is worse than `value` by this share of it."""
        worse = -share if self.higher_is_better else share
        return value + worse * abs(value)

    def unfit(self, goal: float) -> str:
        """Why this cannot be a goal; nothing if it can."""
        if self.relative:
            return "" if goal > 0 else "expected more than 0"
        return "" if 0 < goal <= 1 else "expected a fraction above 0 and at most 1, such as 0.97"

    def points(self, drop: float) -> str:
        """A number of points in words: `0.5 points`, or `0.5 %` of an error."""
        return f"{drop:.2f} %" if self.relative else f"{drop:.2f} points"

    def apart(self, reference: float, value: float) -> str:
        """How far a worse `value` is from `reference`: `1.20 points under`, `1.20 % over`."""
        side = "under" if self.higher_is_better else "over"
        return f"{self.points(self.drop(reference, value))} {side}"

    def change(self, reference: float, value: float) -> str:
        """The value against the reference, with a sign: `+0.10 points`.

        An error that fell, `-1.20 %`.
        """
        drop = self.drop(reference, value)
        change = (-drop if self.higher_is_better else drop) or 0.0  # no minus before nothing
        return f"{change:+.2f} {'%' if self.relative else 'points'}"


ACCURACY = Metric("accuracy", "accuracy", percent=True)
AUC = Metric("auc", "AUC")
MACRO_F1 = Metric("macro_f1", "macro F1", percent=True)
KAPPA = Metric("quadratic_kappa", "quadratic kappa")
MICRO_F1 = Metric("micro_f1", "micro F1", percent=True)
MACRO_AUC = Metric("macro_auc", "macro AUC")
RMSE = Metric("rmse", "RMSE", higher_is_better=False, relative=True)
MAE = Metric("mae", "MAE", higher_is_better=False, relative=True)
R2 = Metric("r2", "R²")
