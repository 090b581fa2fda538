"""Where the inputs of a network go: the nodes that take them, behind all that passes values on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.flow import PASSING
from allotrope.network.used import every_node

MOST = 2000
"""Values that are followed for one input; what lies behind them is not looked at."""


@dataclass(frozen=True)
class Use:
    """A node that takes at `position` what was an input: the input times `factor` plus `offset`.

    `cast` is the kind of number that it has become on the way, as NumPy's letter.
    """

    node: Node
    position: int
    factor: float = 1.0
    offset: float = 0.0
    cast: str = ""

    @property
    def operator(self) -> str:
        """The node's operator."""
        return self.node.operator


class Uses:
    """What is known of a network's values: who takes them, their constants and their shapes."""

    def __init__(self, network: Network, lengths: Mapping[str, int]) -> None:
        """`lengths` are of the free dimensions by name."""
        self.network, self.lengths = network, lengths
        self.consumers: dict[str, list[tuple[Node, int]]] = defaultdict(list)
        for node in every_node(network.graph):
            for position, name in enumerate(node.inputs):
                self.consumers[name].append((node, position))

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node that makes a value."""
        return {name: node for node in every_node(self.network.graph) for name in node.outputs}

    @cached_property
    def constants(self) -> dict[str, np.ndarray]:
        """Constants and weights by name, those of subgraphs too."""
        inner = [graph.constants for graph in _graphs(self.network.graph)]
        return {n: a for arrays in (*inner, self.network.weights) for n, a in arrays.items()}

    @cached_property
    def _values(self) -> dict[str, Value]:
        known = {
            name: v for graph in _graphs(self.network.graph) for name, v in graph.values.items()
        }
        return known | {value.name: value for value in self.network.inputs}

    def shape(self, name: str) -> tuple[int | None, ...]:
        """The lengths of a value's axes, None for an unknown one; empty for an unknown rank."""
        if name in self.constants:
            return self.constants[name].shape
        value = self._values.get(name)
        if value is not None:
            return tuple(map(self._length, value.shape or ()))
        return ()

    def _length(self, dimension: Dimension) -> int | None:
        if isinstance(dimension, int):
            return dimension
        return self.lengths.get(dimension or "")

    def number(self, name: str) -> float | None:
        """The value of a constant of one element."""
        array = self.constants.get(name)
        if array is None or array.size != 1 or array.dtype.kind not in "biuf":
            return None
        return float(array.reshape(()))

    def of(self, name: str) -> list[Use]:
        """Every use of an input, those behind casts, shapes and sums with a number among them."""
        uses: list[Use] = []
        open_, visited = [(name, Use(Node("", (), ()), 0))], {name}
        while open_ and len(visited) < MOST:
            value, arrived = open_.pop(0)
            for node, position in self.consumers.get(value, ()):
                use = replace(arrived, node=node, position=position)
                uses.append(use)
                fresh = [(y, x) for y, x in self._passed(use) if y and y not in visited]
                visited |= {y for y, _ in fresh}
                open_ += fresh
        return uses

    def _passed(self, use: Use) -> Iterator[tuple[str, Use]]:
        """The values behind a node that are still the input, and how it arrives there."""
        node, operator = use.node, use.operator
        if operator == "Cast":
            kind = "b" if node.attributes.get("to") == 9 else use.cast  # 9: ONNX's BOOL
            yield node.outputs[0], replace(use, cast=kind)
        elif _passes(operator, use.position):
            yield from ((output, use) for output in node.outputs)
        elif operator in ("Add", "Sub", "Mul"):
            yield from self._moved(use)
        elif operator in ("Loop", "Scan"):
            yield from ((inner, use) for inner in _inside(node, use.position))

    def _moved(self, use: Use) -> Iterator[tuple[str, Use]]:
        """Behind a sum or product with a constant number."""
        node = use.node
        number = self.number(node.inputs[1 - use.position])
        if number is None:
            return
        factor, offset = use.factor, use.offset
        if use.operator == "Mul":
            factor, offset = factor * number, offset * number
        elif use.operator == "Add":
            offset += number
        else:
            sign = -1
            if use.position == 0:
                sign = 1
            factor, offset = sign * factor, sign * (offset - number)
        yield node.outputs[0], replace(use, factor=factor, offset=offset)


def _passes(operator: str, position: int) -> bool:
    """Whether an operator passes on what it takes there, in another form or beside others."""
    if operator in PASSING or operator in ("Gather", "GatherND", "Pad"):
        return position == 0
    return operator == "Concat" or (operator == "Where" and position > 0)


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes:
        for inner in node.subgraphs:
            yield from _graphs(inner)


def _inside(node: Node, position: int) -> Iterator[str]:
    """The names under which a Loop or Scan hands an input to its body."""
    for body in node.subgraphs:
        names = [value.name for value in body.inputs]
        if position < len(
            names
        ):  # Loop: count, condition, states; its body: iteration, condition, states
            yield names[position]
