"""Operators without an idiom: a call of their own function in the written `operators.py`.

Their subgraphs become functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from allotrope.conversion.core.entries import entries
from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.lengths import is_symbolic
from allotrope.conversion.core.source import (
    Expression,
    Group,
    call,
    identifier,
    literal,
    printable,
    quoted,
)
from allotrope.network.graph import Graph, Node
from allotrope.operators.operator_table import OPERATORS, Operator, qualified

if TYPE_CHECKING:
    from allotrope.conversion.core.translation import Translation

MOST = 4096
"""Elements of a NumPy array that is written out; a larger one is a constant of the model."""
WRITTEN = "biufcO"
"""Kinds of dtype that NumPy has itself, and lengths."""


@dataclass
class Spelled:
    """The operators that are called by their meaning.

    `hosted` are those among them that NumPy may compute, `steered` says that values steer one, and
    `arrays` says that values of NumPy's become arrays.
    """

    operators: set[str] = field(default_factory=set)
    hosted: set[str] = field(default_factory=set)
    steered: bool = False
    arrays: bool = False


def entry_of(node: Node) -> Operator:
    """The operator's entry in the table. Raises: NoForm where it has none."""
    entry = OPERATORS.get(qualified(node.domain, node.operator))
    if entry is None:
        raise NoForm("there is no meaning of this operator")
    return entry


def may_be_host(node: Node, translation: Translation, bodies: Sequence[Translation]) -> list[bool]:
    """For each output whether it may be a NumPy array when the model runs."""
    entry, known = entry_of(node), [translation.may_be_host(name) for name in node.inputs if name]
    if node.operator == "If":
        return [
            any(column) for column in zip(*(body.hosted_outputs() for body in bodies), strict=True)
        ]
    if node.operator == "Loop":
        # A state is an array as soon as it begins as one or the body makes it one.
        first = [translation.may_be_host(name) for name in node.inputs[2:]]
        results = bodies[0].hosted_outputs()[1:]
        return [a or b for a, b in zip(first, results, strict=False)] + results[len(first) :]
    if node.operator == "Scan":
        return [False] * len(node.outputs)
    gives_host = entry.all_host or entry.function.__annotations__.get("return") == "np.ndarray"
    return [gives_host or all(known)] * len(node.outputs)


def spelled_out(site: Any) -> tuple[Expression, list[Translation]]:
    """The call of a node's operator, and the subgraphs that were written for it."""
    if site.node.operator == "MatMul" and site.has(2):
        return _with_bias(site), []
    node, entry, translation = site.node, entry_of(site.node), site.translation
    inputs = [_argument(site, position) for position in range(_count(node))]
    bodies: list[Translation] = []
    attributes: dict[str, Expression] = {}
    for name, value in sorted(node.attributes.items()):
        if name not in entry.attributes:
            raise NoForm(f"it has an attribute that {node.operator} does not define: {name}")
        if isinstance(value, Graph):
            attributes[entry.attributes[name]] = _body(site, name, value, bodies)
        else:
            attributes[entry.attributes[name]] = _written(value)
    outputs: int | None = count_of_outputs(node)
    if outputs == 1:
        outputs = None
    translation.note_spelled(node, bodies)
    function = f"operators.{entries()[qualified(node.domain, node.operator)].name}"
    return call(function, *inputs, outputs=outputs, **attributes), bodies


def _with_bias(site: Any) -> Expression:
    """MatMul and the bias that `simplified` joined to it, as the two operators that they are."""
    node = site.node
    product = replace(node, inputs=node.inputs[:2])
    total = Node("Add", (node.outputs[0], node.inputs[2]), node.outputs)
    for one in (product, total):
        site.translation.note_spelled(one, [])
    multiplied = call("operators.matmul", _argument(site, 0), _argument(site, 1))
    return call("operators.add", multiplied, _argument(site, 2))


def count_of_outputs(node: Node) -> int:
    """How many outputs are asked for: to the last that is used.

    All of Split's, for they say into how many pieces it goes.
    """
    if node.operator == "Split":
        return len(node.outputs)
    return max(i + 1 for i, name in enumerate(node.outputs) if name)


def _count(node: Node) -> int:
    """How many inputs there are without those that are left out at the end."""
    return max((i + 1 for i, name in enumerate(node.inputs) if name), default=0)


def _argument(site: Any, position: int) -> Expression:
    if not site.has(position):
        return "None"
    array = site.known(position)
    if array is None:
        return str(site.first(position))
    if array.size <= MOST and array.dtype.kind in WRITTEN:
        return numpy_array(array)
    return str(site.tensor(position))


def numpy_array(array: np.ndarray) -> Expression:
    """A NumPy array as it is written, which may have lengths among its elements.

    Raises: NoForm for dtypes that NumPy has not itself.
    """
    if is_symbolic(array):
        return call("np.array", _nested(array), "np.int64")
    if array.dtype.kind not in WRITTEN:
        raise NoForm(f"it takes a constant of {array.dtype}, which is not written out")
    if not array.size and array.ndim != 1:
        return f"np.empty({literal(array.shape)}, np.{array.dtype.name})"
    # These NumPy makes of plain numbers by itself, unless there are none.
    if array.dtype in (np.int64, np.float64, np.bool_) and array.size > 0:
        return call("np.array", _listed(array))
    return call("np.array", _listed(array), f"np.{array.dtype.name}")


def _listed(array: np.ndarray) -> str:
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    return literal(array.tolist())


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return str(array.item())
    return f"[{', '.join(_nested(np.asarray(part, object)) for part in array)}]"


def _written(value: Any) -> Expression:
    """An attribute's value."""
    if isinstance(value, np.ndarray):
        return numpy_array(value)
    if isinstance(value, str):
        if printable(value) != value or '"' in value:
            raise NoForm("it has an attribute that is no plain text")
        return quoted(value)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(str(_written(one)) for one in value)
        if len(value) == 1:
            return f"({inner},)"
        return f"({inner})"
    return literal(value)


def _body(site: Any, name: str, graph: Graph, bodies: list[Translation]) -> str:
    """A subgraph as a function of its own in front of the line; its name."""
    translation, node = site.translation, site.node
    hosted = _hosted_parameters(site, graph)
    body = translation.body(node, graph, hosted)
    bodies.append(body)
    function = translation.variables.own(identifier(name))
    wanted = _wanted(node, hosted, len(graph.outputs))
    results = [
        _result(body, value.name, must_be)
        for value, must_be in zip(graph.outputs, wanted, strict=True)
    ]
    # A subgraph sees the variables around it, as a function inside of another does.
    translation.define(function, body, Group("[", tuple(("", result) for result in results), "]"))
    return function


def _hosted_parameters(site: Any, graph: Graph) -> list[bool]:
    """For each input of a subgraph whether it may be a NumPy array."""
    node, translation = site.node, site.translation
    if node.operator == "Loop":
        return [True, True, *(translation.may_be_host(name) for name in node.inputs[2:])]
    return [False] * len(graph.inputs)


def _wanted(node: Node, hosted: list[bool], count: int) -> list[bool]:
    """For each result of a subgraph whether it must be an array of the framework.

    States of a Loop must that begin as such. Before them comes the condition.
    """
    wanted = []
    if node.operator == "Loop":
        wanted = [False, *(not one for one in hosted[2:])]
    return wanted + [False] * (count - len(wanted))


def _result(body: Translation, name: str, must_be_array: bool) -> Expression:
    if name not in body.variables and name in body.known:
        source = numpy_array(body.known[name])
    else:
        source = body.in_first_order(name)
    if must_be_array and body.may_be_host(name):
        return call("operators.array", source)
    return source
