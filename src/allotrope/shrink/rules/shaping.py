"""Operators that order, join and part axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrink.atoms import Axis
from allotrope.shrink.cutting import Cutting, follows
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, Whole, same, valued

FAR = 2**31
"""Beyond every end."""


@relates("Transpose")
def transpose(site: Site) -> Sequence[Axes]:
    """Axes change places."""
    rank = len(site.inputs[0])
    order = site.node.attributes.get("perm", range(rank)[::-1])
    return [tuple(site.passed(site.take(0, axis)) for axis in order)]


@relates("Squeeze")
def squeeze(site: Site) -> Sequence[Axes]:
    """Axes of length one go."""
    rank = len(site.inputs[0])
    axes = site.constant(1)
    if axes is None:
        gone = {axis for axis, length in enumerate(site.shape()) if length == 1}
    else:
        gone = {int(axis) % rank for axis in axes.reshape(-1)}
    return [tuple(site.passed(site.take(0, axis)) for axis in range(rank) if axis not in gone)]


@relates("Unsqueeze")
def unsqueeze(site: Site) -> Sequence[Axes]:
    """Axes of length one come in between."""
    axes = site.constant(1)
    assert axes is not None
    rank = len(site.inputs[0]) + axes.size
    new = {int(axis) % rank for axis in axes.reshape(-1)}
    old = iter(range(len(site.inputs[0])))
    made: list[Axis | None] = [None] * rank
    for axis in range(rank):
        if axis not in new:
            made[axis] = site.passed(site.take(0, next(old)))
    return [tuple(made)]


@relates("Concat")
def concat(site: Site) -> Sequence[Axes]:
    """One axis after the other; the axes beside it go together."""
    joined, rank = site.axis(0), len(site.inputs[0])
    axes = []
    for number in range(rank):
        taken = [site.take(position, number) for position in site.inputs]
        if number == joined:
            axes.append(_joined(site, taken, number))
        else:
            at = same([None if axis is None else axis.at for axis in taken])
            axes.append(site.unite(*taken, at=at))
    return [tuple(axes)]


def _joined(site: Site, taken: Sequence[Axis | None], number: int) -> Axis | None:
    """All places in a row; those of an axis that nothing can cut have frozen atoms."""
    parts = []
    for axis, position in zip(taken, site.inputs, strict=True):
        length = site.shape(position)[number]
        if axis is not None:
            parts.append(axis)
        elif isinstance(length, int):
            parts.append(Axis(site.atoms.fresh(length)))
            site.freeze(parts[-1], "it joins an axis that stays as it is")
        else:
            _freeze_all(site, taken)
            return None
    at = same([axis.at for axis in taken if axis is not None] or [None])
    return Axis(np.concatenate([axis.atoms for axis in parts]), at)


def _freeze_all(site: Site, taken: Sequence[Axis | None]) -> None:
    for axis in taken:
        if axis is not None:
            site.freeze(axis, "it is joined to an axis of unknown length")


@relates("Split")
def split(site: Site) -> Sequence[Axes]:
    """Parts of an axis, one an output."""
    whole, rank = site.axis(0), len(site.inputs[0])
    beside = {n: site.passed(site.take(0, n)) for n in range(rank) if n != whole}
    axis = site.take(0, whole)
    outputs, start = [], 0
    for number, name in enumerate(site.node.outputs):
        length = site.made(number)[whole] if name else None
        part = None
        if axis is not None:
            if not isinstance(length, int):
                raise Whole("the lengths of its parts are not known")
            part = site.passed(Axis(axis.atoms[start : start + length], axis.at))
            start += length
        outputs.append(tuple(part if n == whole else beside[n] for n in range(rank)))
    return outputs


@follows("Split")
def to_lengths(cutting: Cutting, index: int, node: Node) -> Node:
    """The lengths of the parts, which may differ now."""
    rank = len(cutting.masks(index))
    axis = int(node.attributes.get("axis", 0)) % rank
    if cutting.masks(index)[axis] is None:
        return node
    lengths = []
    for name in node.outputs:
        part = cutting.relations.values[name][axis]
        assert part is not None
        lengths.append(int(cutting.mask(part).sum()))
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    bare = Node(node.operator, node.inputs, node.outputs, attributes, node.name)
    return cutting.with_constant(bare, 1, np.array(lengths, np.int64))


@relates("Slice")
def slice_(site: Site) -> Sequence[Axes]:
    """A stretch of each axis that it names."""
    cuts = _cuts(site)
    axes = []
    for number, length in enumerate(site.shape()):
        start, end, step = cuts.get(number, (0, FAR, 1))
        if (start, step) == (0, 1) and end >= FAR - 1:
            axes.append(site.passed(site.take(0, number)))
            continue
        axis = None
        if step == 1 and isinstance(length, int):
            axis = site.take(0, number)
        axes.append(None if axis is None else Axis(axis.atoms[start:end], axis.at))
    return [tuple(axes)]


def _cuts(site: Site) -> dict[int, tuple[int, int, int]]:
    """Start, end and step of each axis that is named."""
    starts, ends, axes, steps = (site.constant(position) for position in range(1, 5))
    assert starts is not None
    assert ends is not None
    count = len(starts)
    numbers = range(count) if axes is None else axes.tolist()
    by = [1] * count if steps is None else steps.tolist()
    stretches = zip(starts.tolist(), ends.tolist(), by, strict=True)
    rank = len(site.inputs[0])
    return {int(n) % rank: stretch for n, stretch in zip(numbers, stretches, strict=True)}


@follows("Slice")
def to_stretch(cutting: Cutting, index: int, node: Node) -> Node:
    """The same places, where they are now."""
    masks, arrays = cutting.masks(index), cutting.rewriter.arrays
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
    return cutting.with_constant(cutting.with_constant(node, 1, starts), 2, ends)


@relates("Expand")
def expand(site: Site) -> Sequence[Axes]:
    """Axes that keep their length pass."""
    made, site_rank = site.made(), len(site.inputs[0])
    target = site.constant(1)
    assert target is not None
    axes: list[Axis | None] = [None] * len(made)
    for from_end in range(1, site_rank + 1):
        if site.shape()[-from_end] == made[-from_end]:
            axes[-from_end] = site.passed(site.take(0, -from_end))
    return [tuple(axes)]


@follows("Expand")
def to_any_length(cutting: Cutting, index: int, node: Node) -> Node:
    """One is as long as the axis is, however long that is now."""
    target = cutting.rewriter.arrays[node.inputs[1]].copy()
    masks = cutting.masks(index)
    for from_end in range(1, min(len(masks), len(target)) + 1):
        if masks[-from_end] is not None:
            target[-from_end] = 1
    return cutting.with_constant(node, 1, target)


@relates("Tile")
def tile(site: Site) -> Sequence[Axes]:
    """Places come again and again."""
    repeats = site.constant(1)
    assert repeats is not None
    axes = []
    for number, count in enumerate(repeats.tolist()):
        axis = site.passed(site.take(0, number))
        axes.append(None if axis is None else Axis(np.tile(axis.atoms, count), axis.at))
    return [tuple(axes)]


@relates("DepthToSpace")
def depth_to_space(site: Site) -> Sequence[Axes]:
    """The channels that become one block go together."""
    size = int(site.node.attributes["blocksize"]) ** 2
    axis = site.take(0, 1)
    if axis is None:
        return [(site.take(0, 0), None, None, None)]
    if site.node.attributes.get("mode", "DCR") == "DCR":
        blocks = axis.atoms.reshape(size, -1)
    else:
        blocks = axis.atoms.reshape(-1, size).T
    site.atoms.unite(blocks[:1], blocks)
    return [(valued(site.take(0, 0)), site.passed(Axis(blocks[0], axis.at)), None, None)]


@relates("SpaceToDepth")
def space_to_depth(site: Site) -> Sequence[Axes]:
    """Each channel comes once for every place of a block."""
    size = int(site.node.attributes["blocksize"]) ** 2
    axis = site.take(0, 1)
    if axis is None:
        return [(site.take(0, 0), None, None, None)]
    return [(valued(site.take(0, 0)), Axis(np.tile(axis.atoms, size), axis.at), None, None)]
