"""A network's graph as lines of source, one operator after the other: what every target has in common.

A target has a table of rules, one for each operator. A rule sees a `Site`, one node in its place, and gives the expression that
computes the node's output. What is known before the network runs (constants, shape arithmetic) never becomes a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.conversion.layers import NoForm
from allotrope.conversion.lengths import Length, computed, is_symbolic, shape_array
from allotrope.conversion.simplify import simplified
from allotrope.conversion.source import Expression, flat
from allotrope.conversion.variables import Variables
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.network.expand import expanded
from allotrope.network.graph import Graph, Value
from allotrope.network.network import Network


@dataclass(frozen=True)
class Several:
    """An expression that gives the first `count` outputs of its node at once."""

    value: Expression
    count: int


@dataclass(frozen=True)
class Statement:
    """`targets = value`, for each block of the list `over` where one is named; that of a length only stays where something uses it."""

    targets: tuple[str, ...]
    value: Expression
    is_length: bool = False
    over: str = ""


Rule = Callable[[Any], "Expression | list[Expression] | Several"]
"""What computes the first output of a site's node, or its outputs one by one, or several at once."""


class Translation:
    """The statements that compute a network, and the layers that they use.

    `inputs` and `outputs` are the variables that hold what the network takes and gives.
    """

    def __init__(self, network: Network, rules: Mapping[str, Rule], layers: Any, site: type[Any], reserved: frozenset[str]) -> None:
        """`reserved` are names that the source has for something else. Raises: UnsupportedError that lists every node without a form."""
        self.network, self.rules, self.layers, self._site = network, rules, layers, site
        self.graph: Graph = simplified(expanded(network, rules.keys()).graph, network)
        self.known: dict[str, np.ndarray] = dict(self.graph.constants)
        self.values = _values(self.graph, network)
        kept = {value.name: len(self.graph.nodes) for value in self.graph.inputs} if site.keeps_inputs else {}
        self.variables = Variables(reserved, {**_last_uses(self.graph), **kept})
        self.last: set[str] = set()
        """Values [n, c, *spatial] that their variables hold as [n, *spatial, c], in targets that want it."""
        self._statements: list[Statement] = []
        self._lengths: dict[str, Length] = {}
        self._names: dict[str, str] = {}
        self.inputs = tuple(self.variables.hold_input(value.name) for value in self.graph.inputs)
        made = {name for node in self.graph.nodes for name in node.outputs}
        self._names = {value.name: self.variables.own(value.name) for value in self.graph.outputs if value.name in made}
        self._translate()
        self.outputs = tuple(self._output(value.name) for value in self.graph.outputs)

    def _output(self, name: str) -> str:
        known = name not in self.variables and name not in self.network.weights and not is_symbolic(self.known[name])
        source = self.layers.buffer(name, self.known[name]) if known else self.source_of(name)
        if name not in self.last:
            return source
        self._statements.append(Statement((self._names[name],), self._site.in_first_order(source, len(self.values[name].shape or ()))))
        return self._names[name]

    def _translate(self) -> None:
        problems = []
        for index, node in enumerate(self.graph.nodes):
            try:
                self._translate_node(self._site(self, node, index))
            except (NoForm, AllotropeError) as problem:
                problems.append(f"{node.operator} (node '{node.name or node.outputs[0]}'): {str(problem).rstrip('.')}")
                for name in filter(None, node.outputs):
                    self.variables.hold(name, "x")  # so that the nodes after it can be looked at too
        if problems:
            count = f"{len(problems)} nodes have" if len(problems) > 1 else "1 node has"
            shown = "; ".join(problems[:50])
            raise UnsupportedError(f"{count} no ordinary form in {self.layers.target}: {shown}. Nothing was written.")

    def _translate_node(self, site: Any) -> None:
        node = site.node
        if node.operator in ("Shape", "Size") and self._measure(site):
            return
        inputs = [self.known.get(name) if name else None for name in node.inputs]
        if all(array is not None or not name for array, name in zip(inputs, node.inputs, strict=True)):
            found = computed(node, inputs)
            if found is not None:
                self.known.update(zip(filter(None, node.outputs), found, strict=True))
                return
        rule = self.rules.get(node.operator) if not node.domain else None
        if rule is None:
            raise NoForm("there is no rule for this operator")
        result = rule(site)
        if isinstance(result, Several):
            self._assign(node.outputs[: result.count], result.value, site.index)
        else:
            *first, last = zip(node.outputs, result if isinstance(result, list) else [result], strict=False)
            for name, expression in first:
                self._assign((name,), expression, None)
            self._assign(last[:1], last[1], site.index)
        if any(name and name not in self.variables for name in node.outputs):
            raise NoForm(f"only its first output has one, and {', '.join(filter(None, node.outputs[1:]))} is used too")

    def _measure(self, site: Any) -> bool:
        """Shape and Size: lengths that are known, or that a line computes."""
        node, shape = site.node, site.shape(0)
        if shape is None:
            return False
        start, end = node.attributes.get("start", 0), node.attributes.get("end")
        lengths = [self.length(site, 0, axis) for axis in range(len(shape))[slice(start, end)]]
        if node.operator == "Size":
            product: Any = 1
            for length in lengths:
                product = length * product
            self.known[node.outputs[0]] = shape_array([product]).reshape(())
        else:
            self.known[node.outputs[0]] = shape_array(lengths)
        return True

    def length(self, site: Any, position: int, axis: int) -> int | Length:
        """The length of an input's axis: a number, or the variable that a line of its own computes."""
        length = (site.shape(position) or ())[axis]
        if isinstance(length, int):
            return length
        if length not in self._lengths or length is None:
            name = Length(self.variables.own(length or "length"))
            self._statements.append(Statement((name,), site.length(position, axis), is_length=True))
            self._lengths[length or name] = name
            return name
        return self._lengths[length]

    def _assign(self, values: tuple[str, ...], expression: Expression, index: int | None) -> None:
        """A line that computes these values; none where the expression is a variable already, or nobody needs it.

        `index` is that of a node which is done with it, so that the variables of its inputs can be used again.
        """
        if not any(values):
            return
        if isinstance(expression, str) and (values[0] not in self._names or values[0] in self.last) and self.variables.holds(expression):
            self.variables.hold(values[0], expression)
        else:
            if index is not None:
                self.variables.release(index)
            targets = []
            for value in values:
                named = self._names.get(value) if value not in self.last else None
                targets.append((named or self.variables.free()) if value else "_")
                if value:
                    self.variables.hold(value, targets[-1])
            self._statements.append(Statement(tuple(targets), expression))
        if index is not None:
            self.variables.release(index)

    def temporaries(self, expression: Expression, index: int, pattern: str = "{}") -> list[str]:
        """A line of its own for a part of what a rule gives; its variables, set as in the pattern, live until the node is done."""
        names = [f"\0{len(self._statements)} {number}" for number in range(pattern.count("{}"))]
        variables = [self.variables.hold_until(name, index) for name in names]
        self._statements.append(Statement((pattern.format(*variables),), expression))
        return variables

    def statements(self) -> list[Statement]:
        """The lines in order, without lengths that nothing uses."""
        words = set(re.findall(r"\w+", " ".join(flat(statement.value) for statement in self._statements)))
        return [statement for statement in self._statements if not statement.is_length or statement.targets[0] in words]

    def source_of(self, name: str) -> str:
        """The variable, weight or constant of that name."""
        if name in self.variables:
            return self.variables[name]
        if name in self.network.weights:
            return self.layers.parameter(name, self.network.weights[name], trainable=name in self.network.trainable)
        array = self.known[name]
        if not is_symbolic(array):
            return self.layers.constant(name, array)
        if array.size != 1:
            raise NoForm("lengths that are known only when it runs are used as values here")
        length = str(array.reshape(-1)[0])
        return length if length.isidentifier() else f"({length})"


def _values(graph: Graph, network: Network) -> dict[str, Value]:
    arrays = {name: Value(name, array.dtype, array.shape) for name, array in {**graph.constants, **network.weights}.items()}
    return {**arrays, **graph.values, **{value.name: value for value in (*graph.inputs, *graph.outputs)}}


def _last_uses(graph: Graph) -> dict[str, int]:
    last = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    return {**last, **{value.name: len(graph.nodes) for value in graph.outputs}}
