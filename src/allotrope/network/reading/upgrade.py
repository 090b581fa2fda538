"""Brings the operators of any opset from 6 to the one opset that everything here means.

Each function takes a node as it was before the version it is registered with, and gives nodes that mean the same in `OPSET`.
Sources: the operator changelog of ONNX (docs/Changelog.md) and, where it leaves a choice, what ONNX Runtime computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import free_name

Adapter = Callable[[Node, "Upgrade"], "list[Node]"]
_ADAPTERS: dict[str, tuple[int, Adapter]] = {}

LATE = frozenset({"Hardmax", "LogSoftmax", "Softmax"})
"""Operators that need shapes which old opsets do not infer; old or new, they do not change the shape."""


def before(version: int, *operators: str) -> Callable[[Adapter], Adapter]:
    """Register what brings these operators, as they were before an opset version, up to date."""

    def register(adapter: Adapter) -> Adapter:
        _ADAPTERS.update(dict.fromkeys(operators, (version, adapter)))
        return adapter

    return register


@dataclass
class Upgrade:
    """One graph on its way: what is known of its values, names that are taken, those that somebody uses, constants that were added."""

    opset: int
    known: Callable[[], Mapping[str, Value]]
    arrays: Mapping[str, np.ndarray]
    taken: set[str]
    used: frozenset[str]
    added: dict[str, np.ndarray] = field(default_factory=dict)

    def constant(self, node: Node, suffix: str, array: Any) -> str:
        """A new constant that belongs to a node; gives its name."""
        name = self.fresh(node, suffix)
        self.added[name] = np.asarray(array)
        return name

    def fresh(self, node: Node, suffix: str) -> str:
        """A value name that is not taken."""
        return free_name(f"{node.label}/{suffix}", self.taken)

    def dtype(self, name: str) -> np.dtype:
        """The type of a value, float32 where inference does not know it."""
        value = self.known().get(name)
        return value.dtype if value is not None else np.dtype(np.float32)

    def rank(self, name: str) -> int:
        """The number of axes of a value. Raises: UnsupportedError where it is not known."""
        shape = self.shape(name)
        if shape is None:
            raise UnsupportedError(f"the number of axes of '{name}' is not known")
        return len(shape)

    def shape(self, name: str) -> tuple[Any, ...] | None:
        """The shape of a value as far as it is known."""
        value = self.known().get(name)
        return value.shape if value is not None else None


def is_upgraded(operator: str, opset: int) -> bool:
    """Whether there is a way from an operator as it was in an opset to `OPSET`."""
    return opset < _ADAPTERS.get(operator, (0, None))[0]


def needs_upgrade(graph: Graph, opset: int, late: bool) -> bool:
    """Whether any node of the graph was different in the opset it was written for; `late` asks for those in `LATE`, or the others."""
    return any(_adapter(node, opset, late) or any(needs_upgrade(inner, opset, late) for inner in node.subgraphs) for node in graph.nodes)


def upgrade(graph: Graph, up: Upgrade, late: bool) -> Graph:
    """The same graph in `OPSET`, in two calls: without and with `late`. The constants that it needs beside its own are in `up.added`.

    Raises: UnsupportedError naming every node that has no equal there.
    """
    nodes: list[Node] = []
    problems: list[str] = []
    for node in graph.nodes:
        inner = {name: upgrade(value, up, late) for name, value in node.attributes.items() if isinstance(value, Graph)}
        node = replace(node, attributes={**node.attributes, **inner}) if inner else node
        adapter = _adapter(node, up.opset, late)
        try:
            nodes += adapter(node, up) if adapter else [node]
        except UnsupportedError as error:
            problems.append(f"{node} of opset {up.opset}: {error}")
    if problems:
        raise UnsupportedError(f"nodes that mean something that ONNX has dropped: {'; '.join(problems)}.")
    return replace(graph, nodes=tuple(nodes))


def _adapter(node: Node, opset: int, late: bool) -> Adapter | None:
    version, adapter = _ADAPTERS.get(node.operator, (0, None))
    return adapter if node.domain == "" and opset < version and (node.operator in LATE) == late else None


def _changed(node: Node, *, drop: tuple[str, ...] = (), inputs: tuple[str, ...] | None = None, **attributes: Any) -> Node:
    kept = {name: value for name, value in node.attributes.items() if name not in drop}
    return replace(node, inputs=node.inputs if inputs is None else inputs, attributes=kept | attributes)


def _attribute_to_input(node: Node, up: Upgrade, attribute: str, position: int, scalar: bool = False) -> Node:
    """An integer attribute that became an input."""
    if attribute not in node.attributes:
        return node
    values = node.attributes[attribute]
    array = np.array(values if scalar else np.atleast_1d(values), dtype=np.int64)
    inputs = (*node.inputs, *[""] * (position - len(node.inputs)), up.constant(node, attribute, array))
    return _changed(node, drop=(attribute,), inputs=inputs)


@before(7, "Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")
def _stretched(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 the second operand was stretched where asked for, its axes being those of the first from `axis` on."""
    plain = _changed(node, drop=("axis", "broadcast"))
    if not node.attributes.get("broadcast") or "axis" not in node.attributes:
        return [plain]
    first, second = (up.rank(name) for name in node.inputs)
    return _with_axes_after(plain, up, first - node.attributes["axis"] % first - second)


@before(7, "PRelu")
def _parametric_relu(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 the slopes were by channel, whatever came after."""
    return _with_axes_after(node, up, up.rank(node.inputs[0]) - 1 - up.rank(node.inputs[1]))


def _with_axes_after(node: Node, up: Upgrade, count: int) -> list[Node]:
    """The node with so many axes of length 1 after those of its second operand."""
    if count <= 0:
        return [node]
    axes, longer = up.constant(node, "axes", np.arange(-count, 0)), up.fresh(node, "longer")
    return [Node("Unsqueeze", (node.inputs[1], axes), (longer,), {}, longer), _changed(node, inputs=(node.inputs[0], longer))]


@before(7, "AveragePool", "GRU", "Gemm", "LSTM", "RNN")
def _without_hints(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 matrices said that a bias is stretched, and recurrent layers which results are wanted."""
    return [_changed(node, drop=("broadcast", "output_sequence"))]


@before(
    18, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"
)
@before(13, "ReduceSum", "Squeeze", "Unsqueeze")
def _axes(node: Node, up: Upgrade) -> list[Node]:
    return [_attribute_to_input(node, up, "axes", 1)]


@before(10, "Slice")
def _slice(node: Node, up: Upgrade) -> list[Node]:
    for position, attribute in enumerate(("starts", "ends", "axes"), start=1):
        node = _attribute_to_input(node, up, attribute, position)
    return [node]


@before(10, "TopK")
def _topk(node: Node, up: Upgrade) -> list[Node]:
    return [_attribute_to_input(node, up, "k", 1)]


@before(18, "Split")
def _split(node: Node, up: Upgrade) -> list[Node]:
    node = _attribute_to_input(node, up, "split", 1)
    return [node if len(node.inputs) > 1 else _changed(node, num_outputs=len(node.outputs))]


@before(11, "Clip")
def _clip(node: Node, up: Upgrade) -> list[Node]:
    dtype = up.dtype(node.inputs[0])
    bounds = [up.constant(node, k, np.array(node.attributes[k], dtype)) if k in node.attributes else "" for k in ("min", "max")]
    while bounds and not bounds[-1]:
        bounds.pop()
    return [_changed(node, drop=("min", "max"), inputs=(node.inputs[0], *bounds))]


@before(11, "Pad")
def _pad(node: Node, up: Upgrade) -> list[Node]:
    value = float(node.attributes.get("value", 0.0))
    node = _changed(_attribute_to_input(node, up, "pads", 1), drop=("value",))
    if value == 0.0:
        return [node]
    return [_changed(node, inputs=(*node.inputs, up.constant(node, "value", np.array(value, up.dtype(node.inputs[0])))))]


@before(12, "Dropout")
def _dropout(node: Node, up: Upgrade) -> list[Node]:
    """The mask, which was a number before opset 10, is cast back, or left out where nobody uses it.

    Before opset 7 a node drops outside of training too, unless is_test says that it does not.
    """
    ratio = up.constant(node, "ratio", np.array(node.attributes.get("ratio", 0.5), np.float32))
    inputs: tuple[str, ...] = (node.inputs[0], ratio)
    if up.opset < 7 and not node.attributes.get("is_test", 0):
        inputs = (*inputs, up.constant(node, "training_mode", np.array(True)))
    node = _changed(node, drop=("is_test", "ratio"), inputs=inputs)
    if len(node.outputs) < 2 or node.outputs[1] not in up.used:
        return [replace(node, outputs=node.outputs[:1])]
    if up.opset >= 10:
        return [node]
    mask = up.fresh(node, "mask")
    to = _onnx_type(up.dtype(node.inputs[0]))
    return [replace(node, outputs=(node.outputs[0], mask)), Node("Cast", (mask,), (node.outputs[1],), {"to": to}, mask)]


@before(14, "BatchNormalization")
def _batch_normalization(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 14 the number of outputs said whether it trains."""
    if up.used.intersection(node.outputs[3:]):
        raise UnsupportedError("the outputs saved_mean and saved_var are used")
    by_position = node.attributes.get("spatial", 1) == 0 and not _are_by_channel(node, up)
    node = _changed(node, drop=("is_test", "spatial"))
    node = _changed(replace(node, outputs=node.outputs[:3]), training_mode=1) if any(node.outputs[1:3]) else node
    return _by_position(node, up) if by_position else [node]


def _are_by_channel(node: Node, up: Upgrade) -> bool:
    """Whether the statistics of a node with spatial=0 are one number a channel all the same, as MXNet wrote them."""
    return len(up.shape(node.inputs[3]) or ()) == 1


def _by_position(node: Node, up: Upgrade) -> list[Node]:
    """Statistics for each position, spatial=0 before opset 9: the normalization of x as one row of features an example."""
    x, (y, *others) = node.inputs[0], node.outputs
    flat, normal, length = up.fresh(node, "flat"), up.fresh(node, "normal"), up.fresh(node, "shape")
    row = up.constant(node, "row", np.array([-1], np.int64))
    nodes, names = [], []
    for name in node.inputs[1:5]:
        if name in up.arrays:
            names.append(up.constant(node, name, up.arrays[name].reshape(-1)))
            continue
        names.append(up.fresh(node, f"{name}/row"))
        nodes.append(Node("Reshape", (name, row), (names[-1],), {}, names[-1]))
    return [
        *nodes,
        Node("Shape", (x,), (length,), {}, length),
        Node("Flatten", (x,), (flat,), {"axis": 1}, flat),
        replace(node, inputs=(flat, *names), outputs=(normal, *others)),
        Node("Reshape", (normal, length), (y,), {}, up.fresh(node, "unflat")),
    ]


@before(13, "Softmax", "LogSoftmax", "Hardmax")
def _softmax(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 13 all axes from `axis` on were one."""
    axis = int(node.attributes.get("axis", 1))
    shape = up.shape(node.inputs[0])
    if shape is not None and not -len(shape) <= axis < len(shape):
        raise ModelError(f"{node} works along axis {axis} of {len(shape)}.")
    if axis == -1 or (shape and (axis == len(shape) - 1 or all(n == 1 for n in shape[axis + 1 :]))):
        return [_changed(node, axis=axis % len(shape) - len(shape) if shape else -1)]
    x, flat, soft, length = node.inputs[0], up.fresh(node, "flat"), up.fresh(node, "soft"), up.fresh(node, "shape")
    return [
        Node("Shape", (x,), (length,), {}, length),
        Node("Flatten", (x,), (flat,), {"axis": axis}, flat),
        Node(node.operator, (flat,), (soft,), {"axis": -1}, node.name),
        Node("Reshape", (soft, length), node.outputs, {}, up.fresh(node, "unflat")),
    ]


@before(10, "Upsample")
def _upsample(node: Node, up: Upgrade) -> list[Node]:
    old = node.attributes
    given = old.get("scales") or (1.0, 1.0, old.get("height_scale", 1.0), old.get("width_scale", 1.0))
    scales = node.inputs[1] if len(node.inputs) > 1 else up.constant(node, "scales", np.array(given, np.float32))
    attributes = {"mode": node.attributes.get("mode", "nearest"), "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return [Node("Resize", (node.inputs[0], "", scales), node.outputs, attributes, node.name)]


@before(13, "Resize")
def _resize(node: Node, up: Upgrade) -> list[Node]:
    """Opset 10 counts positions from the corner."""
    if up.opset < 11:
        return _resized_from_the_corner(node, up)
    inputs = tuple("" if name in up.arrays and up.arrays[name].size == 0 else name for name in node.inputs)
    if node.attributes.get("coordinate_transformation_mode") == "tf_half_pixel_for_nn":
        return [_tensorflow_nearest(_changed(node, inputs=inputs))]
    return [_changed(node, inputs=inputs)]


def _resized_from_the_corner(node: Node, up: Upgrade) -> list[Node]:
    """Along axes that shrink ONNX Runtime takes the next position and not the one before, so that they are resized by themselves."""
    x, scales = node.inputs
    factors = up.arrays.get(scales)
    shrinks = None if factors is None else factors < 1
    nearest = "ceil" if shrinks is not None and shrinks.any() else "floor"
    options: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": nearest}
    if factors is None or nearest == "floor" or not (factors > 1).any() or node.attributes.get("mode") == "linear":
        return [_changed(node, inputs=(x, "", scales), **options)]
    larger = up.constant(node, "larger", np.maximum(factors, 1))
    smaller = up.constant(node, "smaller", np.minimum(factors, 1))
    grown = up.fresh(node, "grown")
    return [
        _changed(replace(node, outputs=(grown,), name=grown), inputs=(x, "", larger), **{**options, "nearest_mode": "floor"}),
        _changed(node, inputs=(grown, "", smaller), **options),
    ]


_HALF_A_PLACE_ON = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}
"""How a position is rounded half a place before it, so that the same place comes out."""


def _tensorflow_nearest(node: Node) -> Node:
    """Positions of tf_half_pixel_for_nn, (x + 0.5) / scale, lie half a place beyond those of half_pixel."""
    kind, rounding = node.attributes.get("mode", "nearest"), node.attributes.get("nearest_mode", "round_prefer_floor")
    if kind != "nearest" or rounding not in _HALF_A_PLACE_ON:
        raise UnsupportedError(f"tf_half_pixel_for_nn with mode={kind} and nearest_mode={rounding}; TensorFlow's is nearest, floor")
    return _changed(node, coordinate_transformation_mode="half_pixel", nearest_mode=_HALF_A_PLACE_ON[rounding])


@before(11, "Scatter")
def _scatter(node: Node, up: Upgrade) -> list[Node]:
    return [replace(node, operator="ScatterElements")]


@before(20, "DFT")
def _dft(node: Node, up: Upgrade) -> list[Node]:
    return [_attribute_to_input(_changed(node, axis=node.attributes.get("axis", 1)), up, "axis", 2, scalar=True)]


@before(20, "GridSample")
def _grid_sample(node: Node, up: Upgrade) -> list[Node]:
    mode = str(node.attributes.get("mode", "bilinear"))
    return [_changed(node, mode={"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))]


@before(21, "GroupNormalization")
def _group_normalization(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 21 scale and bias were given for each group; each is repeated for the group's channels."""
    shape = up.shape(node.inputs[0])
    groups = int(node.attributes["num_groups"])
    if groups < 1:
        raise ModelError(f"{node} has num_groups {groups}; there is at least 1.")
    if shape is None or len(shape) < 2 or not isinstance(shape[1], int):
        raise UnsupportedError("the number of channels is not known")
    column = up.constant(node, "column", np.array([groups, 1], np.int64))
    expanded = up.constant(node, "channels", np.array([groups, shape[1] // groups], np.int64))
    flat = up.constant(node, "flat", np.array([-1], np.int64))
    nodes, names = [], []
    for name in node.inputs[1:3]:
        steps = [up.fresh(node, step) for step in ("as_column", "repeated", "by_channel")]
        nodes += [
            Node("Reshape", (name, column), (steps[0],), {}, steps[0]),
            Node("Expand", (steps[0], expanded), (steps[1],), {}, steps[1]),
            Node("Reshape", (steps[1], flat), (steps[2],), {}, steps[2]),
        ]
        names.append(steps[2])
    return [*nodes, _changed(node, inputs=(node.inputs[0], *names))]


@before(16, "RoiAlign")
def _roi_align(node: Node, up: Upgrade) -> list[Node]:
    return [_changed(node, coordinate_transformation_mode="output_half_pixel")]


@before(9, "Scan")
def _scan(node: Node, up: Upgrade) -> list[Node]:
    raise UnsupportedError("Scan over a batch of sequences")


def _onnx_type(dtype: np.dtype) -> int:
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
