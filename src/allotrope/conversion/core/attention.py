"""Attention as products and a softmax, for targets that have no function of its meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter

PLAIN = {
    "left_window_size": -1,
    "right_window_size": -1,
    "softcap": 0.0,
    "qk_matmul_output_mode": 0,
    "softmax_precision": None,
}
"""Attributes that change the meaning, each with the value that does not."""


def spelled_out(network: Network) -> Network:
    """The network with plain Attention nodes taken apart: softmax(q kᵀ scale + mask) v over heads.

    Those with a past, windows, a soft cap, groups of heads or heads on the last axis stay as they
    are.
    """
    if not any(map(_is_attention, network.graph.nodes)):
        return network
    spelling = _Spelling(network)
    for node in spelling.rewriter.nodes():
        spelling.spell(node)
    return spelling.rewriter.applied_to(network)


def _is_attention(node: Node) -> bool:
    return node.operator == "Attention" and not node.domain


class _Spelling:
    """The nodes and constants that take the place of nodes, with names that are new."""

    at: Node
    dtype: np.dtype

    def __init__(self, network: Network) -> None:
        self.rewriter = Rewriter(network.graph, network.weights)
        self.nodes: list[Node] = []

    def spell(self, node: Node) -> None:
        """Puts others in the place of this node if it is plain Attention."""
        if not _is_attention(node) or not self._is_plain(node):
            return
        self.at, self.dtype, self.nodes = node, self._dtype(node.inputs[0]), []
        query, key, value = node.inputs[:3]
        # As ONNX defines it in its own operators, one node after the other.
        products = self._add(
            "MatMul", (query, self._add("Transpose", (key,), "keys", perm=(0, 1, 3, 2))), "products"
        )
        scores = self._add("Mul", (products, self._constant("scale", self._factor(node))), "scores")
        weights = self._weights(scores, self._mask(node))
        product = Node("MatMul", (weights, value), node.outputs[:1], name=node.name)
        self.rewriter.replace(node.outputs, [*self.nodes, product])

    def _dtype(self, name: str) -> np.dtype:
        value = self.rewriter.known(name)
        assert value is not None
        return value.dtype

    def _weights(self, scores: str, mask: str) -> str:
        """The share of each key.

        A mask of booleans says which keys are seen, another is added to the scores.
        """
        if not mask or self._dtype(mask).kind != "b":
            if mask:
                scores = self._add("Add", (scores, mask), "masked")
            return self._add("Softmax", (scores,), "weights", axis=-1)
        # Not -inf: a query that sees no key would become NaN, before it is made 0 below.
        lowest = self._constant("lowest", float(ml_dtypes.finfo(self.dtype).min))
        weights = self._add(
            "Softmax", (self._add("Where", (mask, scores, lowest), "masked"),), "weights", axis=-1
        )
        # A query that sees no key gives 0.
        return self._add("Where", (mask, weights, self._constant("nothing", 0.0)), "seen")

    def _mask(self, node: Node) -> str:
        """The node's own mask, or the keys up to each query's own place if these alone are seen."""
        if node.input(3) or not node.attributes.get("is_causal"):
            return node.input(3)
        lengths = [self._shape(name)[2] for name in node.inputs[:2]]
        return self._constant("causal", np.tri(*lengths, dtype=bool))

    def _factor(self, node: Node) -> float:
        scale = node.attributes.get("scale")
        if scale is not None:
            return float(scale)
        return 1 / math.sqrt(self._shape(node.inputs[0])[3])

    def _is_plain(self, node: Node) -> bool:
        shapes = [self._shape(name) for name in node.inputs[:3]]
        usual = all(node.attributes.get(name, value) == value for name, value in PLAIN.items())
        if (
            not usual
            or any(node.inputs[4:])
            or any(node.outputs[1:])
            or any(len(shape) != 4 for shape in shapes)
        ):
            return False
        (_, heads, queries, size), (_, _, keys, _), _ = shapes
        causal, alike = (
            bool(node.attributes.get("is_causal")),
            isinstance(heads, int) and all(shape[1] == heads for shape in shapes),
        )
        lengths_known = not causal or (isinstance(queries, int) and isinstance(keys, int))
        masks_all = not node.input(3) or (
            not causal and keys is not None and self._shape(node.inputs[3])[-1:] == (keys,)
        )
        return (
            alike
            and lengths_known
            and masks_all
            and (node.attributes.get("scale") is not None or isinstance(size, int))
        )

    def _shape(self, name: str) -> tuple[Any, ...]:
        return self.rewriter.shape(name) or ()

    def _add(self, operator: str, inputs: Sequence[str], kind: str, **attributes: Any) -> str:
        name = self.rewriter.fresh(f"{self.at.outputs[0]}/{kind}")
        self.nodes.append(Node(operator, tuple(inputs), (name,), attributes, name))
        return name

    def _constant(self, kind: str, array: Any) -> str:
        if not isinstance(array, np.ndarray):
            array = np.asarray(array, self.dtype)
        return self.rewriter.constant(f"{self.at.outputs[0]}/{kind}", array)
