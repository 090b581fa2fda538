"""A network's graph as lines of source, operator by operator: what every target has in common.

A target has a table of rules, one for each operator. A rule sees a `Site`, one node in its place,
and gives the expression that computes the node's output. What has no rule, or none for its case, is
a call of its own meaning where `spells` (see `spelled`). What is known before the network runs
(constants, shape arithmetic) never becomes a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.conversion.core.beforehand import (
    check_inputs,
    last_uses,
    prepared,
    refused,
    values_of,
)
from allotrope.conversion.core.bodies import typed
from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.lengths import Length, computed, is_symbolic, refined, shape_array
from allotrope.conversion.core.source import Expression, call, flat
from allotrope.conversion.core.spelled import (
    Spelled,
    count_of_outputs,
    may_be_host,
    numpy_array,
    spelled_out,
)
from allotrope.conversion.core.statement import Rule, Several, Statement
from allotrope.conversion.core.variables import Variables
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.network.network import Network
from allotrope.operators.operator_table import OPERATORS, qualified


class Translation:
    """The statements that compute a network, and the layers that they use.

    `inputs` and `outputs` are the variables that hold what the network takes and gives.
    """

    def __init__(
        self,
        network: Network,
        rules: Mapping[str, Rule],
        layers: Any,
        site: type[Any],
        reserved: frozenset[str],
        *,
        spells: bool = False,
        inside: Translation | None = None,
        graph: Graph | None = None,
        hosted: Sequence[bool] = (),
    ) -> None:
        """`reserved` are names that the source has for something else.

        A subgraph is a `graph` that lies `inside` of another translation; `hosted` says which of
        its inputs may be NumPy arrays. Raises: UnsupportedError that lists every node without a
        form.
        """
        self.network, self.rules, self.layers = network, rules, layers
        self._site, self._reserved = site, reserved
        self.spells, self.inside = spells, inside
        self.graph: Graph = graph or prepared(network, rules, spells)
        self.spelled = Spelled()
        self.known: dict[str, np.ndarray] = {}
        self.values: dict[str, Value] = {}
        self.last: set[str] = set()
        """Values [n, c, *spatial] that their variables hold as [n, *spatial, c], in targets that
        want it."""
        self._hosts: set[str] = set()
        self._lengths: dict[str, Length] = {}
        if inside is not None:
            self._see(inside)
        self.known |= self.graph.constants
        self.values |= values_of(self.graph, network)
        around = None
        if inside is not None:
            around = inside.variables
        uses = last_uses(self.graph)
        if site.keeps_inputs:
            uses |= {value.name: len(self.graph.nodes) for value in self.graph.inputs}
        self.variables: Variables = Variables(reserved, uses, around)
        self._hosts |= {
            value.name for value, is_host in zip(self.graph.inputs, hosted, strict=False) if is_host
        }
        self._statements: list[Statement] = []
        self._names: dict[str, str] = {}
        self.inputs = tuple(self.variables.hold_input(value.name) for value in self.graph.inputs)
        self.outputs: tuple[str, ...] = ()
        if inside is None:
            self._name_outputs()
        self._translate()
        if inside is None:
            self.outputs = tuple(self._output(value.name) for value in self.graph.outputs)

    def _see(self, inside: Translation) -> None:
        """What a subgraph sees of the graph around it: all that is known there, and its values."""
        self.spelled = inside.spelled
        self.known, self.values = dict(inside.known), dict(inside.values)
        self.last, self._hosts = set(inside.last), set(inside._hosts)
        self._lengths = dict(inside._lengths)

    def _name_outputs(self) -> None:
        """Outputs are held by variables of their own names, unless no node makes them."""
        made = {name for node in self.graph.nodes for name in node.outputs}
        for value in self.graph.outputs:
            if value.name in made:
                self._names[value.name] = self.variables.own(value.name)

    def _output(self, name: str) -> str:
        known = name not in self.variables and name not in self.network.weights
        if self.spells and (self.may_be_host(name) or known):
            return self._as_array(name)
        if known and is_symbolic(self.known[name]):
            raise UnsupportedError(
                f"output '{name}' is of lengths that are known only when it runs. "
                "Nothing was written."
            )
        if known:
            source = self.layers.buffer(name, self.known[name])
        else:
            source = self.source_of(name)
        if name not in self.last:
            return str(source)
        self._statements.append(Statement((self._names[name],), self.in_first_order(name)))
        return self._names[name]

    def in_first_order(self, name: str) -> Expression:
        """A value in ONNX's order of axes, however it is held."""
        source: Expression = self.source_of(name)
        if name not in self.last:
            return source
        rank = len(self.values[name].shape or ())
        if not rank:
            return source
        return self._site.in_first_order(source, rank)

    def _as_array(self, name: str) -> str:
        """A variable for an output that may be NumPy's, made the framework's."""
        source: Expression
        if name in self.variables:
            source = self.source_of(name)
        else:
            source = numpy_array(self.known[name])
        variable = self._names.get(name) or self.variables.own(name)
        self.spelled.arrays = True
        self._statements.append(Statement((variable,), call("operators.array", source)))
        return variable

    def _translate(self) -> None:
        problems = []
        for index, node in enumerate(self.graph.nodes):
            try:
                self._translate_node(self._site(self, node, index))
            except (NoForm, AllotropeError) as problem:
                problems.append(f"{node}: {str(problem).rstrip('.')}")
                # So that the nodes after it can be looked at too.
                for name in filter(None, node.outputs):
                    self.variables.hold(name, "x")
        if problems:
            raise refused(problems, self.layers.target)

    def _translate_node(self, site: Any) -> None:
        node = site.node
        if node.operator in ("Shape", "Size") and not node.domain and self._measure(site):
            return
        if all(name in self.known for name in node.inputs if name):
            # What is left out has the name "", under which nothing is known.
            results = computed(node, [self.known.get(name) for name in node.inputs])
            if results is not None:
                self.known.update(zip(filter(None, node.outputs), results, strict=True))
                return
        # What the lines know may be more than shape inference, which stops at a computed shape.
        self.values |= refined(node, self.known, self.values)
        if not self.spells:
            self._by_rule(site)
            return
        # A rule may have written lines before it finds that it has no form: these are taken back.
        mark = self._mark()
        # A rule relies on arrays of the framework; all else is called by its meaning.
        if self._suits_rule(node):
            try:
                self._by_rule(site)
            except NoForm:
                self._rewind(mark)
            else:
                return
        self._spell(site)

    def _by_rule(self, site: Any) -> None:
        """The lines of the node's rule. Raises: NoForm."""
        node = site.node
        rule = self.rules.get(node.operator)
        if rule is None or node.domain:
            raise NoForm("there is no rule for this operator")
        check_inputs(node, self.known, self.values, self._site.foreign)
        result = rule(site)
        if isinstance(result, Several):
            self._assign(node.outputs[: result.count], result.value, site.index)
        else:
            self._assign_each(node, result, site.index)
        if any(name and name not in self.variables for name in node.outputs):
            others = ", ".join(filter(None, node.outputs[1:]))
            raise NoForm(f"only its first output has one, and {others} is used too")

    def _assign_each(self, node: Node, result: Expression | list[Expression], index: int) -> None:
        """A line for each output; only after the last of them are the node's inputs done with."""
        if not isinstance(result, list):
            result = [result]
        *first, last = zip(node.outputs, result, strict=False)
        for name, expression in first:
            self._assign((name,), expression, None)
        self._assign(last[:1], last[1], index)

    def _suits_rule(self, node: Node) -> bool:
        """Whether a rule sees what it relies on: arrays of the framework, of known dtypes."""
        names = [name for name in node.inputs if name and name not in self.known]
        values = [self.values.get(name) for name in names]
        typed = all(value is not None and value.dtype != UNKNOWN for value in values)
        return typed and not any(map(self.may_be_host, names)) and not any(node.subgraphs)

    def _spell(self, site: Any) -> None:
        """A call of the node's meaning; none of Identity, which is what it takes."""
        first = next(iter(site.node.inputs), "")
        if site.node.operator == "Identity" and first in self.variables:
            if self.may_be_host(first):
                self._hosts.add(site.node.outputs[0])
            self._assign(site.node.outputs[:1], self.variables[first], site.index)
            return
        expression, bodies = spelled_out(site)
        outputs = site.node.outputs[: count_of_outputs(site.node)]
        for name, is_host in zip(outputs, may_be_host(site.node, self, bodies), strict=False):
            if name and is_host:
                self._hosts.add(name)
        self._assign(outputs, expression, site.index)

    def note_spelled(self, node: Node, bodies: Sequence[Translation]) -> None:
        """Remember an operator that is called by its meaning."""
        key = qualified(node.domain, node.operator)
        entry = OPERATORS[key]
        arrays = [i for i, name in enumerate(node.inputs) if name and not self.may_be_host(name)]
        self.spelled.operators.add(key)
        if not arrays:
            self.spelled.hosted.add(key)
        self.spelled.steered |= any(entry.on_host(i) for i in arrays) or (
            node.operator == "Loop" and 1 in arrays
        )

    def may_be_host(self, name: str) -> bool:
        """Whether a value may be a NumPy array when the model runs."""
        return name in self._hosts or (name in self.known and name not in self.variables)

    def hosted_outputs(self) -> list[bool]:
        """The same for each output."""
        return [self.may_be_host(value.name) for value in self.graph.outputs]

    def body(self, node: Node, graph: Graph, hosted: Sequence[bool]) -> Translation:
        """A node's subgraph, translated as a function that sees the variables of this one."""
        # Lengths have no value yet that shape inference could use.
        constants = {name: array for name, array in self.known.items() if not is_symbolic(array)}
        graph = typed(graph, node, self.values, {**constants, **self.network.weights})
        parts = (self.network, self.rules, self.layers, self._site, self._reserved)
        return Translation(*parts, spells=True, inside=self, graph=graph, hosted=hosted)

    def define(self, name: str, body: Translation, result: Expression) -> None:
        """The lines of a function in front of the line that comes next."""
        lines = tuple(body.statements(flat(result)))
        self._statements.append(Statement((name,), result, parameters=body.inputs, body=lines))

    def _mark(self) -> tuple[Any, ...]:
        return (
            self.layers.mark(),
            self.variables.mark(),
            len(self._statements),
            set(self.last),
            dict(self._lengths),
        )

    def _rewind(self, mark: tuple[Any, ...]) -> None:
        layers, variables, count, self.last, self._lengths = mark
        self.layers.rewind(layers)
        self.variables.rewind(variables)
        del self._statements[count:]

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
        """The length of an input's axis: a number, or the variable of a line that computes it."""
        length = (site.shape(position) or ())[axis]
        if isinstance(length, int):
            return length
        # The first time that a free length is asked for, a line computes it.
        if length not in self._lengths or length is None:
            if length:
                name = Length(self.variables.own(length))
            else:
                name = Length(self.variables.numbered("length"))
            self._statements.append(Statement((name,), site.length(position, axis), is_length=True))
            self._lengths[length or name] = self._lengths[str(name)] = name
            return name
        return self._lengths[length]

    def _assign(self, values: tuple[str, ...], expression: Expression, index: int | None) -> None:
        """A line that computes these values.

        None where the expression is a variable already, or nobody needs it.

        `index` is that of a node which is done with it, so that the variables of its inputs can be
        used again.
        """
        if not any(values):
            return
        if (
            isinstance(expression, str)
            and (values[0] not in self._names or values[0] in self.last)
            and self.variables.holds(expression)
        ):
            self.variables.hold(values[0], expression)
        else:
            if index is not None:
                self.variables.release(index)
            targets = tuple(map(self._target, values))
            self._statements.append(Statement(targets, expression))
        if index is not None:
            self.variables.release(index)

    def _target(self, value: str) -> str:
        """The variable that a line sets for a value, which holds it from now on."""
        if not value:
            return "_"
        variable = None
        if value not in self.last:
            variable = self._names.get(value)
        variable = variable or self.variables.free()
        self.variables.hold(value, variable)
        return variable

    def temporaries(self, expression: Expression, index: int, pattern: str = "{}") -> list[str]:
        """A line of its own for a part of what a rule gives.

        Its variables, set as in the pattern, live until the node is done.
        """
        names = [f"\0{len(self._statements)} {number}" for number in range(pattern.count("{}"))]
        variables = [self.variables.hold_until(name, index) for name in names]
        self._statements.append(Statement((pattern.format(*variables),), expression))
        return variables

    def statements(self, result: str = "") -> list[Statement]:
        """The lines in order, without lengths that nothing uses, nor the `result`."""
        texts = [*(statement.text for statement in self._statements), result]
        words = set(re.findall(r"\w+", " ".join(texts)))
        return [
            statement
            for statement in self._statements
            if not statement.is_length or statement.targets[0] in words
        ]

    def source_of(self, name: str) -> str:
        """The variable, weight or constant of that name."""
        if name in self.variables:
            return self.variables[name]
        if name in self.network.weights:
            return str(
                self.layers.parameter(
                    name, self.network.weights[name], trainable=name in self.network.trainable
                )
            )
        array = self.known[name]
        if not is_symbolic(array):
            return str(self.layers.constant(name, array))
        if array.size != 1:
            raise NoForm("lengths that are known only when it runs are used as values here")
        length = str(array.reshape(-1)[0])
        if length.isidentifier():
            return length
        return f"({length})"
