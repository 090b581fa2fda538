"""Normalization and softmax."""

from __future__ import annotations

from typing import Any

from allotrope.operators.table import operator


@operator("BatchNormalization")
def batch_normalization(
    p: Any,
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    context: Any,
) -> Any:
    """Normalization of axis 1, by the given statistics, or in training by the batch's own.

    running = momentum * running + (1 - momentum) * batch, with the population variance (Ioffe and Szegedy 2015; ONNX).
    While the network trains, the new running statistics are the new state of the weights that hold them.
    """
    if not (training_mode or context.training):
        return p.normalize(x, scale, bias, mean, variance, epsilon)
    y, batch_mean, batch_variance = p.batch_normalize(x, scale, bias, epsilon)
    running = [
        p.add(p.multiply(old, momentum), p.multiply(p.cast(new, p.dtype(old)), 1 - momentum))
        for old, new in ((mean, batch_mean), (variance, batch_variance))
    ]
    if context.training:
        context.updates.update(zip(context.node.inputs[3:5], running, strict=True))
    return y, *running


@operator("Softmax")
def softmax(p: Any, x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return p.softmax(x, axis)


@operator("LogSoftmax")
def log_softmax(p: Any, x: Any, *, axis: int = -1) -> Any:
    """Logarithm of softmax."""
    return p.log_softmax(x, axis)
