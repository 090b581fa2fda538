"""The size of pictures that a network takes: by its input, or if that is open, by its inside."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from allotrope.errors import ModelError
from allotrope.inputs.image.pretrained.form import fixed, form_of
from allotrope.network.graph import Dimension, Node
from allotrope.network.network import Network

USUAL_SIDES = (
    224, 32, 28, 256, 299, 64, 96, 128, 160, 192, 227, 240, 384, 448, 512, 48, 40, 300, 320, 331,
    380, 416, 456, 480, 528, 600, 640,
)  # fmt: skip
"""Sides in pixels that networks are made for, the most usual first."""
FREE = (64, 160, 384)
"""A network that all of these fit takes any size."""
BROADCASTING = frozenset({"Add", "Div", "Mul", "Sub"})

Shape = tuple[Dimension, ...]


def side_inside(network: Network) -> int | None:
    """The side of square images to which the inside fixes a network of free size, or None.

    Shapes are inferred for each of the usual sides, and have to meet in every product, sum and
    reshaping.
    """
    if not _leaves_size_open(network) or all(fits(network, side) for side in FREE):
        return None
    return next((side for side in USUAL_SIDES if fits(network, side)), None)


def fits(network: Network, side: int) -> bool:
    """Whether nothing inside contradicts images of this side."""
    form = form_of(network)
    assert form is not None
    count = 3
    if isinstance(form.channels, int):
        count = form.channels
    try:
        sized = fixed(network, form, count, (side, side), batch=1)
    except ModelError:
        return False
    shapes = {
        value.name: value.shape
        for value in (*sized.graph.values.values(), *sized.inputs, *sized.outputs)
    }
    arrays = {**sized.graph.constants, **sized.weights}
    shapes |= {name: array.shape for name, array in arrays.items()}
    ends = [(value.shape or (1,))[:1] for value in sized.outputs]
    whole = all(length in (1, None) or isinstance(length, str) for end in ends for length in end)
    return whole and all(_meets(node, shapes) for node in sized.graph.nodes)


def _leaves_size_open(network: Network) -> bool:
    form = form_of(network)
    if form is None or form.layout == "nhw":
        return False
    return not isinstance(form.height, int) and not isinstance(form.width, int)


def _meets(node: Node, shapes: Mapping[str, Shape | None]) -> bool:
    """Whether the shapes that a node takes go together, as far as they are known."""
    taken = [shapes.get(name) for name in node.inputs[:2]]
    if len(taken) < 2 or taken[0] is None or taken[1] is None:
        return True
    left, right = taken[0], taken[1]
    if node.operator in ("Gemm", "MatMul") and left and len(right) > 1:
        inner = right[-1 if node.attributes.get("transB", 0) else -2]
        outer = left[0 if node.attributes.get("transA", 0) else -1]
        return _same(outer, inner)
    if node.operator in BROADCASTING:
        pairs = zip(reversed(left), reversed(right), strict=False)
        return all(1 in pair or _same(*pair) for pair in pairs)
    if node.operator == "Reshape" and _known(left):
        made = shapes.get(node.outputs[0])
        return made is not None and _known(made) and _size(made) == _size(left)
    return True


def _same(one: Dimension, other: Dimension) -> bool:
    return one == other or not isinstance(one, int) or not isinstance(other, int)


def _known(shape: Shape) -> bool:
    return all(isinstance(length, int) for length in shape)


def _size(shape: Shape) -> int:
    return prod(length for length in shape if isinstance(length, int))
