"""What answers rest on: by how much the metric worsens if a column is shuffled among the rows.

Permutation importance (Breiman 2001, doi.org/10.1023/A:1010933404324, section 10), and partial
dependence (Friedman 2001, doi.org/10.1214/aos/1013203451) of the quantities that count most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.contract import Input
from allotrope.memory_limit import examples_at_once
from allotrope.tasks.metric import Metric

Arrays = Mapping[str, np.ndarray]
SHUFFLES = 5
SECONDS = 20.0
"""After so long no other column is shuffled."""
MOST_ROWS = 2_000
LEAST_ROWS = 200
CURVE_ROWS, CURVE_PLACES = 300, 16
"""So many rows get each of so many values of a column."""


@dataclass(frozen=True)
class Judgement:
    """What answers are worth: `worth(inputs, rows)` is the metric of those to inputs of `rows`."""

    inputs: Sequence[Input]
    worth: Callable[[Arrays, np.ndarray], float]
    metric: Metric


@dataclass(frozen=True)
class PartImportance:
    """By how much the metric worsens (above 0) with a part of an input shuffled, each time."""

    input: str
    part: str
    worse: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over shuffles."""
        return float(np.mean(self.worse))

    @property
    def deviation(self) -> float:
        """Their standard deviation; 0 of a single one."""
        return float(np.std(self.worse, ddof=1)) if len(self.worse) > 1 else 0.0


@dataclass(frozen=True)
class Importance:
    """The parts, those that count most in front; `left_out` are those the time did not reach.

    `whole`: the metric of the `rows` as they are.
    """

    whole: float
    rows: int
    parts: tuple[PartImportance, ...]
    left_out: tuple[str, ...] = ()


def importance(
    judged: Judgement,
    columns: Arrays,
    seed: int = 0,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Importance | None:
    """How much each part of the inputs counts; None if there is one alone, or no metric.

    `columns` are the inputs' by name. Rows are as many as the time allows; each round shuffles
    every part once, so that what ends early has fewer rounds and no part less than another.
    """
    parts = [(each, part) for each in judged.inputs for part in each.parts]
    if len(parts) < 2:
        return None
    count = len(next(iter(columns.values())))
    began = clock()
    chosen = spread(count, examples_at_once(columns, MOST_ROWS))
    whole = judged.worth(taken(columns, chosen), chosen)
    if not np.isfinite(whole):
        return None
    affordable = seconds / max(clock() - began, 1e-6) / (SHUFFLES * len(parts))
    if affordable < 1:
        chosen = spread(count, max(LEAST_ROWS, int(affordable * len(chosen))))
        whole = judged.worth(taken(columns, chosen), chosen)
    rows, random = taken(columns, chosen), np.random.default_rng(seed)
    worse: dict[tuple[str, str], list[float]] = {(each.name, part): [] for each, part in parts}
    for _ in range(SHUFFLES):
        for each, part in parts:
            if clock() - began > seconds:
                break
            value = judged.worth(shuffled(rows, each, part, random), chosen)
            worse[each.name, part].append(judged.metric.rank(whole) - judged.metric.rank(value))
    measured = [PartImportance(*key, tuple(values)) for key, values in worse.items() if values]
    left_out = tuple(part for (_, part), values in worse.items() if not values)
    ordered = sorted(measured, key=lambda each: -each.mean)
    return Importance(float(whole), len(chosen), tuple(ordered), left_out)


def shuffled(rows: Arrays, each: Input, part: str, random: np.random.Generator) -> Arrays:
    """The rows with a part of an input taken from others of them."""
    x = rows[each.name]
    values = each.part_of(x, part)[random.permutation(len(x))]
    return {**rows, each.name: each.with_part(x, part, values)}


def spread(count: int, most: int) -> np.ndarray:
    """At most so many rows, evenly spread over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def taken(columns: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    """These rows of all columns."""
    return {name: column[rows] for name, column in columns.items()}


def dependence(
    level: Callable[[Arrays], np.ndarray], columns: Arrays, each: Input, part: str
) -> list[list[float]]:
    """[value, mean answer] for values of a quantity, if every row had this value.

    `level(inputs)` [n] is the number in each answer. Values are quantiles, without the outer 2 %.
    """
    rows = taken(columns, spread(len(columns[each.name]), CURVE_ROWS))
    x = rows[each.name]
    values = each.part_of(columns[each.name][:], part)
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    shares = np.linspace(0.02, 0.98, CURVE_PLACES)
    curve = []
    for value in np.unique(np.quantile(known, shares, method="nearest")):
        alike = each.with_part(x, part, np.full(len(x), value, x.dtype))
        answers = level({**rows, each.name: alike})
        curve.append([float(value), float(np.mean(answers))])
    return curve
