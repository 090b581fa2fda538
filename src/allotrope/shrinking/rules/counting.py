"""Lengths that the graph itself looks at: what is made of them must stay true after a cut."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.graph import Node
from allotrope.shrinking.junction import Axes, Junction
from allotrope.shrinking.relations import relates
from allotrope.shrinking.rules.reshaping import target_of

PASSING = frozenset({"Cast", "Concat", "Gather", "Identity", "Slice", "Squeeze", "Unsqueeze"})
"""Operators through which lengths come to where they are used."""


@relates("Shape")
def shape(junction: Junction) -> Sequence[Axes]:
    """Only lengths that somebody looks at must stay."""
    rank = len(junction.inputs[0])
    start, end = junction.node.attributes.get("start", 0), junction.node.attributes.get("end")
    counted = range(rank)[slice(start, end)]
    picked = set[int]()
    if not _only_targets(junction, junction.node.outputs[0]):
        picked = _picked(junction, len(counted))
    for place, axis in enumerate(counted):
        if place not in picked:
            junction.take(0, axis)
    for axis in set(range(rank)) - set(counted):
        junction.take(0, axis)
    return [(None,)]


def _only_targets(junction: Junction, name: str) -> bool:
    """Whether lengths are used for nothing but targets of Reshape, which are written anew."""
    names = [name]
    for value in names:
        if value in junction.lookup.outputs:
            return False
        for user in junction.lookup.users(value):
            passes = user.operator in PASSING and not user.domain
            if not passes and not _is_target(junction, user, value):
                return False
            names += user.outputs if passes else ()
    return True


def _is_target(junction: Junction, user: Node, name: str) -> bool:
    is_target = user.operator == "Reshape" and user.inputs[1] == name != user.inputs[0]
    return is_target and target_of(junction.lookup, user) is not None


def _picked(junction: Junction, count: int) -> set[int]:
    """Which of the lengths are used by anybody."""
    name = junction.node.outputs[0]
    picked: set[int] = set()
    if name in junction.lookup.outputs:
        return set(range(count))
    for user in junction.lookup.users(name):
        places = _places(junction, user, count) if user.inputs[0] == name else None
        if places is None:
            return set(range(count))
        picked |= places
    return picked


def _places(junction: Junction, user: Node, count: int) -> set[int] | None:
    """Which of so many lengths a node takes; None if that is not known."""
    arrays = [junction.lookup.arrays.get(name) for name in user.inputs[1:] if name]
    if not arrays or any(array is None for array in arrays):
        return None
    numbers = [array.reshape(-1).tolist() for array in arrays if array is not None]
    if user.operator == "Gather":
        return {index % count for index in numbers[0]}
    if user.operator == "Slice" and numbers[3:] in ([], [[1]]):
        return set(range(count)[slice(numbers[0][0], numbers[1][0])])
    return None
