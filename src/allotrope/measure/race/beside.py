"""What the frameworks of a race are compared with: one answer for all, and trees for tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from allotrope.architectures.for_tables import is_table
from allotrope.config import Recipe
from allotrope.data import Batches
from allotrope.data.examples import Data
from allotrope.inputs.table.table import Table
from allotrope.measure.timed_lengths import cut_in_words
from allotrope.runtimes import runtime
from allotrope.tasks import Metric
from allotrope.tasks.guess import Guess, guess
from allotrope.tasks.several import trained_by
from allotrope.training.boosting import Growth, answers_of, fitting, trees_from
from allotrope.training.evaluate import in_batches

Row = Mapping[str, Any]
BUSY = 0.5
"""A load above this part of the cores, before a race begins, is other work."""


@dataclass(frozen=True)
class TreesBeside:
    """scikit-learn's boosted trees on the same rows, as `fit` grows them: how good, how fast.

    `rows`: how many they learned from, if not all fit in memory.
    """

    validation_metric: float
    test_metric: float
    seconds: float
    rows: int | None = None


@dataclass(frozen=True)
class Begun:
    """How good a network is before its first step, if it answers already."""

    validation_metric: float
    test_metric: float


@dataclass(frozen=True)
class Beside:
    """`guess` is by test labels, as the trainings' last figures are; `least` by validation's."""

    guess: Guess
    least: Guess
    trees: TreesBeside | None = None
    begun: Begun | None = None

    def facts(self) -> dict[str, Any]:
        """What run.json says of it."""
        others = {"trees": self.trees, "begun": self.begun}
        there = {name: asdict(one) for name, one in others.items() if one is not None}
        return {"guess": self.guess, **there}

    def nothing_learned(self, rows: Sequence[Row], metric: Metric) -> bool:
        """Whether there were trainings, and none is better than what needs none."""
        reached = [row["validation_metric"]["mean"] for row in rows if "validation_metric" in row]
        _, value = self._untrained(metric)
        return bool(reached) and not any(metric.better(one, value) for one in reached)

    def _untrained(self, metric: Metric) -> tuple[str, float]:
        """The best on the validation data that needs no training, in words, and how good it is."""
        begun = self.begun
        if begun is not None and metric.better(begun.validation_metric, self.least.value):
            return "the network is before its first step", begun.validation_metric
        return f"answering {self.least.words}", self.least.value

    def remarks(self, rows: Sequence[Row], metric: Metric) -> list[str]:
        """What a reader of the verdict has to know, in sentences."""
        said = []
        if self.nothing_learned(rows, metric):
            words, value = self._untrained(metric)
            said.append(
                f"No training is better than {words} ({metric.text(value)} validation "
                f"{metric.title}), so speeds decide here. For a metric that counts: more --epochs, "
                "or a larger --budget."
            )
        if self.begun is not None:
            said.append(
                "Before its first step the network has validation "
                f"{metric.title} {metric.text(self.begun.validation_metric)}, test "
                f"{metric.text(self.begun.test_metric)}."
            )
        if self.trees is not None:
            said.append(_of_trees(self.trees, rows, metric))
        return said


def beside(
    data: Data, recipe: Recipe, threads: int, trees: bool = True, begun: Path | None = None
) -> Beside:
    """What the race of this data is compared with; `trees` grow if the data is a table alone.

    `begun`: the file of a network that answers before its first step.

    Raises: DataError if no test label is known.
    """
    task = data.tasks[0]
    seen = data.train[task.name]
    by_test = guess(task, seen, data.test[task.name])
    by_validation = guess(task, seen, data.validation[task.name])
    grown = _grown(data, recipe, threads) if trees and is_table(data) else None
    answers = None if begun is None else _begun(data, recipe, begun, threads)
    return Beside(by_test, by_validation, grown, answers)


def busy(load: float | None, cores: int) -> list[str]:
    """A sentence if the machine does other work, by which speeds are too low and unlike."""
    if load is None or load <= BUSY * cores:
        return []
    return [
        f"Other work runs on this machine (load {load:.1f} on {cores} cores): speeds are too low, "
        "and not by the same for all. For figures to keep, repeat it when the machine is idle."
    ]


def timed_lengths(data: Data, recipe: Recipe) -> list[str]:
    """Sentences on how long the examples are that steps are timed with, if lengths differ."""
    (batch,) = Batches(data, recipe).alike(1)
    whole = {each.name: data.train[each.name] for each in data.inputs}
    return [
        f"{line[0].upper()}{line[1:]}." for line in cut_in_words(whole, {len(batch): batch.inputs})
    ]


def _begun(data: Data, recipe: Recipe, file: Path, threads: int) -> Begun:
    task = trained_by(data.tasks, recipe, data.train.columns)[0]
    session = runtime("onnxruntime").open(file, "float32", threads)

    def judged(split: str) -> float:
        answers = in_batches(session.run, data.taken(split), data.inputs)[task.name]
        return task.scores(answers, data.splits[split][task.name])[task.metric.name]

    return Begun(judged("validation"), judged("test"))


def _grown(data: Data, recipe: Recipe, threads: int) -> TreesBeside:
    from threadpoolctl import threadpool_limits

    table, task = data.inputs[0], data.tasks[0]
    assert isinstance(table, Table)
    # A quantity is standardized as it is for a network; thresholds are not chosen for either.
    task = trained_by((task,), recipe, data.train.columns)[0]
    began = time.perf_counter()
    # As many threads as each framework has, so that the seconds compare with theirs.
    with threadpool_limits(limits=threads):
        train, judges = (
            fitting(part, table, recipe.seed) for part in (data.train, data.validation)
        )
        growth = Growth.of(train[table.name], task.size, recipe.seed)
        grown = trees_from(table, train, judges, task, growth)
    seconds = time.perf_counter() - began

    def judged(split: str) -> float:
        examples = data.splits[split]
        raw = answers_of(grown, table, examples)
        return task.scores(raw, examples[task.name])[task.metric.name]

    rows = None if len(train) == len(data.train) else len(train)
    return TreesBeside(judged("validation"), judged("test"), seconds, rows)


def _of_trees(trees: TreesBeside, rows: Sequence[Row], metric: Metric) -> str:
    learned = "the same rows"
    if trees.rows is not None:
        learned = f"{trees.rows:,} of the rows, as many as it may hold in memory,"
    figures = (
        f"scikit-learn's HistGradientBoosting learns {learned} in "
        f"{trees.seconds:.1f} s: validation {metric.title} {metric.text(trees.validation_metric)}, "
        f"test {metric.text(trees.test_metric)}"
    )
    trained = [row for row in rows if "validation_metric" in row]
    if not trained:
        return f"{figures}."
    best = trained[0]
    for row in trained[1:]:
        if metric.better(row["validation_metric"]["mean"], best["validation_metric"]["mean"]):
            best = row
    value = best["validation_metric"]["mean"]
    better = "the network is better"
    if metric.better(trees.validation_metric, value):
        better = "the trees are better; fit measures both and delivers what is best"
    return f"{figures}. The best network here: {metric.text(value)}; {better}."
