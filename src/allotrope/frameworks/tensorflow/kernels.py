"""Weights in the order that TensorFlow's kernels take, under the network's names and shapes.

A stored weight is [kh, kw, c, m], that of a dense layer as well: [h, w, c, m] over flattened [n, c,
h, w], [1, 1, k, m] over others. What a program gets is its transpose, which carries the stored
weight itself: functions that have a use for that take it, and the transpose, which nobody reads
then, is dropped from the `tf.function`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.frameworks.kernels import NAMED, STORED, convolution_weights, dense_weights
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.network.graph import Graph
from allotrope.network.network import Network

Tensor = Any


def stored(weight: Tensor) -> Tensor | None:
    """What a weight was stored as, [kh, kw, c, m], else None."""
    return getattr(weight, "stored", None)


def kernel(weight: Tensor) -> Tensor:
    """weight [m, c, *kernel] as [*kernel, c, m]."""
    rank = weight.shape.rank
    held = stored(weight)
    if held is None:
        return tf.transpose(weight, (*range(2, rank), 1, 0))
    return held


class Order:
    """How each weight of a network is stored.

    `shapes` has those that are stored as kernels, with their shapes [m, c, kh, kw].
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], network: Network) -> None:
        """Weights that are not in `shapes` are stored as they are named."""
        self.shapes = dict(shapes)
        self.named_shapes = {name: array.shape for name, array in network.weights.items()}

    @classmethod
    def of_kernels(cls, network: Network, graph: Graph) -> Order:
        """All weights as kernels that may be: those of convolutions and of dense layers."""
        convolutions = {
            name: network.weights[name].shape for name in convolution_weights(network, graph)
        }
        return cls({**convolutions, **dense_weights(network, graph)}, network)

    def stored(self, name: str, array: np.ndarray) -> np.ndarray:
        """An array of a weight's shape, in the order that it is stored in."""
        if name in self.shapes:
            return array.reshape(self.shapes[name]).transpose(STORED)
        return array

    def named(self, name: str, array: np.ndarray) -> np.ndarray:
        """A stored array, in the order and shape that the weight has in the network."""
        if name in self.shapes:
            return np.ascontiguousarray(array.transpose(NAMED)).reshape(self.named_shapes[name])
        return array

    def views(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Stored tensors as the network names them; each remembers how it is stored."""
        return {name: self._view(name, value) for name, value in values.items()}

    def _view(self, name: str, value: Tensor) -> Tensor:
        if name not in self.shapes:
            return value
        shape: Sequence[int] = self.named_shapes[name]
        view = tf.reshape(tf.transpose(value, NAMED), shape)
        view.stored = value
        return view
