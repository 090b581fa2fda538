"""The output from which a network learns by an embedding; it is not delivered.

Weights of it are weights of the network, so that frameworks, checkpoints and the moving average
treat them as such.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Value
from allotrope.network.initialize import draw, fan_in_uniform
from allotrope.network.network import Network
from allotrope.network.rewriting.head import head_of
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import without_unused
from allotrope.tasks.embedding_losses import CENTER

EMBEDDING = ".embedding"
"""What follows a task's name in the output."""
SIZE = 128
"""Numbers of an embedding (Khosla et al. 2020, section 4)."""


def with_embedding(network: Network, task: str, classes: int, loss: str, seed: int) -> Network:
    """The network with the output that the loss is of, made of what its last layer takes.

    For centers the squared distance to each of them [n, classes], else an embedding [n, 128] of
    length 1, behind a dense layer of its own.

    Raises: UsageError if it has no last dense layer.
    """
    head = head_of(network)
    rewriter = Rewriter(network.graph, network.weights)
    features = "" if head is None else head.layer.inputs[0]
    known = rewriter.known(features)
    shape = None if known is None else known.shape
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        raise UsageError(
            f"loss {loss} is of the features that a last dense layer takes, [n, d], and this "
            f"network ends otherwise: {shape or 'no last layer was found'}. Take another loss."
        )
    name, width = f"{task}{EMBEDDING}", shape[1]
    if loss == CENTER:
        drawn = {f"{name}.centers": (classes, width)}
    else:
        drawn = {f"{name}.weight": (SIZE, width)}
    weights = {key: draw(fan_in_uniform, seed, key, of).copy() for key, of in drawn.items()}
    network = network.changed(weights=weights, trainable=network.trainable | weights.keys())
    rewriter = Rewriter(network.graph, network.weights)
    make = _distances if loss == CENTER else _projected
    (weight,), size = weights, classes if loss == CENTER else SIZE
    made = make(rewriter, features, name, weight)
    rewriter.give(*network.outputs, Value(made, np.dtype(np.float32), ("n", size)))
    return rewriter.applied_to(network)


def _projected(rewriter: Rewriter, x: str, name: str, weight: str) -> str:
    y = rewriter.append("Gemm", [x, weight], f"{name}.projected", {"transB": 1})
    root = rewriter.append("Sqrt", [_squares(rewriter, y, f"{name}.squares")], f"{name}.length")
    return rewriter.append("Div", [y, root], name)


def _distances(rewriter: Rewriter, x: str, name: str, centers: str) -> str:
    """|x|² - 2 x c + |c|² for each center c."""
    minus = rewriter.constant(f"{name}.two", np.array(-2, np.float32))
    axes = rewriter.constant(f"{name}.axes", np.array([1], np.int64))
    turned = rewriter.append("Transpose", [centers], f"{name}.turned", {"perm": (1, 0)})
    product = rewriter.append("MatMul", [x, turned], f"{name}.product")
    twice = rewriter.append("Mul", [product, minus], f"{name}.twice")
    added = rewriter.append("Add", [twice, _squares(rewriter, x, f"{name}.squares")], f"{name}.own")
    sizes = rewriter.append("ReduceSumSquare", [centers, axes], f"{name}.sizes", {"keepdims": 0})
    return rewriter.append("Add", [added, sizes], name)


def _squares(rewriter: Rewriter, x: str, name: str) -> str:
    """The sum of squares of each row, [n, 1], above 0."""
    axes = rewriter.constant(f"{name}.axes", np.array([1], np.int64))
    least = rewriter.constant(f"{name}.least", np.array(1e-12, np.float32))
    total = rewriter.append("ReduceSumSquare", [x, axes], name, {"keepdims": 1})
    return rewriter.append("Add", [total, least], f"{name}.above")


def without_embeddings(network: Network) -> Network:
    """The network as it is delivered."""
    names = {value.name for value in network.outputs}
    outputs = tuple(
        value
        for value in network.outputs
        if not (value.name.endswith(EMBEDDING) and value.name.removesuffix(EMBEDDING) in names)
    )
    if len(outputs) == len(network.outputs):
        return network
    return network.changed(graph=without_unused(replace(network.graph, outputs=outputs)))
