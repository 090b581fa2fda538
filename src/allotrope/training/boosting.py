"""Gradient-boosted trees on the same rows, which a network for tables is compared with.

They are scikit-learn's HistGradientBoosting with its defaults. Codes are numbers to them: trees
cut them where they like.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.network.network import Network
from allotrope.network.zoo.trees import BoostedTree, boosted_trees
from allotrope.tasks import Task
from allotrope.tasks.means import missing


@dataclass(frozen=True)
class BoostedTrees:
    """Trees as a network with a raw output for each task, and the seconds that they grew."""

    network: Network
    seconds: float


def grown(data: Data, tasks: Sequence[Task], seed: int) -> BoostedTrees:
    """Trees for each task of data whose only input is a table, from its training rows."""
    began = time.perf_counter()
    (table,) = data.inputs
    x = data.train[table.name]
    made = {task.name: _of_task(task, x, data.train[task.name], seed) for task in tasks}
    network = boosted_trees(table.name, x.shape[1], made)
    return BoostedTrees(network, time.perf_counter() - began)


def _of_task(
    task: Task, x: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[list[BoostedTree], list[float]]:
    """The trees of a task whose sums are its raw output: logits, flags, standardized values."""
    if task.kind == "classification":
        known = ~missing(labels)
        return _classifier(x[known], labels[known], task.size, seed)
    columns = task.encode(labels).targets
    gaps = missing(labels).reshape(len(labels), -1)
    trees, start = [], []
    for place, column in enumerate(columns.T):
        known = ~gaps[:, min(place, gaps.shape[1] - 1)]
        fit = _regressor if task.kind == "regression" else _flag
        own, first = fit(x[known], column[known], seed)
        trees += [_tree(one, place) for one in own]
        start.append(first)
    return trees, start


def _classifier(
    x: np.ndarray, codes: np.ndarray, classes: int, seed: int
) -> tuple[list[BoostedTree], list[float]]:
    """Logits of classes; of two, the first is always 0."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=seed).fit(x, codes)
    rounds, first = model._predictors, model._baseline_prediction.ravel()
    places = list(map(int, model.classes_))
    if len(places) == 2:
        places = places[1:]
    # A class that no row has is never answered.
    start = np.zeros(classes) if len(model.classes_) == classes else np.full(classes, -30.0)
    start[list(map(int, model.classes_))] = 0
    start[places] = first
    trees = [
        _tree(predictor, place)
        for one in rounds
        for predictor, place in zip(one, places, strict=True)
    ]
    return trees, start.tolist()


def _flag(x: np.ndarray, flags: np.ndarray, seed: int) -> tuple[list[Any], float]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=seed).fit(x, flags > 0)
    return [one[0] for one in model._predictors], float(model._baseline_prediction.ravel()[0])


def _regressor(x: np.ndarray, values: np.ndarray, seed: int) -> tuple[list[Any], float]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=seed).fit(x, values)
    return [one[0] for one in model._predictors], float(np.ravel(model._baseline_prediction)[0])


def _tree(predictor: Any, target: int) -> BoostedTree:
    """One tree of scikit-learn's as a network has it."""
    nodes: Mapping[str, np.ndarray] = predictor.nodes
    return BoostedTree(
        target=target,
        branch=nodes["is_leaf"] == 0,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"],
        left=nodes["left"],
        right=nodes["right"],
        value=nodes["value"],
    )
