"""Lookups and changes of single elements, by places that are mostly computed."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes, Junction, Whole, same
from allotrope.shrinking.relations import relates


@relates("GatherElements")
def gather_elements(junction: Junction) -> Sequence[Axes]:
    """The axis that is looked into stays; places beside it stay in their place."""
    whole = junction.axis(0)
    axes: list[Axis | None] = [None] * len(junction.inputs[0])
    for number in _matched(junction, whole, (0, 1)):
        values, indices = junction.take(0, number), junction.take(1, number)
        at = None if values is None else values.at
        axes[number] = junction.unite(values, indices, at=at)
    return [tuple(axes)]


@relates("ScatterElements")
def scatter_elements(junction: Junction) -> Sequence[Axes]:
    """The same with elements that are put there."""
    whole = junction.axis(0)
    axes: list[Axis | None] = [None] * len(junction.inputs[0])
    for number in _matched(junction, whole, (0, 1, 2)):
        values, indices, updates = (junction.take(position, number) for position in range(3))
        at = _put_together(junction, values, updates)
        axes[number] = junction.unite(values, indices, updates, at=at)
    return [tuple(axes)]


def _matched(junction: Junction, whole: int, positions: Sequence[int]) -> list[int]:
    """The axes beside `whole` that are as long in all of these inputs."""
    shapes = [junction.shape(position) for position in positions]
    lengths = list(zip(*shapes, strict=True))
    return [
        number
        for number, each in enumerate(lengths)
        if number != whole and each[0] is not None and len(set(each)) == 1
    ]


def _put_together(junction: Junction, values: Axis | None, updates: Axis | None) -> float | None:
    """What is there afterwards, if both are one number; sums and products of 0 are 0."""
    if values is None or updates is None:
        return None
    at = same([values.at, updates.at])
    if junction.node.attributes.get("reduction", "none") in ("add", "mul") and at != 0:
        return None
    return at


@relates("GatherND")
def gather_nd(junction: Junction) -> Sequence[Axes]:
    """Axes behind those that are looked into pass."""
    indices = junction.shape(1)
    batch = int(junction.node.attributes.get("batch_dims", 0))
    behind = _behind(junction, batch + _depth(junction))
    return [(*[None] * (len(indices) - 1), *(junction.passed(axis) for axis in behind))]


@relates("ScatterND")
def scatter_nd(junction: Junction) -> Sequence[Axes]:
    """Axes behind those by which places are named go with the same ones of what is put there."""
    depth = _depth(junction)
    in_front = len(junction.shape(1)) - 1
    axes: list[Axis | None] = [None] * depth
    for place, values in enumerate(_behind(junction, depth)):
        updates = junction.take(2, in_front + place)
        axes.append(junction.unite(values, updates, at=_put_together(junction, values, updates)))
    return [tuple(axes)]


def _depth(junction: Junction) -> int:
    """How many axes the indices name. Raises: Whole if that is not known."""
    depth = junction.shape(1)[-1]
    if not isinstance(depth, int):
        raise Whole("how many axes its indices name is not known")
    return depth


def _behind(junction: Junction, count: int) -> list[Axis | None]:
    return [junction.take(0, number) for number in range(count, len(junction.inputs[0]))]
