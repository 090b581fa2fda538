"""Boosted trees as a network: one node of ONNX's own (ai.onnx.ml), which runtimes compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network

ML = "ai.onnx.ml"
AT_MOST, SUM = 0, 1
"""ONNX's numbers of a branch that asks for at most, and of answers that are sums."""


@dataclass(frozen=True, eq=False)
class BoostedTree:
    """Nodes of one tree, each an entry of the arrays [m]; the first is the root.

    At a `branch` a row goes to `left` if its number `feature` is at most `threshold`, or missing
    and `missing_left`; else to `right`. A leaf adds `value` to the answer number `target`.
    """

    target: int
    branch: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


def boosted_trees(
    name: str,
    columns: int,
    tasks: Mapping[str, tuple[Sequence[BoostedTree], Sequence[float]]],
) -> Network:
    """Rows float32 [n, columns] to the sums of trees [n, size] for each task, by name.

    Each task has its trees, and what the sums begin with.
    """
    nodes, outputs, constants = [], [], {}
    for task, (trees, start) in tasks.items():
        sums, begin = f"{task}.sums", f"{task}.start"
        attributes = {**_attributes(trees), "n_targets": len(start), "aggregate_function": SUM}
        nodes.append(Node("TreeEnsemble", (name,), (sums,), attributes, sums, ML))
        nodes.append(Node("Add", (sums, begin), (task,), {}, task))
        constants[begin] = np.asarray(start, np.float32)
        outputs.append(Value(task, np.dtype(np.float32), ("n", len(start))))
    x = Value(name, np.dtype(np.float32), ("n", columns))
    graph = Graph((x,), tuple(outputs), tuple(nodes), constants, name="trees")
    return Network(graph, {}, frozenset())


def _attributes(trees: Sequence[BoostedTree]) -> dict[str, Any]:
    """What the node says of all trees: branches one after the other, and leaves apart from them."""
    trees = [tree if tree.branch[0] else _with_branch(tree) for tree in trees]
    counts = [len(tree.branch) for tree in trees]
    branch = _all(trees, "branch").astype(bool)
    # A branch has a number among branches, a leaf among leaves; children count within their tree.
    number = np.where(branch, np.cumsum(branch), np.cumsum(~branch)) - 1
    first = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    ints: dict[str, np.ndarray] = {
        "tree_roots": number[np.cumsum([0, *counts[:-1]])],
        "nodes_featureids": _all(trees, "feature")[branch],
        "nodes_missing_value_tracks_true": _all(trees, "missing_left")[branch],
        "leaf_targetids": np.repeat([tree.target for tree in trees], counts)[~branch],
    }
    for side, name in (("true", "left"), ("false", "right")):
        child = (first + _all(trees, name).astype(np.int64))[branch]
        ints[f"nodes_{side}nodeids"] = number[child]
        ints[f"nodes_{side}leafs"] = ~branch[child]
    return {
        **{key: tuple(map(int, values)) for key, values in ints.items()},
        "nodes_modes": np.full(int(branch.sum()), AT_MOST, np.uint8),
        "nodes_splits": _rounded_down(_all(trees, "threshold")[branch]),
        "leaf_weights": _all(trees, "value")[~branch].astype(np.float32),
    }


def _with_branch(leaf: BoostedTree) -> BoostedTree:
    """A tree of a leaf alone as one with a branch, whose sides are that leaf."""
    ones = np.ones(1, np.int64)
    grown = {
        "branch": np.array([True, False]),
        "left": np.append(ones, 0),
        "right": np.append(ones, 0),
        "value": np.append(0.0, leaf.value),
    }
    others = {name: np.zeros(2, np.int64) for name in ("feature", "threshold", "missing_left")}
    return BoostedTree(target=leaf.target, **grown, **others)


def _all(trees: Sequence[BoostedTree], name: str) -> np.ndarray:
    return np.concatenate([getattr(tree, name) for tree in trees])


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 that is no larger: the same float32 numbers are at most that."""
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > thresholds, below, near).astype(np.float32)
