"""Gradient-boosted trees on the same rows, which a network for tables is compared with.

They are scikit-learn's HistGradientBoosting with its defaults. Codes are numbers to them: trees
cut them where they like.
"""

from __future__ import annotations

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
    """Trees as a network with a raw output for each task, and the tasks as they are ended for it.

    A task whose classes are told by logits has a temperature that suits the trees; thresholds are
    those of the network, so that one rule judges both.
    """

    network: Network
    tasks: tuple[Task, ...]


def grown(data: Data, tasks: Sequence[Task], seed: int) -> BoostedTrees:
    """Trees for each task of data whose only input is a table, from its training rows."""
    (table,) = data.inputs
    x, validation = data.train[table.name], data.validation
    made = {task.name: trees_of(task, x, data.train[task.name], seed) for task in tasks}
    settled = []
    for task in tasks:
        if task.kind == "classification":
            raw = sums(*made[task.name], validation[table.name])
            task = task.settled(raw, validation[task.name])
        settled.append(task)
    return BoostedTrees(boosted_trees(table.name, x.shape[1], made), tuple(settled))


def sums(trees: Sequence[BoostedTree], start: Sequence[float], x: np.ndarray) -> np.ndarray:
    """What trees answer for rows x [n, columns]: float64 [n, size], `start` and their leaves."""
    total = np.tile(np.asarray(start, np.float64), (len(x), 1))
    rows = np.arange(len(x))
    for tree in trees:
        at = np.zeros(len(x), np.int64)
        # Each turn takes all rows one branch further, until all of them have come to a leaf.
        while tree.branch[at].any():
            number = x[rows, tree.feature[at]]
            at_most = np.where(
                np.isnan(number), tree.missing_left[at] != 0, number <= tree.threshold[at]
            )
            further = np.where(at_most, tree.left[at], tree.right[at])
            at = np.where(tree.branch[at], further, at)
        total[:, tree.target] += tree.value[at]
    return total


def trees_of(
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
