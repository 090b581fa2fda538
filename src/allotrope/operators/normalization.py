"""Normalization and softmax."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from allotrope.operators.axes import axis_of
from allotrope.operators.operator_table import operator


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

    running = momentum * running + (1 - momentum) * batch, with the population variance (Ioffe and
    Szegedy 2015; ONNX). While the network trains, the new running statistics are the new state of
    the weights that hold them.
    """
    if not (training_mode or context.training):
        return p.normalize(x, scale, bias, mean, variance, epsilon)
    normalize = p.batch_normalize_tracked
    if context.share is not None:
        normalize = partial(context.share.batch_normalize_tracked, p)
    y, *running = normalize(x, scale, bias, mean, variance, momentum, epsilon)
    if context.training:
        context.renew({3: running[0], 4: running[1]})
        return y, *running
    # Here the statistics are results like any other, with gradients.
    axes = (0, *range(2, len(p.shape(x))))
    batch_mean, centred = p.mean(x, axes), p.subtract(x, p.mean(x, axes, True))
    batch_variance = p.mean(p.multiply(centred, centred), axes)
    return (
        y,
        _running(p, mean, batch_mean, momentum),
        _running(p, variance, batch_variance, momentum),
    )


def _running(p: Any, old: Any, new: Any, momentum: float) -> Any:
    """A running statistic moved toward that of a batch."""
    new = p.cast(new, p.dtype(old))
    return p.add(p.multiply(old, momentum), p.multiply(new, 1 - momentum))


@operator("Softmax")
def softmax(p: Any, x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return p.softmax(x, axis)


@operator("LogSoftmax")
def log_softmax(p: Any, x: Any, *, axis: int = -1) -> Any:
    """Logarithm of softmax."""
    return p.log_softmax(x, axis)


@operator("InstanceNormalization")
def instance_normalization(p: Any, x: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    """Each channel of each x [n, c, *spatial] normalized by itself (Ulyanov et al. 2016)."""
    by_channel = (-1, *[1] * (len(p.shape(x)) - 2))
    y = standardize(p, x, tuple(range(2, len(p.shape(x)))), epsilon)
    return p.add(p.multiply(y, p.reshape(scale, by_channel)), p.reshape(bias, by_channel))


def standardize(p: Any, x: Any, axes: tuple[int, ...], epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon) over axes, with the population variance."""
    centred = p.subtract(x, p.mean(x, axes, True))
    variance = p.mean(p.multiply(centred, centred), axes, True)
    return p.divide(centred, p.sqrt(p.add(variance, epsilon)))


@operator("GroupNormalization")
def group_normalization(
    p: Any,
    x: Any,
    scale: Any,
    bias: Any,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Any:
    """Groups of channels of each x [n, c, *spatial] normalized by themselves (Wu and He 2018)."""
    n, c, *spatial = p.shape(x)
    # All that is normalized together on one axis, the last.
    grouped = p.reshape(x, (n, num_groups, c // num_groups * math.prod(spatial)))
    y = p.reshape(
        _in_precision(p, grouped, lambda g: standardize(p, g, (2,), epsilon)), (n, c, *spatial)
    )
    by_channel = (-1, *[1] * len(spatial))
    return p.add(p.multiply(y, p.reshape(scale, by_channel)), p.reshape(bias, by_channel))


def _in_precision(p: Any, x: Any, function: Any) -> Any:
    """The function computed in at least float32, as stash_type asks for half precisions."""
    dtype = p.dtype(x)
    if dtype.itemsize >= 4:
        return function(x)
    return p.cast(function(p.cast(x, np.dtype(np.float32))), dtype)


@operator("LayerNormalization")
def layer_normalization(
    p: Any,
    x: Any,
    scale: Any,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    context: Any,
) -> Any:
    """The axes from `axis` on normalized together (Ba et al. 2016).

    Where asked for, also the mean and the inverse deviation.
    """
    rank = len(p.shape(x))
    axis = axis_of(axis, rank)
    # The usual case, for which each framework has one kernel.
    if not context.wants(1) and not context.wants(2):
        return p.layer_normalize(x, scale, bias, p.shape(x)[axis:], epsilon)
    axes = tuple(range(axis, rank))
    mean = p.mean(x, axes, True)
    centred = p.subtract(x, mean)
    inverse = p.divide(
        p.full((), 1, p.dtype(x)),
        p.sqrt(p.add(p.mean(p.multiply(centred, centred), axes, True), epsilon)),
    )
    y = p.multiply(p.multiply(centred, inverse), scale)
    if bias is not None:
        y = p.add(y, bias)
    return y, mean, inverse


@operator("RMSNormalization")
def rms_normalization(
    p: Any, x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    """x / sqrt(mean(x²) + epsilon) * scale over the axes from `axis` (Zhang and Sennrich 2019)."""
    rank = len(p.shape(x))
    axes = tuple(range(axis_of(axis, rank), rank))

    def scaled(wide: Any) -> Any:
        return p.divide(wide, p.sqrt(p.add(p.mean(p.multiply(wide, wide), axes, True), epsilon)))

    y = _in_precision(p, x, scaled)
    if p.dtype(y) != p.dtype(scale):
        y = p.cast(y, p.dtype(scale))
    return p.multiply(y, scale)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(p: Any, x: Any, *, axes: tuple[int, ...] = (0, 2, 3)) -> Any:
    """(x - mean) / (standard deviation + 1e-9) over axes.

    Those that x does not have, as the default has them, are passed over.
    """
    rank = len(p.shape(x))
    axes = tuple(axis for axis in axes if axis < rank)
    centred = p.subtract(x, p.mean(x, axes, True))
    return p.divide(centred, p.add(p.sqrt(p.mean(p.multiply(centred, centred), axes, True)), 1e-9))


@operator("LpNormalization")
def lp_normalization(p: Any, x: Any, *, axis: int = -1, p_: int = 2) -> Any:
    """x divided by its 1-norm or 2-norm along an axis; 0 where the norm is 0."""
    if p_ == 1:
        norm = p.sum(p.abs(x), (axis,), True)
    else:
        norm = p.sqrt(p.sum(p.multiply(x, x), (axis,), True))
    return p.divide(x, p.where(p.equal(norm, 0), 1.0, norm))


@operator("LRN")
def local_response_normalization(
    p: Any, x: Any, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Any:
    """x / (bias + alpha / size * sum of x² over nearby channels)^beta (Krizhevsky et al. 2012)."""
    n, c, *spatial = p.shape(x)
    # Channels as an axis of an image, so that a mean of windows goes over neighbouring channels.
    squares = p.reshape(p.multiply(x, x), (n, 1, c, math.prod(spatial)))
    before = (size - 1) // 2
    mean = p.average_pool(squares, (size, 1), (1, 1), [(before, size - 1 - before), (0, 0)])
    return p.divide(x, p.power(p.add(p.multiply(p.reshape(mean, p.shape(x)), alpha), bias), beta))
