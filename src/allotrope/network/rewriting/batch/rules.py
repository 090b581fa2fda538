"""How operators treat a batch: elementwise ones, those along an axis, and layers over examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import ALIGNED, Following, Placements, rule
from allotrope.network.rewriting.batch.placement import Mixes, Placement

_ALONG = """
    Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf
    Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal
    Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh
    ThresholdedRelu
    """.split()  # noqa: SIM905 - a list would take a line a word
_BROADCAST = """
    Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max
    Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor
    """.split()  # noqa: SIM905 - a list would take a line a word
_LAYERS = """
    AveragePool BatchNormalization Conv ConvTranspose DeformConv DepthToSpace GlobalAveragePool
    GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LpPool MaxPool
    SpaceToDepth
    """.split()  # noqa: SIM905 - a list would take a line a word
ALIGNED |= {*_ALONG, *_BROADCAST}


@rule(*_ALONG)
def _along(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    return node, f.placements[node.inputs[0]]


@rule("CastLike")
def _cast_like(f: Following, node: Node) -> tuple[Node, Placements]:
    """Of what it is cast like, the type alone counts."""
    place = f.place(node.inputs[0])
    if place is None:
        raise Mixes("what it works on is not computed from examples")
    return node, place


@rule("ConvInteger", "QLinearConv", "Col2Im")
def _whole_numbers(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    return node, first_axis(f, node.inputs[0])


@rule("Det")
def _determinant(f: Following, node: Node) -> tuple[Node, Placements]:
    place = f.placements[node.inputs[0]]
    if place.axis >= len(f.lengths(node.inputs[0])) - 2:
        raise Mixes("the batch is one side of its matrix")
    return node, place


@rule(*_LAYERS)
def _layer(f: Following, node: Node) -> tuple[Node, Placements]:
    """Its examples are the first axis; windows and the like are more examples to it."""
    _alone(f, node, also=(1, 4) if node.operator == "DeformConv" else ())
    if node.operator == "MaxPool" and len(node.outputs) > 1:
        raise Mixes("it numbers places over all examples")
    if node.attributes.get("training_mode", 0):
        raise Mixes("in training mode it takes statistics over all examples")
    return node, first_axis(f, node.inputs[0])


def _alone(f: Following, node: Node, also: Sequence[int] = ()) -> None:
    others = [
        name for i, name in enumerate(node.inputs) if i > 0 and i not in also and f.place(name)
    ]
    if others or f.place(node.inputs[0]) is None:
        raise Mixes(
            f"'{(others or node.inputs)[0]}' is computed from examples, or what it works on is not"
        )


def first_axis(f: Following, name: str) -> Placement:
    """Where the examples of a value are. Raises: Mixes if that is not the first axis."""
    place = f.place(name)
    if place is None or place.axis != 0:
        raise Mixes(f"the examples are not the first axis of '{name}'")
    return place


@rule(*_BROADCAST)
def _broadcast(f: Following, node: Node) -> tuple[Node, Placements]:
    ranks = [len(f.lengths(name)) for name in node.inputs]
    return aligned(f, node, max(ranks), range(len(node.inputs)))


def aligned(
    f: Following, node: Node, rank: int, positions: Sequence[int]
) -> tuple[Node, Placement]:
    """The node, if its inputs, aligned from behind, hold the examples at one place or not at all.

    Raises: Mixes if they do not.
    """
    places = {
        place for i in positions if (place := _aligned_place(f, node.inputs[i], rank)) is not None
    }
    if len(places) != 1:
        raise Mixes("the examples lie along different axes of its inputs")
    (place,) = places
    for i in positions:
        name = node.inputs[i]
        missing = rank - len(f.lengths(name))
        rows = 1 if f.place(name) or missing > place.axis else f.lengths(name)[place.axis - missing]
        if rows != 1:
            node = node.with_input(i, f.spread(name, place.at(place.axis - missing)))
    return node, place


def _aligned_place(f: Following, name: str, rank: int) -> Placement | None:
    place = f.place(name)
    return None if place is None else place.at(place.axis + rank - len(f.lengths(name)))


_ALONG_AXIS = {
    "ArgMax": 0,
    "ArgMin": 0,
    "Hardmax": -1,
    "LayerNormalization": -1,
    "LogSoftmax": -1,
    "LpNormalization": -1,
    "RMSNormalization": -1,
    "Softmax": -1,
    "TopK": -1,
}
"""Operators along one axis, with its default."""


@rule(*_ALONG_AXIS)
def _along_axis(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    place, axis = f.placements[node.inputs[0]], f.axis(node, _ALONG_AXIS[node.operator])
    whole = node.operator in ("LayerNormalization", "RMSNormalization")
    if axis == place.axis or (whole and axis < place.axis):
        raise Mixes("it works along the batch")
    gone = (
        node.operator.startswith("Arg")
        and not node.attributes.get("keepdims", 1)
        and axis < place.axis
    )
    return node, place.at(place.axis - gone)


@rule("CumSum", "CumProd")
def _running(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    axis, place = f.fixed(node, 1), f.placements[node.inputs[0]]
    if axis is None or axis.item() % len(f.lengths(node.inputs[0])) == place.axis:
        raise Mixes("it works along the batch")
    return node, place


@rule(
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)
def _reduce(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    place, rank, axes = (
        f.placements[node.inputs[0]],
        len(f.lengths(node.inputs[0])),
        f.fixed(node, 1),
    )
    if axes is None or axes.size == 0:
        if node.attributes.get("noop_with_empty_axes", 0):
            return node, place
        raise Mixes("it takes the examples together")
    chosen = {int(axis) % rank for axis in axes.ravel()}
    if place.axis in chosen:
        raise Mixes("it takes the examples together")
    gone = 0 if node.attributes.get("keepdims", 1) else sum(axis < place.axis for axis in chosen)
    return node, place.at(place.axis - gone)


@rule("MeanVarianceNormalization")
def _mean_variance(f: Following, node: Node) -> tuple[Node, Placements]:
    place, rank = f.placements[node.inputs[0]], len(f.lengths(node.inputs[0]))
    if place.axis in {axis % rank for axis in node.attributes.get("axes", (0, 2, 3))}:
        raise Mixes("it takes the examples together")
    return node, place


@rule("QuantizeLinear", "DequantizeLinear")
def _quantize(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    place = f.placements[node.inputs[0]]
    single = all(len(f.lengths(name)) == 0 or f.lengths(name) == (1,) for name in node.inputs[1:])
    if not single and f.axis(node, 1) == place.axis:
        raise Mixes("it has a scale for each example")
    return node, place


@rule("DynamicQuantizeLinear")
def _dynamic(f: Following, node: Node) -> tuple[Node, Placements]:
    raise Mixes("it takes its scale from all examples together")


@rule("Split")
def _split(f: Following, node: Node) -> tuple[Node, Placements]:
    _alone(f, node)
    place, axis, parts = f.placements[node.inputs[0]], f.axis(node, 0), len(node.outputs)
    if axis != place.axis:
        return node, place
    sizes = f.fixed(node, 1)
    equal = sizes is None or len(set(sizes.tolist())) == 1
    if not equal or place.outer % parts:
        raise Mixes("it parts the examples from each other")
    attributes = {"axis": node.attributes.get("axis", 0), "num_outputs": parts}
    written = replace(node, inputs=node.inputs[:1], attributes=attributes)
    return written, Placement(place.axis, place.outer // parts, place.inner)


@rule("Concat")
def _concat(f: Following, node: Node) -> tuple[Node, Placements]:
    axis = f.axis(node, 0, next(i for i, name in enumerate(node.inputs) if f.place(name)))
    places = {place for name in node.inputs if (place := f.place(name)) is not None}
    first = next(iter(places))
    if axis == first.axis:
        return node, _stacked(f, node, axis)
    if len(places) != 1:
        raise Mixes("the examples lie along different axes of its inputs")
    for i, name in enumerate(node.inputs):
        if f.place(name) is None:
            if len(f.lengths(name)) != len(f.lengths(node.inputs[0])) and first.front:
                raise Mixes("the batch was squeezed away before it")
            node = node.with_input(i, f.spread(name, first.at(first.axis)))
    return node, first


def _stacked(f: Following, node: Node, axis: int) -> Placement:
    """Batches one after the other, as twins and guided diffusion use them."""
    places = [place for name in node.inputs if (place := f.place(name)) is not None]
    alike = all(place.axis == axis and place.inner == 1 for place in places)
    if len(places) < len(node.inputs) or not alike:
        raise Mixes("it puts something else behind the examples")
    return Placement(axis, sum(place.outer for place in places))
