"""What the trained network is compared with on the same rows, and may be delivered instead of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.architectures.for_tables import is_table
from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import DECIDING, TREES
from allotrope.tasks import Task
from allotrope.training.trees import grown

FILE = "candidates/trees.onnx"
RUNTIME = "onnxruntime"
"""The runtime that computes ONNX's trees."""


def with_trees(
    among: Callable[[Path], list[Candidate]], data: Data, tasks: Sequence[Task], seed: int
) -> Callable[[Path], list[Candidate]]:
    """The candidates and, if the data is a table alone, boosted trees that learn the same rows."""
    if not is_table(data):
        return among

    def candidates(folder: Path) -> list[Candidate]:
        trees = grown(data, tasks, seed)
        path = folder / FILE
        finished(trees.network, data.inputs, tasks).save(path)
        return [*among(folder), Candidate(RUNTIME, "float32", path, TREES)]

    return candidates


def trees_in_words(rows: Iterable[Mapping[str, Any]], task: Task) -> list[str]:
    """How well the trees among candidates answer beside the best of the network's, in a line."""
    rows = list(rows)
    trees = [row for row in rows if row.get("form") == TREES and row.get(DECIDING) is not None]
    others = [row for row in rows if row.get("form") != TREES and row.get(DECIDING) is not None]
    if not trees or not others:
        return []
    metric, (one,) = task.metric, trees
    best = max(others, key=lambda row: metric.rank(row[DECIDING]))
    verdict = "the network is better"
    if metric.better(one[DECIDING], best[DECIDING]):
        verdict = "the trees are better"
    figures = [
        f"validation {metric.title} {task.metric_text(row[DECIDING])}, "
        f"test {task.metric_text(row['test_metric'])}"
        for row in (one, best)
    ]
    return [
        f"scikit-learn's HistGradientBoosting on the same rows: {figures[0]}; "
        f"the network: {figures[1]}: {verdict}"
    ]
