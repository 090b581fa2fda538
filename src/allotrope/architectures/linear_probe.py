"""A linear probe: the last layer fitted to what all others give, before these learn anything.

It says what the features are worth as they came, and fine-tuning that begins from it does not
pull them about for a last layer that knows nothing (Kumar et al. 2022, arxiv.org/abs/2202.10054).
Letters: n examples, d features, k classes.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from allotrope.data.examples import Data, Examples
from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.network.rewriting.head import Head, head_of
from allotrope.wording import counted

MOST = 5000
"""So many training examples at the most, evenly spread, are looked at."""
AT_ONCE = 32
STRENGTH = 1.0
"""Of the L2 regularization, as scikit-learn counts it."""


def probed(network: Network, data: Data, framework: str) -> tuple[Network, str]:
    """The network (raw examples to logits of one classification) with its last layer fitted.

    And a line that says how right that is on validation data.

    Raises: UsageError if the last layer is not a linear one of features.
    """
    from sklearn.linear_model import LogisticRegression

    began = time.monotonic()
    (task,) = data.tasks
    head = _linear_head(network)
    features = _Features(network, head, data.inputs[0].name, framework)
    x, labels = features.of(data.train, task.name, MOST)
    center, spread = x.mean(axis=0), x.std(axis=0)
    scaled = (x - center) / np.where(spread > 0, spread, 1)
    model = LogisticRegression(C=STRENGTH, max_iter=500).fit(scaled, labels)
    # Standardization becomes part of the layer, which takes features as they are.
    rows = np.zeros((task.size, x.shape[1]))
    offsets = np.full(task.size, model.intercept_.min() - 10.0)
    own, constant = _rows_of(model)
    own = own / np.where(spread > 0, spread, 1)
    rows[model.classes_], offsets[model.classes_] = own, constant - own @ center
    held, expected = features.of(data.validation, task.name, MOST)
    right = float(np.mean((held @ rows.T + offsets).argmax(axis=1) == expected))
    seconds = time.monotonic() - began
    line = (
        f"Linear probe: with the last layer alone fitted to the features of "
        f"{counted(len(x), 'training example')}, {right:.2%} of the validation data are right "
        f"({seconds:.0f} s). All layers learn from there."
    )
    return _with_head(network, head, rows, offsets), line


class _Features:
    """What the last layer takes, for examples."""

    def __init__(self, network: Network, head: Head, column: str, framework: str) -> None:
        self.column, self.framework, self.name = column, framework, head.layer.inputs[0]
        value = network.graph.values[self.name]
        self.network = network.changed(graph=replace(network.graph, outputs=(value,)))

    def of(self, examples: Examples, task: str, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, d] and labels [n] of those that have a label."""
        known = np.flatnonzero(np.asarray(examples[task]) >= 0)
        rows = known[:: max(1, -(-len(known) // most))]
        parts = [
            self.network.run({self.column: examples[self.column][some]}, self.framework)[self.name]
            for some in np.array_split(rows, -(-len(rows) // AT_ONCE))
        ]
        return np.concatenate(parts).reshape(len(rows), -1), np.asarray(examples[task])[rows]


def _rows_of(model: object) -> tuple[np.ndarray, np.ndarray]:
    """Weights [k, d] and constants [k]; of two classes scikit-learn has their difference alone."""
    rows, constants = model.coef_, model.intercept_  # type: ignore[attr-defined]
    if len(rows) > 1:
        return rows, constants
    return np.concatenate([-rows, rows]) / 2, np.concatenate([-constants, constants]) / 2


def _linear_head(network: Network) -> Head:
    """The last layer, if it is linear in one row of features and nothing but its bias is behind."""
    head = head_of(network)
    if head is not None:
        shape = network.graph.values[head.layer.inputs[0]].shape or ()
        bends = {node.operator for node in head.behind} - {"Flatten", "Identity", "Squeeze"}
        single = len(shape) == 2 or (len(shape) == 4 and tuple(shape[2:]) == (1, 1))
        if single and not bends and len(head.weights) == 2:
            return head
    raise UsageError(
        "--probe needs a last layer with a bias that takes one row of features and ends in the "
        "logits; this network has another. Leave --probe out; --freeze '*' --new-head trains the "
        "last layer alone."
    )


def _with_head(network: Network, head: Head, rows: np.ndarray, offsets: np.ndarray) -> Network:
    """The network with these weights [k, d] and this bias [k] in its last layer."""
    arrays = {}
    for name in head.weights:
        old = network.weights[name]
        new = offsets if old.size == len(offsets) else rows
        if new is rows and old.shape[0] != len(rows):
            new = rows.T
        arrays[name] = np.ascontiguousarray(new.reshape(old.shape), old.dtype)
    return network.with_weights(arrays)
