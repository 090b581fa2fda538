"""Operators that order, join and part axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, Whole, same, valued
from allotrope.shrinking.relations import relates


@relates("Transpose")
def transpose(junction: Junction) -> Sequence[Axes]:
    """Axes change places."""
    rank = len(junction.inputs[0])
    order = junction.node.attributes.get("perm", range(rank)[::-1])
    return [tuple(junction.passed(junction.take(0, axis)) for axis in order)]


@relates("Squeeze")
def squeeze(junction: Junction) -> Sequence[Axes]:
    """Axes of length one go."""
    rank = len(junction.inputs[0])
    axes = junction.constant(1)
    if axes is None:
        gone = {axis for axis, length in enumerate(junction.shape()) if length == 1}
    else:
        gone = {int(axis) % rank for axis in axes.reshape(-1)}
    return [
        tuple(junction.passed(junction.take(0, axis)) for axis in range(rank) if axis not in gone)
    ]


@relates("Unsqueeze")
def unsqueeze(junction: Junction) -> Sequence[Axes]:
    """Axes of length one come in between."""
    axes = junction.constant(1)
    assert axes is not None
    rank = len(junction.inputs[0]) + axes.size
    new = {int(axis) % rank for axis in axes.reshape(-1)}
    old = iter(range(len(junction.inputs[0])))
    made: list[Axis | None] = [None] * rank
    for axis in range(rank):
        if axis not in new:
            made[axis] = junction.passed(junction.take(0, next(old)))
    return [tuple(made)]


@relates("Concat")
def concat(junction: Junction) -> Sequence[Axes]:
    """One axis after the other; the axes beside it go together."""
    joined, rank = junction.axis(0), len(junction.inputs[0])
    axes = []
    for number in range(rank):
        taken = [junction.take(position, number) for position in junction.inputs]
        if number == joined:
            axes.append(_joined(junction, taken, number))
        else:
            at = same([None if axis is None else axis.at for axis in taken])
            axes.append(junction.unite(*taken, at=at))
    return [tuple(axes)]


def _joined(junction: Junction, taken: Sequence[Axis | None], number: int) -> Axis | None:
    """All places in a row; those of an axis that nothing can cut have frozen atoms."""
    parts = []
    for axis, position in zip(taken, junction.inputs, strict=True):
        length = junction.shape(position)[number]
        if axis is not None:
            parts.append(axis)
        elif isinstance(length, int):
            parts.append(Axis(junction.atoms.fresh(length)))
            junction.freeze(parts[-1], "it joins an axis that stays as it is")
        else:
            _freeze_all(junction, taken)
            return None
    at = same([axis.at for axis in taken if axis is not None] or [None])
    return Axis(np.concatenate([axis.atoms for axis in parts]), at)


def _freeze_all(junction: Junction, taken: Sequence[Axis | None]) -> None:
    for axis in taken:
        if axis is not None:
            junction.freeze(axis, "it is joined to an axis of unknown length")


@relates("Split")
def split(junction: Junction) -> Sequence[Axes]:
    """Parts of an axis, one an output."""
    whole, rank = junction.axis(0), len(junction.inputs[0])
    beside = {n: junction.passed(junction.take(0, n)) for n in range(rank) if n != whole}
    axis = junction.take(0, whole)
    outputs, start = [], 0
    for number, name in enumerate(junction.node.outputs):
        length = junction.made(number)[whole] if name else None
        part = None
        if axis is not None:
            if not isinstance(length, int):
                raise Whole("the lengths of its parts are not known")
            part = junction.passed(Axis(axis.atoms[start : start + length], axis.at))
            start += length
        outputs.append(tuple(part if n == whole else beside[n] for n in range(rank)))
    return outputs


@follows("Split")
def to_lengths(cut: Cut, index: int, node: Node) -> Node:
    """The lengths of the parts, which may differ now."""
    rank = len(cut.masks(index))
    axis = int(node.attributes.get("axis", 0)) % rank
    if cut.masks(index)[axis] is None:
        return node
    lengths = []
    for name in node.outputs:
        part = cut.relations.values[name][axis]
        assert part is not None
        lengths.append(int(cut.mask(part).sum()))
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    bare = Node(node.operator, node.inputs, node.outputs, attributes, node.name)
    return cut.with_constant(bare, 1, np.array(lengths, np.int64))


@relates("Tile")
def tile(junction: Junction) -> Sequence[Axes]:
    """Places come again and again."""
    repeats = junction.constant(1)
    assert repeats is not None
    axes = []
    for number, count in enumerate(repeats.tolist()):
        axis = junction.passed(junction.take(0, number))
        axes.append(None if axis is None else Axis(np.tile(axis.atoms, count), axis.at))
    return [tuple(axes)]


@relates("DepthToSpace")
def depth_to_space(junction: Junction) -> Sequence[Axes]:
    """The channels that become one block go together."""
    size = int(junction.node.attributes["blocksize"]) ** 2
    axis = junction.take(0, 1)
    if axis is None:
        return [(junction.take(0, 0), None, None, None)]
    if junction.node.attributes.get("mode", "DCR") == "DCR":
        blocks = axis.atoms.reshape(size, -1)
    else:
        blocks = axis.atoms.reshape(-1, size).T
    junction.atoms.unite(blocks[:1], blocks)
    return [(valued(junction.take(0, 0)), junction.passed(Axis(blocks[0], axis.at)), None, None)]


@relates("SpaceToDepth")
def space_to_depth(junction: Junction) -> Sequence[Axes]:
    """Each channel comes once for every place of a block."""
    size = int(junction.node.attributes["blocksize"]) ** 2
    axis = junction.take(0, 1)
    if axis is None:
        return [(junction.take(0, 0), None, None, None)]
    return [(valued(junction.take(0, 0)), Axis(np.tile(axis.atoms, size), axis.at), None, None)]
