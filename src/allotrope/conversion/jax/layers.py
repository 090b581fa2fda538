"""flax.nnx's modules with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.conversion.core.geometry import (
    even,
    linear_arrays,
    pads_of,
    transposed_cuts,
    unusual,
)
from allotrope.conversion.core.source import Expression, call, literal, shortest
from allotrope.conversion.jax.site import JaxSite

Weights = dict[str, tuple[int, np.ndarray]]


def _kernel(site: JaxSite) -> tuple[tuple[int, ...], np.ndarray, np.ndarray | None]:
    """The spatial lengths of a convolution's kernel, its weight and bias.

    Raises: NoForm where they are not its own.
    """
    shape, weight, bias = site.shape(1), site.weight(1), site.weight(2)
    if (
        shape is None
        or len(shape) not in (3, 4, 5)
        or weight is None
        or (site.has(2) and bias is None)
    ):
        raise site.no("nnx convolves over 1 to 3 spatial axes with weights of its own")
    return tuple(shape[2:]), weight, bias


def convolution(site: JaxSite) -> Expression:
    """Conv."""
    kernel, weight, bias = _kernel(site)
    rank, groups = len(kernel), site.attribute("group", 1)
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    pads, x = pads_of(site, kernel, strides, dilations), site.last()
    site.gives_last()
    padding: Any = list(pads)
    if len({n for pair in pads for n in pair}) == 1:
        padding = pads[0][0]
    layer = site.layer(
        "Conv",
        weight.shape[1] * groups,
        weight.shape[0],
        kernel,
        strides=unusual(even(strides), 1),
        padding=padding,
        kernel_dilation=unusual(even(dilations), 1),
        feature_group_count=unusual(groups, 1),
        use_bias=unusual(bias is not None, True),
        weights={"kernel": (1, weight.transpose(*range(2, rank + 2), 1, 0)), **_bias(bias)},
    )
    return call(layer, x)


def _bias(bias: np.ndarray | None) -> Weights:
    if bias is None:
        return {}
    return {"bias": (2, bias)}


def convolution_transposed(site: JaxSite) -> Expression:
    """ConvTranspose.

    nnx pads what it convolves: by the reach of the kernel less what ONNX cuts off.
    """
    kernel, weight, bias = _kernel(site)
    rank = len(kernel)
    if site.attribute("group", 1) != 1:
        raise site.no("nnx has no transposed convolution in groups")
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    cuts, x = transposed_cuts(site, kernel, strides, dilations), site.last()
    site.gives_last()
    pads = [
        # The whole result needs d * (k - 1) zeros at each end; what is cut off is padded less.
        (d * (k - 1) - a, d * (k - 1) - b)
        for (a, b), k, d in zip(cuts, kernel, dilations, strict=True)
    ]
    layer = site.layer(
        "ConvTranspose",
        weight.shape[0],
        weight.shape[1],
        kernel,
        strides=tuple(strides),
        padding=pads,
        kernel_dilation=unusual(dilations, (1,) * rank),
        use_bias=unusual(bias is not None, True),
        transpose_kernel=True,
        weights={"kernel": (1, weight.transpose(*range(2, rank + 2), 1, 0)), **_bias(bias)},
    )
    return call(layer, x)


def matmul(site: JaxSite) -> Expression:
    """MatMul, with the bias that an Add after it adds.

    With a matrix of weights it is a linear layer.
    """
    weight, bias = site.weight(1), site.weight(2)
    own = site.node.inputs[1] in site.translation.network.weights
    # A matrix of weights is a layer; of two computed values there is only a product.
    if own and weight is not None and weight.ndim == 2 and site.has(2) == (bias is not None):
        return _linear(site, weight, bias)
    product = f"{site.first(0)} @ {site.first(1)}"
    if site.has(2):
        return f"{product} + {site.first(2)}"
    return product


def gemm(site: JaxSite) -> Expression:
    """Gemm; with a matrix of weights it is a linear layer."""
    arrays = linear_arrays(site)
    if arrays is not None:
        return _linear(site, *arrays)
    transposed = bool(site.attribute("transB", 0))
    if site.attribute("transA", 0):
        a = f"{site.first(0)}.T"
    else:
        a = site.first(0)
    if transposed:
        b = f"{site.first(1)}.T"
    else:
        b = site.first(1)
    alpha, beta = (shortest(site.attribute(name, 1.0)) for name in ("alpha", "beta"))
    if alpha == 1:
        product = f"{a} @ {b}"
    else:
        product = f"{literal(alpha)} * ({a} @ {b})"
    if not site.has(2):
        return product
    if beta == 1:
        return f"{product} + {site.first(2)}"
    return f"{product} + {literal(beta)} * {site.first(2)}"


def _linear(site: JaxSite, weight: np.ndarray, bias: np.ndarray | None) -> Expression:
    """weight: [in, out]."""
    weights: Weights = {"kernel": (1, weight), **_bias(bias)}
    return call(
        site.layer(
            "Linear", *weight.shape, use_bias=unusual(bias is not None, True), weights=weights
        ),
        site.first(),
    )


def embedding(site: JaxSite) -> Expression:
    """Gather of rows of a matrix of weights; else any other Gather."""
    table = site.weight(0)
    own = site.node.inputs[0] in site.translation.network.weights
    if (
        own
        and table is not None
        and table.ndim == 2
        and site.attribute("axis", 0) == 0
        and site.known(1) is None
    ):
        return call(
            site.layer("Embed", *table.shape, weights={"embedding": (0, table)}), site.first(1)
        )
    axis, index = site.axis(site.attribute("axis", 0)), site.known(1)
    if index is not None and index.ndim == 0:
        text = site.input(1)
    else:
        text = site.first(1)
    return f"{site.first(0)}[{':, ' * axis}{text}]"


def batch_normalization(site: JaxSite) -> Expression:
    """BatchNormalization by given statistics; nnx keeps them as ONNX does."""
    arrays = [site.weight(position) for position in range(1, 5)]
    if any(array is None for array in arrays) or site.attribute("training_mode", 0):
        raise site.no("it has no statistics and weights of its own")
    x = site.last()
    if site.rank() >= 3:
        site.gives_last()
    names = ("scale", "bias", "mean", "var")
    layer = site.layer(
        "BatchNorm",
        len(arrays[0]),  # type: ignore[arg-type]
        momentum=unusual(shortest(site.attribute("momentum", 0.9)), 0.99),
        epsilon=unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-5),
        weights={
            name: (i, array)
            for i, (name, array) in enumerate(zip(names, arrays, strict=True), 1)
            if array is not None
        },
    )
    return call(layer, x)


def group_normalization(site: JaxSite) -> Expression:
    """GroupNormalization, and InstanceNormalization as as many groups as there are channels."""
    scale, bias, x = site.weight(1), site.weight(2), site.last()
    if scale is None or bias is None:
        raise site.no("it has no weights of its own")
    site.gives_last()
    groups, epsilon = (
        site.attribute("num_groups", len(scale)),
        shortest(site.attribute("epsilon", 1e-5)),
    )
    weights: Weights = {"scale": (1, scale), "bias": (2, bias)}
    return call(
        site.layer(
            "GroupNorm",
            len(scale),
            groups,
            epsilon=epsilon,
            use_fast_variance=False,
            weights=weights,
        ),
        x,
    )


def layer_normalization(site: JaxSite) -> Expression:
    """LayerNormalization over the last axis."""
    return _last_axis(site, "LayerNorm")


def rms_normalization(site: JaxSite) -> Expression:
    """RMSNormalization over the last axis."""
    return _last_axis(site, "RMSNorm")


def _last_axis(site: JaxSite, function: str) -> Expression:
    arrays = [site.weight(position) for position in (1, 2) if site.has(position)]
    if (
        any(array is None for array in arrays)
        or site.axis(site.attribute("axis", -1)) != site.rank() - 1
        or arrays[0] is None
    ):
        raise site.no("it has no weights of its own over the last axis")
    options: dict[str, Any] = {"epsilon": shortest(site.attribute("epsilon", 1e-5))}
    if function == "LayerNorm":
        options |= {"use_fast_variance": False}
        options |= {"use_bias": unusual(len(arrays) > 1, True)}
    weights = {
        name: (i, array)
        for i, (name, array) in enumerate(zip(("scale", "bias"), arrays, strict=False), 1)
        if array is not None
    }
    return call(site.layer(function, arrays[0].size, **options, weights=weights), site.first())


def parametric_relu(site: JaxSite) -> Expression:
    """PRelu, with a slope of any shape."""
    x, slope = site.operands()
    return call("jnp.where", f"{x} < 0", f"{slope} * {x}", x)


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
