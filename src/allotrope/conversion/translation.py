"""A network's graph as lines of source, one operator after the other: what every target has in common.

A target has a table of rules, one for each operator. A rule sees a `Site`, one node in its place, and gives the expression that
computes the node's output. What is known before the network runs (constants, shape arithmetic) never becomes a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from allotrope.conversion.layers import NoForm
from allotrope.conversion.lengths import Length, computed, is_symbolic, shape_array
from allotrope.conversion.simplify import simplified
from allotrope.conversion.source import Expression, flat
from allotrope.conversion.variables import Variables
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.network.expand import expanded
from allotrope.network.graph import Graph, Node, Value
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


class Site:
    """One node in its place, as its rule sees it. A target adds what its own rules ask for.

    `keeps_inputs`: the variables of the inputs are needed to the end.
    """

    keeps_inputs: ClassVar[bool] = False

    def __init__(self, translation: Translation, node: Node, index: int) -> None:
        self.translation, self.node, self.index = translation, node, index

    @property
    def layers(self) -> Any:
        """The layers of the model."""
        return self.translation.layers

    def __len__(self) -> int:
        return len(self.node.inputs)

    def has(self, position: int) -> bool:
        """Whether this input is given."""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def wants(self, position: int) -> bool:
        """Whether something uses this output, or may."""
        return position < len(self.node.outputs) and self.node.outputs[position] != ""

    def input(self, position: int = 0) -> str:
        """The source of an input."""
        return self.translation.source_of(self.node.inputs[position])

    def tensor(self, position: int = 0) -> str:
        """An input as an array, where a number would not do."""
        name, known = self.node.inputs[position], self.known(position)
        if known is None:
            return self.input(position)
        if known.dtype == object:
            raise self.no("lengths that are known only when it runs are used as values here")
        return str(self.layers.buffer(name, known))

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default where it is not given."""
        return self.node.attributes.get(name, default)

    def known(self, position: int) -> np.ndarray | None:
        """An input that is known before the network runs, as a constant is; lengths may be among its elements."""
        return self.translation.known.get(self.node.inputs[position]) if self.has(position) else None

    def array(self, position: int) -> np.ndarray | None:
        """An input that is a weight or a constant."""
        if not self.has(position):
            return None
        name = self.node.inputs[position]
        weight = self.translation.network.weights.get(name)
        found = self.translation.known.get(name) if weight is None else weight
        return None if found is None or is_symbolic(found) else found

    def value(self, position: int = 0) -> Value | None:
        """What shape inference found for an input."""
        found = self.known(position)
        name = self.node.inputs[position]
        return Value(name, found.dtype, found.shape) if found is not None else self.translation.values.get(name)

    def shape(self, position: int = 0) -> tuple[Any, ...] | None:
        """The shape of an input: numbers, names of free lengths, None."""
        found = self.value(position)
        return None if found is None else found.shape

    def rank(self, position: int = 0) -> int:
        """How many axes an input has. Raises: NoForm where that is not known."""
        shape = self.shape(position)
        if shape is None:
            raise NoForm(f"it is not known how many axes '{self.node.inputs[position]}' has")
        return len(shape)

    def is_float(self, position: int = 0) -> bool:
        """Whether an input is of floats."""
        found = self.value(position)
        return found is None or found.dtype.kind not in "biu"

    def output_shape(self) -> tuple[Any, ...] | None:
        """The shape of the first output."""
        found = self.translation.values.get(self.node.outputs[0])
        return None if found is None else found.shape

    def temporary(self, expression: Expression) -> str:
        """A line of its own for a part of the result."""
        return self.temporaries(expression, "{}")[0]

    def temporaries(self, expression: Expression, pattern: str) -> list[str]:
        """The same for an expression that gives several values, set as in the pattern."""
        return self.translation.temporaries(expression, self.index, pattern)

    def length(self, position: int, axis: int) -> str:
        """The source that computes the length of an input's axis."""
        return f"{self.input(position)}.shape[{axis}]"

    def lengths(self, position: int) -> list[int | str]:
        """An input that says a shape: numbers, and the source of those that are known only when it runs."""
        known = self.known(position)
        if known is None:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        return [length if isinstance(length, str) else int(length) for length in known.reshape(-1)]

    def integers(self, position: int) -> list[int] | None:
        """An input of whole numbers; None where it is left out. Raises: NoForm where it is not known."""
        if not self.has(position):
            return None
        found = self.lengths(position)
        if any(isinstance(length, str) for length in found):
            raise self.no(f"its input '{self.node.inputs[position]}' is known only when it runs")
        return [int(length) for length in found]

    def number(self, position: int) -> float | int | None:
        """An input of one number; None where it is left out."""
        if not self.has(position):
            return None
        known = self.known(position)
        if known is None or known.size != 1 or known.dtype == object:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        found: float | int = known.reshape(-1)[0].item()
        return found

    def axis(self, axis: int, position: int = 0) -> int:
        """An axis counted from the front, where the rank is known."""
        return axis % self.rank(position) if axis < 0 and self.shape(position) is not None else axis

    def name(self) -> str:
        """What a layer of this node is called where no weight says it."""
        return self.node.name or self.node.outputs[0] or self.node.operator

    def weight(self, position: int) -> np.ndarray | None:
        """An input that is an array which no other layer holds yet; None where it is left out, computed, or shared."""
        array = self.array(position)
        return array if array is not None and self.layers.are_free([self.node.inputs[position]]) else None

    def named(self, position: int, array: np.ndarray) -> tuple[str, np.ndarray]:
        """An input's name in the network, with the form in which a layer holds it."""
        return self.node.inputs[position], array

    def spatial(self) -> int:
        """How many spatial axes the first input has."""
        return self.rank(0) - 2

    def no(self, reason: str) -> NoForm:
        """The error that says why the node has no form here."""
        return NoForm(reason)
