"""Places for words end with the longest text of those that are asked together.

How many there are is computed, so that this is for files that answer: JAX compiles for lengths that
are known beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter

INT64 = 7
"""ONNX's number of the type."""


def with_filled_places(network: Network, words: str) -> Network:
    """The network whose buckets `words` [n, w], 0 behind the last word, have no empty columns."""
    graph = Rewriter(network.graph, network.weights)
    maker = graph.maker(words)
    if maker is None or words in graph.outputs:
        return network
    every = graph.fresh(f"{words}.every")
    cutting = _Cutting(graph, words)
    graph.forget(words)
    cutting.cut(every)
    made = replace(maker, outputs=(every,), name=every)
    graph.replace([words], [made, *cutting.nodes])
    return graph.applied_to(network)


class _Cutting:
    """The nodes that cut a matrix behind its last column with anything in it."""

    def __init__(self, graph: Rewriter, words: str) -> None:
        self.graph, self.words = graph, words
        self.nodes: list[Node] = []

    def cut(self, every: str) -> None:
        """What is called `words`, of `every` place."""
        first, one = self._array(0), self._array(1)
        largest = self._add("ReduceMax", [every, first], keepdims=0)
        # A word may have bucket 0 too: columns count up to the last that is not 0 in all rows.
        behind = self._add("CumSum", [self._flags(largest), self._axis()], reverse=1)
        count = self._add("ReduceSum", [self._flags(behind), first], keepdims=1)
        end = self._add("Cast", [count], to=INT64)
        # A network without a single place would have nothing to take the maximum of.
        some = self._add("Max", [end, one])
        taken = (every, first, some, one)
        self.nodes.append(Node("Slice", taken, (self.words,), {}, self.words))

    def _flags(self, counts: str) -> str:
        """1 for whatever is not 0."""
        one = self.graph.constant(f"{self.words}.flag", np.array(1, np.int32))
        return self._add("Min", [counts, one])

    def _axis(self) -> str:
        return self.graph.constant(f"{self.words}.axis", np.array(0, np.int64))

    def _array(self, value: int) -> str:
        return self.graph.constant(f"{self.words}.place", np.array([value], np.int64))

    def _add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = self.graph.fresh(f"{self.words}.{operator.lower()}")
        self.nodes.append(Node(operator, tuple(inputs), (name,), attributes, name))
        return name
