"""Keras's layers with weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.conversion.core.geometry import (
    even,
    linear_arrays,
    pads_of,
    same_pads,
    single,
    transposed_cuts,
    unusual,
)
from allotrope.conversion.core.source import Expression, Group, call, literal, shortest
from allotrope.conversion.keras.site import KerasSite


def applied(layer: str, x: str) -> Group:
    """A layer called on a variable."""
    return Group(f"{layer}(", (("", x),), ")")


def zero_padded(site: KerasSite, x: str, pads: Sequence[tuple[int, int]]) -> str:
    """x [n, *spatial, c] with zeros around, in a variable of its own."""
    if not any(map(any, pads)):
        return x
    if any(n < 0 for pair in pads for n in pair):
        raise site.no("its pads are negative")
    if all(before == after for before, after in pads):
        amount: Any = even([before for before, _ in pads])
    else:
        amount = single(pads)
    made = site.layers.layer(f"{site.name()}.pad", f"ZeroPadding{len(pads)}D", [amount], {}, [])
    return site.temporary(applied(made, x))


PADDING = {True: '"same"', False: None}
"""How a layer is told that its pads are those that Keras calls "same"."""


def convolution(site: KerasSite) -> Expression:
    """Conv; one filter for each channel is a depthwise layer."""
    shape, weight, bias = site.shape(1), site.weight(1), site.weight(2)
    if (
        shape is None
        or len(shape) not in (3, 4, 5)
        or weight is None
        or (site.has(2) and bias is None)
    ):
        raise site.no("Keras convolves over 1 to 3 spatial axes with weights of its own")
    rank, kernel, groups = len(shape) - 2, shape[2:], site.attribute("group", 1)
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    if set(strides) != {1} and set(dilations) != {1}:
        raise site.no("Keras has no convolution with strides and dilation")
    pads, x = pads_of(site, kernel, strides, dilations), site.last()
    same = any(map(any, pads)) and same_pads(site, kernel, strides, dilations) == pads
    if not same:
        x = zero_padded(site, x, pads)
    apart = site.mixed(1, 2)
    biased = bias is not None and not apart
    options = {
        "strides": unusual(even(strides), 1),
        "padding": PADDING[same],
        "dilation_rate": unusual(even(dilations), 1),
        "use_bias": unusual(biased, True),
    }
    channels, order = shape[1] * groups, (*range(2, rank + 2), 1, 0)
    # One filter for each channel has a layer of its own in Keras, and a faster kernel.
    if groups == channels > 1 and rank <= 2:
        kernels = weight.reshape(channels, shape[0] // channels, *kernel).transpose(
            *range(2, rank + 2), 0, 1
        )
        options["depth_multiplier"] = unusual(shape[0] // channels, 1)
        function, sizes = f"DepthwiseConv{rank}D", [even(kernel)]
    else:
        kernels, options["groups"] = weight.transpose(order), unusual(groups, 1)
        function, sizes = f"Conv{rank}D", [shape[0], even(kernel)]
    weights = [(1, kernels)]
    if bias is not None and not apart:
        weights.append((2, bias))
    site.gives_last()
    y = applied(site.layer(function, *sizes, weights=weights, **options), x)
    if apart:
        return call("ops.add", site.temporary(y), site.raw(2))
    return y


def convolution_transposed(site: KerasSite) -> Expression:
    """ConvTranspose: the whole result, cropped."""
    shape, weight, bias = site.shape(1), site.weight(1), site.weight(2)
    if (
        shape is None
        or len(shape) not in (3, 4, 5)
        or weight is None
        or (site.has(2) and bias is None)
    ):
        raise site.no("Keras convolves over 1 to 3 spatial axes with weights of its own")
    rank, kernel = len(shape) - 2, shape[2:]
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    if (
        site.attribute("group", 1) != 1
        or any(s > k for s, k in zip(strides, kernel, strict=True))
        or any(d > 1 for d in dilations)
    ):
        raise site.no(
            "Keras has no transposed convolution in groups, dilated, or with strides beyond "
            "the kernel"
        )
    cuts = transposed_cuts(site, kernel, strides, dilations)
    weights = [(1, weight.transpose(*range(2, rank + 2), 1, 0))]
    if bias is not None:
        weights.append((2, bias))
    options = {"strides": unusual(even(strides), 1), "use_bias": unusual(bias is not None, True)}
    layer = site.layer(f"Conv{rank}DTranspose", shape[1], even(kernel), **options, weights=weights)
    # Zeros that lengthen a result come after its bias, which a layer adds inside.
    if any(n < 0 for pair in cuts for n in pair) and bias is not None:
        raise site.no("its result is lengthened after the bias")
    site.gives_last()
    whole = applied(layer, site.last())
    longer = [(max(0, -before), max(0, -after)) for before, after in cuts]
    cuts = [(max(0, before), max(0, after)) for before, after in cuts]
    if not any(map(any, (*cuts, *longer))):
        return whole
    y = zero_padded(site, site.temporary(whole), longer)
    if not any(map(any, cuts)):
        return y
    crop = site.layers.layer(f"{site.name()}.crop", f"Cropping{rank}D", [single(cuts)], {}, [])
    return applied(crop, y)


def matmul(site: KerasSite) -> Expression:
    """MatMul, with the bias that an Add after it adds.

    With a matrix of weights it is a dense layer.
    """
    weight, bias = site.weight(1), site.weight(2)
    own = site.node.inputs[1] in site.translation.network.weights
    if (
        own
        and weight is not None
        and weight.ndim == 2
        and site.has(2) == (bias is not None)
        and not site.mixed(1, 2)
    ):
        return _dense(site, weight, bias)
    product = call("ops.matmul", site.first(0), site.first(1))
    if site.has(2):
        return call("ops.add", site.temporary(product), site.first(2))
    return product


def gemm(site: KerasSite) -> Expression:
    """Gemm; with a matrix of weights it is a dense layer."""
    arrays = linear_arrays(site)
    if arrays is not None and not site.mixed(1, 2):
        return _dense(site, *arrays)
    a, b = site.first(0), site.first(1)
    if site.attribute("transA", 0):
        a = site.temporary(call("ops.transpose", a))
    if site.attribute("transB", 0):
        b = site.temporary(call("ops.transpose", b))
    alpha, beta = (shortest(site.attribute(name, 1.0)) for name in ("alpha", "beta"))
    product: Expression = call("ops.matmul", a, b)
    if alpha != 1:
        product = call("ops.multiply", site.temporary(product), alpha)
    if not site.has(2):
        return product
    if beta == 1:
        added = site.first(2)
    else:
        added = site.temporary(call("ops.multiply", site.first(2), beta))
    return call("ops.add", site.temporary(product), added)


def _dense(site: KerasSite, weight: np.ndarray, bias: np.ndarray | None) -> Expression:
    """weight: [in, out]."""
    weights = [(1, weight)]
    if bias is not None:
        weights.append((2, bias))
    layer = site.layer(
        "Dense", weight.shape[1], use_bias=unusual(bias is not None, True), weights=weights
    )
    return applied(layer, site.first())


def embedding(site: KerasSite) -> Expression:
    """Gather of rows of a matrix of weights; else any other Gather."""
    table, name = site.weight(0), site.node.inputs[0]
    own = name in site.translation.network.weights
    if (
        own
        and table is not None
        and table.ndim == 2
        and site.attribute("axis", 0) == 0
        and site.known(1) is None
    ):
        layer = site.layer("Embedding", *table.shape, weights=[(0, table)])
        site.layers.rows(name, layer[1:-1])
        return applied(layer, site.first(1))
    index = site.known(1)
    if index is not None and index.dtype != object:
        text = literal(index.tolist())
    else:
        text = site.first(1)
    return call("ops.take", site.first(0), text, axis=site.attribute("axis", 0))


def batch_normalization(site: KerasSite) -> Expression:
    """BatchNormalization by given statistics; Keras keeps them as ONNX does."""
    arrays = [site.weight(position) for position in range(1, 5)]
    if any(array is None for array in arrays) or site.attribute("training_mode", 0):
        raise site.no("it has no statistics and weights of its own")
    # A layer learns with all its weights or with none: of scale and bias, one that does not learn
    # like the other stays outside of the layer.
    apart = site.mixed(1, 2)
    plain = (
        apart
        and site.node.inputs[2] in site.translation.network.trainable
        and bool(np.all(arrays[0] == 1))
    )
    alone = apart and not plain
    if site.rank() >= 3:
        site.gives_last()
    options = {
        "momentum": unusual(shortest(site.attribute("momentum", 0.9)), 0.99),
        "epsilon": unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-3),
        "center": unusual(not alone, True),
        "scale": unusual(not apart, True),
    }
    if not apart:
        options["trainable"] = site.layers.learns(site.node.inputs[1:3])
    # What stays outside of the layer is not among its weights.
    held = [i for i in range(1, 5) if not (apart and i == 1) and not (alone and i == 2)]
    weights = [(site.node.inputs[i], array) for i in held if (array := site.weight(i)) is not None]
    layer = site.layers.layer(site.name(), "BatchNormalization", [], options, weights, site.rank())
    y = applied(layer, site.last())
    if not alone:
        return y
    scaled = site.temporary(call("ops.multiply", site.temporary(y), site.raw(1)))
    return call("ops.add", scaled, site.raw(2))


def group_normalization(site: KerasSite) -> Expression:
    """GroupNormalization, and InstanceNormalization as as many groups as there are channels."""
    scale, bias = site.weight(1), site.weight(2)
    if scale is None or bias is None:
        raise site.no("it has no weights of its own")
    site.gives_last()
    groups, epsilon = (
        site.attribute("num_groups", len(scale)),
        unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-3),
    )
    return applied(
        site.layer(
            "GroupNormalization", groups=groups, epsilon=epsilon, weights=[(1, scale), (2, bias)]
        ),
        site.last(),
    )


def layer_normalization(site: KerasSite) -> Expression:
    """LayerNormalization over the last axis, or several."""
    return _last_axes(site, "LayerNormalization", 1e-3)


def rms_normalization(site: KerasSite) -> Expression:
    """RMSNormalization over the last axis."""
    return _last_axes(site, "RMSNormalization", 1e-6)


def _last_axes(site: KerasSite, function: str, usual: float) -> Expression:
    arrays = [site.weight(position) for position in (1, 2) if site.has(position)]
    axis = site.axis(site.attribute("axis", -1))
    axes = list(range(axis, site.rank()))
    if any(array is None for array in arrays) or (function == "RMSNormalization" and len(axes) > 1):
        raise site.no("it has no weights of its own over axes that Keras normalizes")
    options = {
        "axis": unusual(axes, axes[-1:]),
        "epsilon": unusual(shortest(site.attribute("epsilon", 1e-5)), usual),
    }
    if function == "LayerNormalization":
        options["center"] = unusual(len(arrays) > 1, True)
    weights = [(i, array) for i, array in enumerate(arrays, 1) if array is not None]
    return applied(site.layer(function, **options, weights=weights), site.first())


def parametric_relu(site: KerasSite) -> Expression:
    """PRelu."""
    # A slope is learned by channel, and shared over the spatial axes.
    slope, rank, x = site.weight(1), site.rank(), site.last()
    channels = (site.shape() or (None, None))[1]
    by_channel = (
        slope is not None
        and slope.size == channels
        and slope.reshape(-1).shape == (channels,)
        and rank >= 2
    )
    if slope is None or not by_channel or slope.ndim not in (rank - 1, rank):
        raise site.no("Keras's PReLU has one slope for each channel")
    site.gives_last()
    shared = list(range(1, rank - 1)) or None
    return applied(
        site.layer(
            "PReLU", shared_axes=shared, weights=[(1, slope.reshape(*[1] * (rank - 2), -1))]
        ),
        x,
    )


LAYERS = {
    "BatchNormalization": batch_normalization,
    "Conv": convolution,
    "ConvTranspose": convolution_transposed,
    "Gather": embedding,
    "Gemm": gemm,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": group_normalization,
    "LayerNormalization": layer_normalization,
    "MatMul": matmul,
    "PRelu": parametric_relu,
    "RMSNormalization": rms_normalization,
}
