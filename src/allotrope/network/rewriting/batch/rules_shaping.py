"""How operators that move elements treat a batch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import Following, Placements, rule
from allotrope.network.rewriting.batch.placement import (
    Lengths,
    Mixes,
    Placement,
    reshaped,
    shape_after,
)


@rule("Reshape", "Flatten")
def _reshape(f: Following, node: Node) -> tuple[Node, Placements]:
    """A target that spells the batch out becomes one that leaves it open."""
    if f.place(node.inputs[0]) is None:
        raise Mixes("its target is computed from examples")
    before, after = f.lengths(node.inputs[0]), f.baked(node.outputs[0])
    if 0 in before:
        raise Mixes("there is nothing in its array")
    place = f.choose(list(reshaped(before, f.placements[node.inputs[0]], after, f.batch)))
    return _open(f, node, place, after), place


def _open(f: Following, node: Node, place: Placement, after: Lengths) -> Node:
    """The node, unless it gives something else for more examples; then a Reshape that does."""
    x, whole = f.placements[node.inputs[0]], (f.batch, *after) if place.front else after
    before = f.lengths(node.inputs[0])
    if all(
        _gives(f, node, x.freed(before, f.batch, count)) == place.freed(whole, f.batch, count)
        for count in (f.batch, 2 * f.batch, 3 * f.batch)
    ):
        return node
    return Node("Reshape", (node.inputs[0], _target(f, node, place)), node.outputs, {}, node.name)


def _gives(f: Following, node: Node, before: Lengths) -> Lengths | None:
    if node.operator == "Flatten":
        axis = range(len(before) + 1)[node.attributes.get("axis", 1)]
        return math.prod(before[:axis]), math.prod(before[axis:])
    target = f.array(node.inputs[1])
    allowzero = bool(node.attributes.get("allowzero", 0))
    return None if target is None else shape_after(before, target.tolist(), allowzero)


def _target(f: Following, node: Node, place: Placement) -> str:
    """The name of a target that leaves the examples open, and other free lengths as they were."""
    x, after = f.placements[node.inputs[0]], f.baked(node.outputs[0])
    copied = x.axis == place.axis and x.plain and place.plain and x.front == place.front
    old = f.array(node.inputs[1]) if node.operator == "Reshape" else np.array(after)
    hint = f"{node.outputs[0]}/any_batch"
    if old is None or (node.operator == "Flatten" and node.outputs[0] in f.known.moving):
        raise Mixes("its lengths depend on other free lengths")
    if node.operator == "Reshape" and node.inputs[1] in f.known.varying:
        return _computed_target(f, node.inputs[1], place, old.tolist(), hint)
    entries = old.tolist()
    for i, entry in enumerate(entries):
        open_elsewhere = entry == -1 and not copied
        if open_elsewhere or (entry == 0 and (place.front or x.front or i == x.axis)):
            entries[i] = _length(f, node.outputs[0], i)
    if place.front:
        entries.insert(0, -1)
    entries[place.axis] = 0 if copied else -1
    return f.constant(hint, np.array(entries, np.int64))


def _length(f: Following, name: str, axis: int) -> int:
    if name in f.known.moving:
        raise Mixes("two of the lengths in its target are open")
    return f.baked(name)[axis]


def _computed_target(f: Following, name: str, place: Placement, old: list[int], hint: str) -> str:
    others = old if place.front else old[: place.axis] + old[place.axis + 1 :]
    if -1 in others or 0 in others:
        raise Mixes("two of the lengths in its target are open")
    if place.front:
        parts = [f.constant(f"{hint}/open", np.array([-1])), name]
        return f.emit("Concat", parts, hint, None, (len(old) + 1,), axis=0)
    return with_entry(f, name, place.axis, -1, hint)


def with_entry(f: Following, name: str, axis: int, entry: int, hint: str) -> str:
    """The name of the vector with another entry at one place."""
    rank = f.lengths(name)[0]
    others, added = np.ones(rank, np.int64), np.zeros(rank, np.int64)
    others[axis], added[axis] = 0, entry
    masked = f.emit(
        "Mul", [name, f.constant(f"{hint}/others", others)], f"{hint}/masked", None, (rank,)
    )
    return f.emit("Add", [masked, f.constant(f"{hint}/entry", added)], hint, None, (rank,))


@rule("Squeeze")
def _squeeze(f: Following, node: Node) -> tuple[Node, Placements]:
    """One that takes the examples' axis away leaves it in front."""
    x, lengths, axes = f.placements[node.inputs[0]], f.lengths(node.inputs[0]), f.fixed(node, 1)
    baked_rank = len(f.baked(node.inputs[0]))
    moved = len(lengths) - baked_rank
    gone = (
        _ones(f.baked(node.inputs[0]))
        if axes is None
        else {int(axis) % baked_rank for axis in axes.ravel()}
    )
    gone = {axis + moved for axis in gone}
    others = sorted(gone - {x.axis})
    if x.axis not in gone:
        place = Placement(x.axis - sum(axis < x.axis for axis in others), x.outer, x.inner, x.front)
        return _squeezing(f, node, node.inputs[0], others, axes is not None and not moved), place
    name = in_front(f, node.inputs[0])
    after = [axis + 1 if axis < x.axis else axis for axis in others]
    return _squeezing(f, node, name, after, False), Placement(0, front=True)


def _ones(lengths: Lengths) -> set[int]:
    return {axis for axis, length in enumerate(lengths) if length == 1}


def _squeezing(f: Following, node: Node, name: str, axes: list[int], same: bool) -> Node:
    if same:
        return node
    if not axes:
        return Node("Identity", (name,), node.outputs, {}, node.name)
    listed = f.constant(f"{node.outputs[0]}/axes", np.array(axes, np.int64))
    return replace(node, inputs=(name, listed))


def in_front(f: Following, name: str) -> str:
    """The name of the value with the examples as its first axis."""
    x, lengths = f.placements[name], f.lengths(name)
    if not x.plain:
        raise Mixes("it takes away an axis that holds more than examples")
    if x.axis == 0:
        return name
    order = (x.axis, *(axis for axis in range(len(lengths)) if axis != x.axis))
    moved = tuple(lengths[axis] for axis in order)
    return f.emit("Transpose", [name], f"{name}/examples_first", Placement(0), moved, perm=order)


@rule("Unsqueeze")
def _unsqueeze(f: Following, node: Node) -> tuple[Node, Placements]:
    x, axes, rank = f.placements[node.inputs[0]], f.fixed(node, 1), len(f.baked(node.outputs[0]))
    assert axes is not None
    added = sorted(int(axis) % rank for axis in axes.ravel())
    if not x.front:
        place = x.axis
        for axis in added:
            place += axis <= place
        return node, x.at(place)
    if 0 in added and x.plain:  # the file's new first axis is the one that the examples still have
        return _unsqueezing(f, node, added[1:]), Placement(0)
    return _unsqueezing(f, node, [axis + 1 for axis in added]), x


def _unsqueezing(f: Following, node: Node, axes: list[int]) -> Node:
    if not axes:
        return Node("Identity", node.inputs[:1], node.outputs, {}, node.name)
    return node.with_input(1, f.constant(f"{node.outputs[0]}/axes", np.array(axes, np.int64)))


@rule("Transpose")
def _transpose(f: Following, node: Node) -> tuple[Node, Placements]:
    x, rank = f.placements[node.inputs[0]], len(f.lengths(node.inputs[0]))
    order = tuple(node.attributes.get("perm", range(rank)[::-1]))
    return node, x.at(order.index(x.axis))


@rule("Slice")
def _slice(f: Following, node: Node) -> tuple[Node, Placements]:
    x, lengths = f.placements[node.inputs[0]], f.lengths(node.inputs[0])
    if any(f.place(name) for name in node.inputs[1:]):
        raise Mixes("where it cuts is computed from examples")
    count = f.lengths(node.inputs[1])[0]
    axes = f.fixed(node, 3)
    chosen = [int(axis) % len(lengths) for axis in (range(count) if axes is None else axes.ravel())]
    if x.axis not in chosen:
        return node, x
    if x.outer > 1 and len(chosen) == 1:
        return _stacked_part(f, node, x)
    rest = _whole(f, node, chosen.index(x.axis), lengths[x.axis])
    return _without_axis(f, node, chosen, rest), x


def _stacked_part(f: Following, node: Node, x: Placement) -> tuple[Node, Placement]:
    """One of several batches that lie one after the other."""
    starts, ends, steps = f.fixed(node, 1), f.fixed(node, 2), f.fixed(node, 4)
    assert starts is not None and ends is not None
    length, step = f.lengths(node.inputs[0])[x.axis], 1 if steps is None else int(steps[0])
    start, end, step = slice(int(starts[0]), int(ends[0]), step).indices(length)
    one = length // x.outer
    if step != 1 or start % one or end - start != one:
        raise Mixes("it parts the examples from each other")
    names = [f.fresh(f"{node.outputs[0]}/other") for _ in range(x.outer)]
    names[start // one] = node.outputs[0]
    attributes = {"axis": x.axis, "num_outputs": x.outer}
    return Node("Split", node.inputs[:1], tuple(names), attributes, node.name), Placement(
        x.axis, 1, x.inner
    )


def _whole(f: Following, node: Node, at: int, length: int) -> list[int]:
    """The other entries of a Slice that takes all examples. Raises: Mixes if it does not."""
    starts, ends, steps = f.fixed(node, 1), f.fixed(node, 2), f.fixed(node, 4)
    assert starts is not None and ends is not None
    step = 1 if steps is None else int(steps[at])
    if slice(int(starts[at]), int(ends[at]), step).indices(length) != (0, length, 1):
        raise Mixes("it parts the examples from each other")
    return [i for i in range(len(starts)) if i != at]


def _without_axis(f: Following, node: Node, chosen: list[int], rest: list[int]) -> Node:
    if not rest:
        return Node("Identity", node.inputs[:1], node.outputs, {}, node.name)
    arrays = [f.fixed(node, position) for position in (1, 2, 4)]
    starts, ends, steps = (None if array is None else array[rest] for array in arrays)
    listed = [starts, ends, np.array([chosen[i] for i in rest]), steps]
    names = [
        f.constant(f"{node.outputs[0]}/cut", np.asarray(array, np.int64))
        for array in listed
        if array is not None
    ]
    return replace(node, inputs=(node.inputs[0], *names))


@rule("Pad")
def _pad(f: Following, node: Node) -> tuple[Node, Placements]:
    x, rank, pads, axes = (
        f.placements[node.inputs[0]],
        len(f.lengths(node.inputs[0])),
        f.fixed(node, 1),
        f.fixed(node, 3),
    )
    assert pads is not None
    chosen = list(range(rank)) if axes is None else [int(axis) % rank for axis in axes]
    if x.axis in chosen and pads.reshape(2, -1)[:, chosen.index(x.axis)].any():
        raise Mixes("it puts something before or behind the examples")
    return node, x


@rule("Resize")
def _resize(f: Following, node: Node) -> tuple[Node, Placements]:
    x, lengths, axes = (
        f.placements[node.inputs[0]],
        f.lengths(node.inputs[0]),
        node.attributes.get("axes"),
    )
    if f.baked(node.outputs[0])[x.axis] != lengths[x.axis]:
        raise Mixes("it makes more or fewer examples")
    if axes is not None and x.axis not in {axis % len(lengths) for axis in axes}:
        return node, x
    if (
        axes is not None
        or node.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    ):
        raise Mixes("it works along the batch")
    if len(node.inputs) < 4 or not node.inputs[3]:
        return node, x
    rest = [axis for axis in range(len(lengths)) if axis != x.axis]
    places = f.constant(f"{node.outputs[0]}/axes", np.array(rest))
    named = f.emit(
        "Gather", [node.inputs[3], places], f"{node.outputs[0]}/sizes", None, (len(rest),), axis=0
    )
    return replace(
        node.with_input(3, named), attributes={**node.attributes, "axes": tuple(rest)}
    ), x


@rule("Expand")
def _expand(f: Following, node: Node) -> tuple[Node, Placements]:
    x, after = f.placements.get(node.inputs[0]), f.baked(node.outputs[0])
    if x is None or f.place(node.inputs[1]):
        raise Mixes("its target is computed from examples")
    if x.front:
        raise Mixes("the batch was squeezed away before it")
    place = x.at(x.axis + len(after) - len(f.lengths(node.inputs[0])))
    target = f.array(node.inputs[1])
    behind = len(after) - place.axis
    if after[place.axis] != f.lengths(node.inputs[0])[x.axis] or target is None:
        raise Mixes("it makes more examples of one")
    if len(target) < behind or target[-behind] == 1:
        return node, place
    opened = with_entry(f, node.inputs[1], len(target) - behind, 1, f"{node.outputs[0]}/any_batch")
    return node.with_input(1, opened), place


@rule("Tile")
def _tile(f: Following, node: Node) -> tuple[Node, Placements]:
    x, repeats = f.place(node.inputs[0]), f.fixed(node, 1)
    if x is None or repeats is None or repeats[x.axis] != 1:
        raise Mixes("it repeats the examples")
    return node, x


@rule("Trilu")
def _trilu(f: Following, node: Node) -> tuple[Node, Placements]:
    place, rank = f.place(node.inputs[0]), len(f.lengths(node.inputs[0]))
    if place is None or place.axis >= rank - 2:
        raise Mixes("the batch is one side of its matrix")
    return node, place
