"""How much better answers are than others to the same examples, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Labels

MOST, LEAST, WORK = 1000, 100, 5e8
"""Resamples, and so many numbers that they may look at in all."""
COVERED = 95.0
"""Per cent of the resamples that an interval holds."""


@dataclass(frozen=True)
class Gain:
    """Points of the metric by which answers are better, with the ends of their interval.

    Percentage points; of an error in units per cent of it. `deviation` is that of the resamples.
    """

    points: float
    low: float
    high: float
    deviation: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies above nothing."""
        return self.low > 0


def paired_gain(
    task: Task,
    answers: Answers,
    others: Sequence[Answers],
    labels: Labels,
    seed: int = 0,
    tasks: Sequence[Task] | None = None,
) -> Gain:
    """The gain of delivered answers [n, k] over the mean metric of others, by paired bootstrap.

    `tasks` are by what each of the others is judged, such as with thresholds of its own; by default
    by the same `task`.

    Each resample draws the same examples for all of them (Efron and Tibshirani 1993), so that what
    is hard for everyone takes no part in the difference.
    """
    judges = [task, *(tasks or [task] * len(others))]
    every = [answers, *others]
    whole = _gain(judges, every, labels)
    drawn = [
        _gain(judges, [each[rows] for each in every], labels[rows])
        for rows in _resamples(answers, len(every), seed)
    ]
    # A resample may lack what the metric needs, such as one of two classes.
    known = np.array([gain for gain in drawn if np.isfinite(gain)])
    if not len(known):
        return Gain(whole, float("nan"), float("nan"), float("nan"))
    rest = (100 - COVERED) / 2
    low, high = np.percentile(known, [rest, 100 - rest])
    return Gain(whole, float(low), float(high), float(known.std()))


def _gain(judges: Sequence[Task], every: Sequence[Answers], labels: Labels) -> float:
    """Of the first of these over all others."""
    value, *others = (
        judge.answered(each, labels) for judge, each in zip(judges, every, strict=True)
    )
    drop = judges[0].metric.drop(float(np.mean(others)), value)
    return -drop + 0.0  # no minus before nothing


def _resamples(answers: Answers, compared: int, seed: int) -> Iterator[np.ndarray]:
    count = len(answers)
    draws = int(np.clip(WORK / max(answers.size * compared, 1), LEAST, MOST))
    stream = np.random.default_rng([seed, count])
    for _ in range(draws):
        yield stream.integers(0, count, count)
