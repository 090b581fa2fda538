"""How products, attention and recurrent layers treat a batch."""

from __future__ import annotations

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import Following, Placements, rule
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.rules import aligned


@rule("MatMul")
def _matmul(f: Following, node: Node) -> tuple[Node, Placements]:
    """[.., rows, k] by [.., k, columns]: examples may be rows, columns or matrices, and not k."""
    ranks = [len(f.lengths(name)) for name in node.inputs]
    if min(ranks) < 2:
        return _with_vector(f, node, ranks)
    a, b = (f.place(name) for name in node.inputs)
    rank = max(ranks)
    if (a is not None and a.axis == ranks[0] - 1) or (b is not None and b.axis == ranks[1] - 2):
        raise Mixes("it adds up over the examples")
    if a is not None and a.axis == ranks[0] - 2:
        return node, _one_side(a.at(rank - 2), b)
    if b is not None and b.axis == ranks[1] - 1:
        return node, _one_side(b.at(rank - 1), a)
    return aligned(f, node, rank, (0, 1))


def _one_side(place: Placement, other: Placement | None) -> Placement:
    if other is not None:
        raise Mixes("it multiplies examples by each other")
    return place


def _with_vector(f: Following, node: Node, ranks: list[int]) -> tuple[Node, Placements]:
    a, b = (f.place(name) for name in node.inputs)
    if ranks[1] == 1 and a is not None and b is None and a.axis < ranks[0] - 1:
        return node, a
    raise Mixes("it adds up over the examples")


@rule("Gemm")
def _gemm(f: Following, node: Node) -> tuple[Node, Placements]:
    a, b = f.place(node.inputs[0]), f.place(node.inputs[1])
    rows = int(bool(node.attributes.get("transA", 0)))
    columns = int(not node.attributes.get("transB", 0))
    if (a is not None and a.axis != rows) or (b is not None and b.axis != columns):
        raise Mixes("it adds up over the examples")
    if a is not None:
        place = _one_side(a.at(0), b)
    elif b is not None:
        place = b.at(1)
    else:
        place = _bias_alone(f, node)
    return (_with_bias(f, node, place) if len(node.inputs) > 2 else node), place


def _bias_alone(f: Following, node: Node) -> Placement:
    name = node.inputs[2]
    place = f.placements[name]
    return place.at(place.axis + 2 - len(f.lengths(name)))


def _with_bias(f: Following, node: Node, place: Placement) -> Node:
    name = node.inputs[2]
    lengths, own = f.lengths(name), f.place(name)
    wanted = place.at(place.axis - (2 - len(lengths)))
    if own is not None and own != wanted:
        raise Mixes("the examples lie along different axes of its inputs")
    if own is not None or wanted.axis < 0 or lengths[wanted.axis] == 1:
        return node
    return node.with_input(2, f.spread(name, wanted))


@rule("Attention")
def _attention(f: Following, node: Node) -> tuple[Node, Placements]:
    """Queries, keys, values and the past belong to one example each; a mask may be one for all."""
    place = next(place for name in node.inputs if (place := f.place(name)) is not None)
    if place.axis != 0:
        raise Mixes("the examples are not the first axis")
    for i, name in enumerate(node.inputs):
        if not name:
            continue
        if (
            i == 3
            and f.place(name) is None
            and (len(f.lengths(name)) < 4 or f.lengths(name)[0] == 1)
        ):
            continue
        if i == 3 and len(f.lengths(name)) < 4:
            raise Mixes("its mask has the examples along another axis")
        node = node.with_input(i, f.spread(name, place)) if f.place(name) is None else node
        if f.placements[node.inputs[i]] != place:
            raise Mixes("the examples lie along different axes of its inputs")
    return node, place


@rule("Einsum")
def _einsum(f: Following, node: Node) -> tuple[Node, Placements]:
    equation = str(node.attributes["equation"]).replace(" ", "")
    terms, arrow, result = equation.partition("->")
    if not arrow or "." in equation:
        raise Mixes("its equation leaves the result or axes open")
    letters = terms.split(",")
    held = [
        (term[place.axis], place)
        for term, name in zip(letters, node.inputs, strict=True)
        if (place := f.place(name)) is not None
    ]
    letter, place = held[0]
    if (
        any(
            one != letter or (other.outer, other.inner) != (place.outer, place.inner)
            for one, other in held
        )
        or letter not in result
    ):
        raise Mixes("it takes the examples together")
    for i, (term, name) in enumerate(zip(letters, node.inputs, strict=True)):
        if letter in term and f.place(name) is None:
            node = node.with_input(i, f.spread(name, place.at(term.index(letter))))
    return node, place.at(result.index(letter))


@rule("LSTM", "GRU", "RNN")
def _recurrent(f: Following, node: Node) -> tuple[Node, Placements]:
    """x: [t, n, c] and states [directions, n, h], or with layout 1 the examples first."""
    first = int(node.attributes.get("layout", 0))
    place = f.place(node.inputs[0])
    if place is None or place.axis != 1 - first:
        raise Mixes("the batch is not where it takes one")
    if any(f.place(name) for i, name in enumerate(node.inputs) if i in (1, 2, 3, 7)):
        raise Mixes("its weights are computed from examples")
    for i in (4, 5, 6):
        if i < len(node.inputs) and node.inputs[i]:
            node = _state(f, node, i, place.at(0 if i == 4 or first else 1))
    whole = place.at(0 if first else 2)
    return node, [whole, *[place.at(0 if first else 1)] * (len(node.outputs) - 1)]


def _state(f: Following, node: Node, position: int, place: Placement) -> Node:
    """A first state of zeros is left out, any other repeated for each example."""
    name = node.inputs[position]
    own, array = f.place(name), f.array(name)
    if own is None and position > 4 and array is not None and not np.any(array):
        return node.with_input(position, "")
    if own is None:
        return node.with_input(position, f.spread(name, place))
    if own != place:
        raise Mixes("the batch is not where it takes one")
    return node
