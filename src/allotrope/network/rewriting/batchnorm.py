"""BatchNormalization put back behind convolutions that lost theirs, and held still if frozen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter

EPSILON = 1e-5
AT_ONCE = 8
"""Examples that are computed together."""


def with_batchnorm(
    network: Network,
    inputs: Mapping[str, np.ndarray],
    framework: str,
    without: Collection[str] = (),
) -> Network:
    """The network with a BatchNormalization behind each Conv that has none.

    Its outputs in inference stay what they are: with the mean m and variance v of each channel of
    the Conv's output on `inputs`, the new node normalizes by m and v, and undoes it:
    scale = sqrt(v + epsilon) and bias = m, so that scale * (x - m) / sqrt(v + epsilon) + bias = x.
    In training, which takes the batch's own statistics, it keeps the activations of each channel
    as they were. Convolutions that take a weight of `without` are left alone, such as a last layer.
    """
    rewriter = Rewriter(network.graph, network.weights)
    bare = [node for node in rewriter.nodes() if _is_bare(rewriter, node, without)]
    if not bare:
        return network
    statistics = _statistics(network, [conv.outputs[0] for conv in bare], inputs, framework)
    for conv in bare:
        rewriter.replace(conv.outputs, _normalized(rewriter, conv, *statistics[conv.outputs[0]]))
    return rewriter.applied_to(network)


def _is_bare(graph: Lookup, node: Node, without: Collection[str]) -> bool:
    """Whether it is a Conv inside the network that nothing normalizes."""
    # An answer of the network must not depend on the batch, and mostly is no activation.
    if node.operator != "Conv" or node.outputs[0] in graph.outputs:
        return False
    users = graph.users(node.outputs[0])
    normalized = any(
        user.operator == "BatchNormalization" and user.inputs[0] == node.outputs[0]
        for user in users
    )
    return not normalized and set(without).isdisjoint(node.inputs)


def _normalized(
    rewriter: Rewriter, conv: Node, mean: np.ndarray, variance: np.ndarray
) -> list[Node]:
    """The Conv, and behind it the normalization that is the identity in inference."""
    # The Conv gives a new name, and the normalization the old one, so that no user notices.
    raw = rewriter.fresh(f"{conv.outputs[0]}/raw")
    arrays = {
        "weight": np.sqrt(variance + EPSILON),
        "bias": mean,
        "running_mean": mean,
        "running_var": variance,
    }
    names = [
        rewriter.weight(
            f"{conv.label}.norm.{kind}",
            array.astype(np.float32),
            trainable=kind in ("weight", "bias"),
        )
        for kind, array in arrays.items()
    ]
    attributes = {"epsilon": EPSILON}
    name = f"{conv.name or raw}.norm"
    norm = Node("BatchNormalization", (raw, *names), conv.outputs, attributes, name)
    return [replace(conv, outputs=(raw,)), norm]


def _statistics(
    network: Network, names: Sequence[str], inputs: Mapping[str, np.ndarray], framework: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each channel of these values.

    A few examples at a time, because all values of many would fill the memory.
    """
    outputs = tuple(Value(name, network.outputs[0].dtype, None) for name in names)
    graph = replace(network.graph, outputs=outputs)
    shown = network.changed(graph=graph)
    count = len(next(iter(inputs.values())))
    sums: dict[str, np.ndarray] = {}
    for start in range(0, count, AT_ONCE):
        part = {name: array[start : start + AT_ONCE] for name, array in inputs.items()}
        for name, y in shown.run(part, framework).items():
            # Sums add up over parts; means of parts would not, if the last is smaller.
            sums[name] = sums.get(name, 0) + _sums(y)
    means = {name: total[1:] / total[0] for name, total in sums.items()}
    # By rounding the variance of a constant channel can come out a little below 0.
    return {name: (mean, np.maximum(square - mean**2, 0)) for name, (mean, square) in means.items()}


def _sums(y: np.ndarray) -> np.ndarray:
    """How many values each channel of y [n, c, ...] has, their sum, and that of their squares."""
    # In float64, because the square of the mean is taken from the mean of squares.
    wide = y.reshape(*y.shape[:2], -1).astype(np.float64)
    count = np.full(y.shape[1], wide[:, 0].size)
    return np.stack([count, wide.sum((0, 2)), np.square(wide).sum((0, 2))])


def with_still_batchnorm(network: Network, frozen: Collection[str]) -> Network:
    """The network with each BatchNormalization that is frozen as x * factor + offset.

    That is what it is in inference. In training it would otherwise normalize by the batch, and its
    statistics would go on moving. Its weights are gone from the network: they are in the constants
    `factor` and `offset`.
    """
    rewriter = Rewriter(network.graph, network.weights)
    still = [node for node in rewriter.nodes() if _is_still(rewriter, node, frozen)]
    for node in still:
        rewriter.replace(node.outputs, _held(rewriter, node))
    return rewriter.applied_to(network) if still else network


def _is_still(graph: Lookup, node: Node, frozen: Collection[str]) -> bool:
    if node.operator != "BatchNormalization" or len(node.outputs) != 1:
        return False
    known = graph.rank(node.inputs[0]) >= 2 and all(
        name in graph.arrays for name in node.inputs[1:]
    )
    return known and set(node.inputs[1:3]) <= set(frozen)


def _held(rewriter: Rewriter, node: Node) -> list[Node]:
    """The product and the sum that it is in inference."""
    arrays = [rewriter.arrays[name] for name in node.inputs[1:5]]
    scale, bias, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    # Worked out in float64 and rounded once: scale, mean and variance are constants by now.
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    # One number a channel, which is the axis behind the examples.
    column = (-1, *[1] * (rewriter.rank(node.inputs[0]) - 2))
    scaled = rewriter.fresh(f"{node.outputs[0]}/scaled")
    names = [
        rewriter.constant(
            f"{node.outputs[0]}/{kind}", array.astype(arrays[0].dtype).reshape(column)
        )
        for kind, array in (("factor", factor), ("offset", bias - mean * factor))
    ]
    return [
        Node("Mul", (node.inputs[0], names[0]), (scaled,), {}, scaled),
        Node("Add", (scaled, names[1]), node.outputs, {}, node.name),
    ]
