"""Recurrent layers: a unit goes with its rows in every gate and its columns in the recurrence."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction
from allotrope.shrinking.relations import relates

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
"""How many rows each unit has in W and R; B has twice as many, the peepholes one fewer."""

ZERO_AT_ZERO = {"GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "RNN": ("Tanh",)}
"""With these activations a unit without weights stays at 0."""


@relates(*GATES)
def recurrent(junction: Junction) -> Sequence[Axes]:
    """x: [.., in], w: [d, gates * h, in], r: [d, gates * h, h], bias: [d, 2 * gates * h].

    Initial states: [.., h]; peepholes: [d, 3 * h]. Both directions of a layer have the same units.
    """
    junction.contract(junction.take(0, -1), junction.take(1, 2))
    units = junction.take(2, 2)
    rows = [junction.take(position, 1) for position in (1, 2, 3, 7) if junction.has(position)]
    states = [junction.take(position, -1) for position in (5, 6) if junction.has(position)]
    if units is None or None in rows:
        junction.unite(units, *rows, *states)
        units = None
    else:
        for axis in filter(None, rows):
            junction.atoms.unite(units.atoms, axis.atoms.reshape(-1, len(units)))
        units = junction.unite(units, *states)
    if units is not None:
        units = Axis(units.atoms, _at(junction, [units, *rows, *states]))
    return [_ending_in(junction, number, units) for number in range(len(junction.node.outputs))]


def _at(junction: Junction, parts: Sequence[Axis | None]) -> float | None:
    """0 if the unit has no weights, begins at 0 and its activations keep it there."""
    operator = junction.node.operator
    usual = ZERO_AT_ZERO[operator]
    activations = tuple(junction.node.attributes.get("activations", usual))
    first = junction.inputs[1][1]
    has_weights = any(axis is None or axis.at != 0 for axis in (*parts, first))
    if has_weights or activations != usual * (len(activations) // len(usual)):
        return None
    return 0.0


def _ending_in(junction: Junction, number: int, units: Axis | None) -> Axes:
    if not junction.node.outputs[number]:
        return ()
    return (*[None] * (len(junction.made(number)) - 1), units)


@follows(*GATES)
def with_fewer_units(cut: Cut, index: int, node: Node) -> Node:
    """The number of units is an attribute too."""
    if cut.relations.inputs[index][2][2] is None or "hidden_size" not in node.attributes:
        return node
    return cut.with_attributes(node, hidden_size=cut.length(index, 2, 2))
