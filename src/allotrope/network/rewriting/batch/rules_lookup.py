"""How operators that look up, scatter and sample treat a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import Following, Placements, rule
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.rules_shaping import in_front


@rule("Gather")
def _gather(f: Following, node: Node) -> tuple[Node, Placements]:
    data, index = f.place(node.inputs[0]), f.place(node.inputs[1])
    axis, indices = f.axis(node, 0), f.lengths(node.inputs[1])
    if data is not None and index is not None:
        raise Mixes("it looks up one example in another")
    if index is not None:
        return node, index.at(axis + index.axis)
    assert data is not None
    if axis == data.axis:
        return _picked(f, node, data)
    return node, data.at(data.axis + (len(indices) - 1) * (axis < data.axis))


def _picked(f: Following, node: Node, data: Placement) -> tuple[Node, Placement]:
    """The example at 0 of a batch of 1 is each example. Raises: Mixes if it is one of several."""
    indices = f.fixed(node, 1)
    if (
        f.batch != 1
        or not data.plain
        or indices is None
        or indices.size != 1
        or indices.item() not in (0, -1)
        or indices.ndim > 1
    ):
        raise Mixes("it picks some of the examples")
    if indices.ndim == 1:
        return Node("Identity", node.inputs[:1], node.outputs, {}, node.name), data
    return Node("Identity", (in_front(f, node.inputs[0]),), node.outputs, {}, node.name), Placement(
        0, front=True
    )


@rule("GatherElements", "ScatterElements")
def _elements(f: Following, node: Node) -> tuple[Node, Placements]:
    place = next(place for name in node.inputs if (place := f.place(name)) is not None)
    if f.axis(node, 0) == place.axis:
        raise Mixes("it works along the batch")
    return _with_each(f, node, place), place


def _with_each(f: Following, node: Node, place: Placement) -> Node:
    """The node with a row for each example in all inputs. Raises: Mixes if their axes differ."""
    for i, name in enumerate(node.inputs):
        if name and f.place(name) is None:
            node = node.with_input(i, f.spread(name, place))
        elif name and f.place(name) != place:
            raise Mixes("not all of its inputs have the examples along the same axis")
    return node


@rule("GridSample")
def _grid_sample(f: Following, node: Node) -> tuple[Node, Placements]:
    place = next(place for name in node.inputs if (place := f.place(name)) is not None)
    if place.axis != 0:
        raise Mixes("the examples are not the first axis")
    return _with_each(f, node, place), place


@rule("AffineGrid")
def _affine_grid(f: Following, node: Node) -> tuple[Node, Placements]:
    """Its size [n, c, h, w] spells the number of examples out."""
    place, size = f.place(node.inputs[0]), node.inputs[1]
    if place is None or place.axis != 0 or not place.plain or f.place(size):
        raise Mixes("the examples are not the first axis")
    rest = f.constant(f"{size}/rest", np.arange(1, f.lengths(size)[0]))
    others = f.emit(
        "Gather", [size, rest], f"{size}/of_each", None, (f.lengths(size)[0] - 1,), axis=0
    )
    counted = f.emit(
        "Concat", [f.count(), others], f"{size}/any_batch", None, f.lengths(size), axis=0
    )
    return node.with_input(1, counted), place


@rule("GatherND")
def _gather_nd(f: Following, node: Node) -> tuple[Node, Placements]:
    """With a batch of 1, places that begin with 0 are places in each example."""
    places = {f.place(name) for name in node.inputs}
    if places == {Placement(0)} and node.attributes.get("batch_dims", 0) >= 1:
        return node, Placement(0)
    indices, lengths = node.inputs[1], f.lengths(node.inputs[1])
    if (
        f.batch != 1
        or places != {Placement(0)}
        or lengths[-1] < 2
        or not f.begins_with_zero(indices)
    ):
        raise Mixes("it looks up one example in another")
    cut = [
        f.constant(f"{indices}/cut", np.array([number]))
        for number in (1, lengths[-1], len(lengths) - 1)
    ]
    inside = f.emit(
        "Slice",
        [indices, *cut],
        f"{indices}/inside",
        Placement(0),
        (*lengths[:-1], lengths[-1] - 1),
    )
    return replace(node, inputs=(node.inputs[0], inside), attributes={"batch_dims": 1}), Placement(
        0
    )


@rule("ScatterND")
def _scatter_nd(f: Following, node: Node) -> tuple[Node, Placements]:
    """Values are put at fixed places of each example; the examples are the last axis meanwhile."""
    data, indices = f.place(node.inputs[0]), f.fixed(node, 1)
    if data != Placement(0) or f.batch != 1 or indices is None or indices.shape[-1] < 1:
        raise Mixes("where it puts values, or into what, is not known beforehand")
    if indices[..., 0].any() or indices.shape[-1] < 2:
        raise Mixes("it puts something in the place of whole examples")
    x, updates = node.inputs[0], node.inputs[2]
    place = f.place(updates)
    if place is None:
        places, moved = indices[..., 1:], _last(f, updates, None)
    elif place == Placement(0) and indices.shape[0] == 1 and indices.ndim > 1:
        places, moved = indices[0][..., 1:], _last(f, updates, place)
    else:
        raise Mixes(f"the examples are not the first axis of '{updates}'")
    inner = f.emit(
        "ScatterND",
        [_last(f, x, data), f.constant(f"{node.outputs[0]}/places", places), moved],
        f"{node.outputs[0]}/examples_last",
        Placement(len(f.lengths(x)) - 1),
        (*f.lengths(x)[1:], f.batch),
        **node.attributes,
    )
    rank = len(f.lengths(x))
    return Node(
        "Transpose", (inner,), node.outputs, {"perm": (rank - 1, *range(rank - 1))}, node.name
    ), Placement(0)


def _last(f: Following, name: str, place: Placement | None) -> str:
    """The value with the examples as its last axis; repeated for each if it holds none."""
    lengths = f.lengths(name)
    if place is not None:
        order = (*range(1, len(lengths)), 0)
        moved = tuple(lengths[axis] for axis in order)
        return f.emit(
            "Transpose",
            [name],
            f"{name}/examples_last",
            Placement(len(moved) - 1),
            moved,
            perm=order,
        )
    axes = f.constant(f"{name}/last", np.array([-1]))
    wide = f.emit("Unsqueeze", [name, axes], f"{name}/wide", None, (*lengths, 1))
    return f.spread(wide, Placement(len(lengths)))


@rule("ReverseSequence")
def _reverse_sequence(f: Following, node: Node) -> tuple[Node, Placements]:
    place = f.place(node.inputs[0])
    if place is None or place.axis != node.attributes.get("batch_axis", 1):
        raise Mixes("the batch is not where it takes one")
    lengths = node.inputs[1]
    return (node if f.place(lengths) else node.with_input(1, f.spread(lengths, place.at(0)))), place


@rule("RotaryEmbedding")
def _rotary(f: Following, node: Node) -> tuple[Node, Placements]:
    """Its tables are one for all if places are given, else there is a row for each example."""
    place = f.place(node.inputs[0])
    if place is None or place.axis != 0:
        raise Mixes("the examples are not the first axis")
    rows = (3,) if len(node.inputs) > 3 else (1, 2)
    for i in rows:
        if f.place(node.inputs[i]) is None:
            node = node.with_input(i, f.spread(node.inputs[i], place))
    return node, place


@rule("OneHot")
def _one_hot(f: Following, node: Node) -> tuple[Node, Placements]:
    place, rank = f.place(node.inputs[0]), len(f.lengths(node.inputs[0])) + 1
    if place is None:
        raise Mixes("its depth or values are computed from examples")
    return node, place.at(place.axis + (node.attributes.get("axis", -1) % rank <= place.axis))
