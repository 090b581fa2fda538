"""BatchNormalization put back behind convolutions that lost theirs, and held still where it is not to learn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network

EPSILON = 1e-5
AT_ONCE = 8
"""Examples that are computed together."""


def with_batchnorm(network: Network, inputs: Mapping[str, np.ndarray], framework: str, without: Collection[str] = ()) -> Network:
    """The network with a BatchNormalization behind each Conv that has none; its outputs in inference stay what they are.

    With the mean m and variance v of each channel of the Conv's output on `inputs`, the new node normalizes by m and v, and undoes
    it: scale = sqrt(v + epsilon) and bias = m, so that scale * (x - m) / sqrt(v + epsilon) + bias = x. In training, where the batch's
    own statistics are used, it keeps the activations of each channel where they were. Convolutions that take a weight of `without`
    are left alone, such as a last layer.
    """
    graph = network.graph
    normalized = {node.inputs[0] for node in graph.nodes if node.operator == "BatchNormalization"}
    ends = {value.name for value in graph.outputs}
    bare = [
        node
        for node in graph.nodes
        if node.operator == "Conv" and node.outputs[0] not in normalized | ends and not set(without) & set(node.inputs)
    ]
    if not bare:
        return network
    statistics = _statistics(network, [conv.outputs[0] for conv in bare], inputs, framework)
    nodes, weights, trainable = list(graph.nodes), dict(network.weights), set(network.trainable)
    taken = names_in(graph) | set(weights)
    for conv in bare:
        mean, variance = statistics[conv.outputs[0]]
        raw = free_name(f"{conv.outputs[0]}/raw", taken)
        arrays = {"weight": np.sqrt(variance + EPSILON), "bias": mean, "running_mean": mean, "running_var": variance}
        names = {kind: free_name(f"{conv.label}.norm.{kind}", taken) for kind in arrays}
        weights |= {names[kind]: array.astype(np.float32) for kind, array in arrays.items()}
        trainable |= {names["weight"], names["bias"]}
        at = next(index for index, node in enumerate(nodes) if node.outputs == conv.outputs)
        norm = Node("BatchNormalization", (raw, *names.values()), conv.outputs, {"epsilon": EPSILON}, f"{conv.name or raw}.norm")
        nodes[at : at + 1] = [replace(conv, outputs=(raw,)), norm]
    return network.changed(graph=replace(graph, nodes=tuple(nodes)), weights=weights, trainable=trainable)


def _statistics(
    network: Network, names: Sequence[str], inputs: Mapping[str, np.ndarray], framework: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each channel of these values; a few examples at a time, because all values of many would fill the memory."""
    graph = replace(network.graph, outputs=tuple(Value(name, network.outputs[0].dtype, None) for name in names))
    shown = network.changed(graph=graph)
    count = len(next(iter(inputs.values())))
    sums: dict[str, np.ndarray] = {}
    for start in range(0, count, AT_ONCE):
        part = {name: array[start : start + AT_ONCE] for name, array in inputs.items()}
        for name, y in shown.run(part, framework).items():
            wide = y.reshape(*y.shape[:2], -1).astype(np.float64)
            found = np.stack([np.full(y.shape[1], wide[:, 0].size), wide.sum((0, 2)), np.square(wide).sum((0, 2))])
            sums[name] = sums.get(name, 0) + found
    means = {name: total[1:] / total[0] for name, total in sums.items()}
    return {name: (mean, np.maximum(square - mean**2, 0)) for name, (mean, square) in means.items()}


def with_still_batchnorm(network: Network, frozen: Collection[str]) -> Network:
    """The network with each BatchNormalization whose scale and bias are both frozen as what it is in inference: x * factor + offset.

    In training it would otherwise normalize by the batch, and its statistics would go on moving. Its weights are gone from the
    network: they are in the constants `factor` and `offset`.
    """
    graph, constants, nodes = network.graph, dict(network.graph.constants), list[Node]()
    taken = names_in(graph) | set(network.weights)
    for node in graph.nodes:
        arrays = [network.weights.get(name, constants.get(name)) for name in node.inputs[1:5]]
        still = node.operator == "BatchNormalization" and set(node.inputs[1:3]) <= set(frozen) and len(node.outputs) == 1
        rank = len(_shape(network, node.inputs[0])) if still else 0
        if rank < 2 or any(array is None for array in arrays):
            nodes.append(node)
            continue
        scale, bias, mean, variance = (np.asarray(array, np.float64) for array in arrays)
        factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
        scaled, *names = (free_name(f"{node.outputs[0]}/{kind}", taken) for kind in ("scaled", "factor", "offset"))
        for name, array in zip(names, (factor, bias - mean * factor), strict=True):
            constants[name] = array.astype(network.weights[node.inputs[1]].dtype).reshape(-1, *[1] * (rank - 2))
        nodes += [
            Node("Mul", (node.inputs[0], names[0]), (scaled,), {}, scaled),
            Node("Add", (scaled, names[1]), node.outputs, {}, node.name),
        ]
    if nodes == list(graph.nodes):
        return network
    return network.changed(graph=replace(graph, nodes=tuple(nodes), constants=constants))


def _shape(network: Network, name: str) -> tuple[object, ...]:
    known = {value.name: value for value in (*network.inputs, *network.graph.values.values())}.get(name)
    return () if known is None or known.shape is None else known.shape
