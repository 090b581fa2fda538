"""Operators that order, join and part axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrink.atoms import Axis
from allotrope.shrink.cut import Cut, follows
from allotrope.shrink.junction import Axes, Junction, Whole, same, valued
from allotrope.shrink.relations import relates

FAR = 2**31
"""Beyond every end."""


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


@relates("Slice")
def slice_(junction: Junction) -> Sequence[Axes]:
    """A stretch of each axis that it names."""
    try:
        cuts, unknown = _cuts(junction), set[int]()
    except Whole:
        # Where it cuts is not known beforehand: the axes that it names stay.
        cuts, unknown = {}, _named(junction)
    axes = []
    for number, length in enumerate(junction.shape()):
        start, end, step = cuts.get(number, (0, FAR, 1))
        if (start, step) == (0, 1) and end >= FAR - 1 and number not in unknown:
            axes.append(junction.passed(junction.take(0, number)))
            continue
        axis = None
        if step == 1 and isinstance(length, int) and number not in unknown:
            axis = junction.take(0, number)
        axes.append(None if axis is None else Axis(axis.atoms[start:end], axis.at))
    return [tuple(axes)]


def _named(junction: Junction) -> set[int]:
    """The axes that are cut. Raises: Whole if they are not known."""
    axes, rank = junction.constant(3), len(junction.inputs[0])
    if axes is None:
        return set(range(rank))
    return {int(axis) % rank for axis in axes}


def _cuts(junction: Junction) -> dict[int, tuple[int, int, int]]:
    """Start, end and step of each axis that is named."""
    starts, ends, axes, steps = (junction.constant(position) for position in range(1, 5))
    assert starts is not None
    assert ends is not None
    count = len(starts)
    numbers = range(count) if axes is None else axes.tolist()
    by = [1] * count if steps is None else steps.tolist()
    stretches = zip(starts.tolist(), ends.tolist(), by, strict=True)
    rank = len(junction.inputs[0])
    return {int(n) % rank: stretch for n, stretch in zip(numbers, stretches, strict=True)}


@follows("Slice")
def to_stretch(cut: Cut, index: int, node: Node) -> Node:
    """The same places, where they are now."""
    masks, arrays = cut.masks(index), cut.rewriter.arrays
    if node.inputs[1] not in arrays or node.inputs[2] not in arrays:
        return node
    starts, ends = (arrays[node.inputs[position]].copy() for position in (1, 2))
    axes = range(len(starts))
    if node.input(3):
        axes = arrays[node.inputs[3]].tolist()
    for place, axis in enumerate(axes):
        mask = masks[axis]
        if mask is not None:
            start, end, _ = slice(int(starts[place]), int(ends[place])).indices(len(mask))
            starts[place] = mask[:start].sum()
            ends[place] = mask[: max(start, end)].sum()
    return cut.with_constant(cut.with_constant(node, 1, starts), 2, ends)


@relates("Expand")
def expand(junction: Junction) -> Sequence[Axes]:
    """Axes that keep their length pass."""
    made, rank = junction.made(), len(junction.inputs[0])
    target = junction.constant(1)
    assert target is not None
    axes: list[Axis | None] = [None] * len(made)
    for from_end in range(1, rank + 1):
        if junction.shape()[-from_end] == made[-from_end]:
            axes[-from_end] = junction.passed(junction.take(0, -from_end))
    return [tuple(axes)]


@follows("Expand")
def to_any_length(cut: Cut, index: int, node: Node) -> Node:
    """One is as long as the axis is, however long that is now."""
    target = cut.rewriter.arrays[node.inputs[1]].copy()
    masks = cut.masks(index)
    for from_end in range(1, min(len(masks), len(target)) + 1):
        if masks[-from_end] is not None:
            target[-from_end] = 1
    return cut.with_constant(node, 1, target)


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
