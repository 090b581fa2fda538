"""Normalizations, softmax and dropout of old opsets in the newest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.graph import Node
from allotrope.network.reading.adapters import Upgrade, before, changed, onnx_type


@before(12, "Dropout")
def _dropout(node: Node, up: Upgrade) -> list[Node]:
    """The mask, which was a number before opset 10, is cast back, or left out where nobody uses it.

    Before opset 7 a node drops outside of training too, unless is_test says that it does not.
    """
    ratio = up.constant(node, "ratio", np.array(node.attributes.get("ratio", 0.5), np.float32))
    inputs: tuple[str, ...] = (node.inputs[0], ratio)
    if up.opset < 7 and not node.attributes.get("is_test", 0):
        inputs = (*inputs, up.constant(node, "training_mode", np.array(True)))
    node = changed(node, drop=("is_test", "ratio"), inputs=inputs)
    if len(node.outputs) < 2 or node.outputs[1] not in up.used:
        return [replace(node, outputs=node.outputs[:1])]
    if up.opset >= 10:
        return [node]
    mask = up.fresh(node, "mask")
    to = onnx_type(up.dtype(node.inputs[0]))
    return [
        replace(node, outputs=(node.outputs[0], mask)),
        Node("Cast", (mask,), (node.outputs[1],), {"to": to}, mask),
    ]


@before(14, "BatchNormalization")
def _batch_normalization(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 14 the number of outputs said whether it trains."""
    if up.used.intersection(node.outputs[3:]):
        raise UnsupportedError("the outputs saved_mean and saved_var are used")
    by_position = node.attributes.get("spatial", 1) == 0 and not _are_by_channel(node, up)
    node = changed(node, drop=("is_test", "spatial"))
    node = (
        changed(replace(node, outputs=node.outputs[:3]), training_mode=1)
        if any(node.outputs[1:3])
        else node
    )
    return _by_position(node, up) if by_position else [node]


def _are_by_channel(node: Node, up: Upgrade) -> bool:
    """Whether a node with spatial=0 has one number a channel all the same, as MXNet wrote them."""
    return len(up.shape(node.inputs[3]) or ()) == 1


def _by_position(node: Node, up: Upgrade) -> list[Node]:
    """Statistics for each position, spatial=0 before opset 9.

    That is the normalization of x as one row of features an example.
    """
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
        return [changed(node, axis=axis % len(shape) - len(shape) if shape else -1)]
    x, flat, soft, length = (
        node.inputs[0],
        up.fresh(node, "flat"),
        up.fresh(node, "soft"),
        up.fresh(node, "shape"),
    )
    return [
        Node("Shape", (x,), (length,), {}, length),
        Node("Flatten", (x,), (flat,), {"axis": axis}, flat),
        Node(node.operator, (flat,), (soft,), {"axis": -1}, node.name),
        Node("Reshape", (soft, length), node.outputs, {}, up.fresh(node, "unflat")),
    ]


@before(21, "GroupNormalization")
def _group_normalization(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 21 scale and bias were given for each group.

    Each is repeated for the group's channels.
    """
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
    return [*nodes, changed(node, inputs=(node.inputs[0], *names))]
