"""Softmax by its exponentials and their sum."""

from __future__ import annotations

from collections.abc import Iterator

from allotrope.network.graph import Node
from allotrope.network.rewriting.expressions import ARITHMETIC, close, polynomial, product
from allotrope.network.rewriting.patterns.matches import Match, pattern
from allotrope.network.rewriting.patterns.reduced import reduced_axes
from allotrope.network.rewriting.reach import FARTHEST, above
from allotrope.network.rewriting.rewriter import Rewriter


@pattern("Exp", gives="Softmax")
def softmax(graph: Rewriter, node: Node) -> Iterator[Match]:
    """exp(x - max(x)) / sum(exp(x - max(x))) along one axis."""
    power = node.outputs[0]
    total = _total(graph, power)
    axis = None if total is None else _one_axis(graph, total)
    if total is None or axis is None:
        return
    region = {power, total.outputs[0]}
    x = _shifted_by_maximum(graph, node.inputs[0], axis, region) or node.inputs[0]
    quotient = {product(power, (total.outputs[0], -1.0)): 1.0}
    for y in above(graph, total.outputs[0], ARITHMETIC):
        values = set(region)
        if close(polynomial(graph, y, {power, total.outputs[0]}, values), quotient):
            made = Node("Softmax", (x,), (y,), {"axis": axis - graph.rank(x)}, y)
            yield Match(frozenset(values), y, (made,))


def _total(graph: Rewriter, power: str) -> Node | None:
    """The sum of a value."""
    if graph.count(power) > FARTHEST:
        return None
    users = graph.users(power)
    sums = (user for user in users if user.operator == "ReduceSum" and user.inputs[0] == power)
    return next(sums, None)


def _shifted_by_maximum(graph: Rewriter, name: str, axis: int, region: set[str]) -> str | None:
    """The x of which `name` is x - max(x) along the axis."""
    shift = graph.maker(name, "Sub")
    highest = None if shift is None else graph.maker(shift.inputs[1], "ReduceMax")
    if shift is None or highest is None or highest.inputs[0] != shift.inputs[0]:
        return None
    if _one_axis(graph, highest) != axis:
        return None
    region |= {name, highest.outputs[0]}
    return shift.inputs[0]


def _one_axis(graph: Rewriter, node: Node) -> int | None:
    """The only axis that a reduction takes, which stays as length 1."""
    axes = reduced_axes(graph, node)
    return axes[0] if len(axes) == 1 else None
