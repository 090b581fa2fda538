"""What the trained network is compared with on the same rows, and may be delivered instead of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.architectures.for_tables import is_table
from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import DECIDING, TOGETHER, TREES
from allotrope.network.network import Network
from allotrope.network.rewriting.averaged import averaged
from allotrope.tasks import Task
from allotrope.training.boosting import grown

FOLDER = "candidates"
NETWORK = "network"
RUNTIME = "onnxruntime"
"""The runtime that computes ONNX's trees."""


def with_trees(
    among: Callable[[Path], list[Candidate]],
    network: Network,
    data: Data,
    tasks: Sequence[Task],
    seed: int,
) -> Callable[[Path], list[Candidate]]:
    """The candidates of a finished network and, if the data is a table alone, its rivals.

    They are boosted trees that learn the same rows, and the mean of what both answer: each errs
    otherwise, so that it is often better than either.
    """
    if not is_table(data):
        return among

    def candidates(folder: Path) -> list[Candidate]:
        boosted = grown(data, tasks, seed)
        trees = finished(boosted.network, data.inputs, boosted.tasks)
        networks = {TREES: trees, TOGETHER: averaged(network, trees)}
        rivals = []
        for form, one in networks.items():
            path = folder / FOLDER / f"{form}.onnx"
            one.save(path)
            rivals.append(Candidate(RUNTIME, "float32", path, form))
        return [*among(folder), *rivals]

    return candidates


def trees_in_words(rows: Iterable[Mapping[str, Any]], task: Task) -> list[str]:
    """How well the trees among candidates answer beside the best of the network's, in a line."""
    metric, best = task.metric, dict[str, Mapping[str, Any]]()
    for row in rows:
        form = row.get("form", "")
        who = form if form in (TREES, TOGETHER) else NETWORK
        if row.get(DECIDING) is None:
            continue
        if who not in best or metric.better(row[DECIDING], best[who][DECIDING]):
            best[who] = row
    if len(best) < 3:
        return []
    figures = {
        name: f"validation {task.metric_text(row[DECIDING])}, "
        f"test {task.metric_text(row['test_metric'])}"
        for name, row in best.items()
    }
    verdict = "the network is better"
    if metric.better(best[TREES][DECIDING], best[NETWORK][DECIDING]):
        verdict = "the trees are better"
    return [
        f"scikit-learn's HistGradientBoosting on the same rows, by {metric.title}: "
        f"{figures[TREES]}; the network: {figures[NETWORK]}: {verdict}; "
        f"their mean: {figures[TOGETHER]}"
    ]
