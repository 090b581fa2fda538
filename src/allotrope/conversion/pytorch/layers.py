"""PyTorch's layers with weights, and what stands for them where a weight is shared or computed."""

from __future__ import annotations

import numpy as np

from allotrope.conversion.core.geometry import (
    even,
    linear_arrays,
    pads_of,
    single,
    symmetric,
    transposed_cuts,
    unusual,
)
from allotrope.conversion.core.source import Expression, call, shortest
from allotrope.conversion.pytorch.site import PyTorchSite, padded


def convolution(site: PyTorchSite) -> Expression:
    """Conv."""
    shape = site.shape(1)
    if shape is None or len(shape) not in (3, 4, 5) or not all(isinstance(n, int) for n in shape):
        raise site.no("PyTorch convolves over 1 to 3 spatial axes with a kernel of known size")
    rank, kernel = len(shape) - 2, shape[2:]
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    groups, x = site.attribute("group", 1), site.input()
    pads = pads_of(site, kernel, strides, dilations)
    # PyTorch pads both ends alike: other pads are zeros in a line of their own.
    if not symmetric(pads):
        x, pads = site.temporary(padded(x, pads)), [(0, 0)] * rank
    options = {
        "stride": unusual(even(strides), 1),
        "padding": unusual(even([before for before, _ in pads]), 0),
        "dilation": unusual(even(dilations), 1),
        "groups": unusual(groups, 1),
    }
    weight, bias = site.weight(1), site.weight(2)
    if weight is None or (site.has(2) and bias is None):
        return call(f"F.conv{rank}d", x, site.tensor(1), _third(site), **options)
    arrays = _arrays(site, weight, bias)
    made = call(
        f"nn.Conv{rank}d",
        shape[1] * groups,
        shape[0],
        even(kernel),
        **options,
        bias=unusual(site.has(2), True),
    )
    return call(site.layer(made, arrays), x)


def convolution_transposed(site: PyTorchSite) -> Expression:
    """ConvTranspose, where its pads are the same at both ends or more at the beginning."""
    shape = site.shape(1)
    if shape is None or len(shape) not in (3, 4, 5):
        raise site.no("PyTorch convolves over 1 to 3 spatial axes with a kernel of known size")
    rank, kernel, groups = len(shape) - 2, shape[2:], site.attribute("group", 1)
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * rank) for name in ("strides", "dilations")
    )
    cuts = transposed_cuts(site, kernel, strides, dilations)
    # What PyTorch cuts at both ends is the first cut; what it then lacks is output_padding.
    padding, more = [before for before, _ in cuts], [before - after for before, after in cuts]
    if any(p < 0 for p in padding) or any(
        not 0 <= m < max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)
    ):
        raise site.no(f"its pads {cuts} cannot be said in padding and output_padding")
    options = {
        "stride": unusual(even(strides), 1),
        "padding": unusual(even(padding), 0),
        "output_padding": unusual(even(more), 0),
        "groups": unusual(groups, 1),
        "dilation": unusual(even(dilations), 1),
    }
    weight, bias = site.weight(1), site.weight(2)
    if weight is None or (site.has(2) and bias is None):
        function = f"F.conv_transpose{rank}d"
        return call(function, site.input(), site.tensor(1), _third(site), **options)
    arrays = _arrays(site, weight, bias)
    # ONNX has the channels that go in first, as PyTorch says them.
    sizes = (shape[0], shape[1] * groups, even(kernel))
    made = call(f"nn.ConvTranspose{rank}d", *sizes, **options, bias=unusual(site.has(2), True))
    return call(site.layer(made, arrays), site.input())


def matmul(site: PyTorchSite) -> Expression:
    """MatMul, with the bias that an Add after it adds.

    With a matrix of weights it is a linear layer.
    """
    weight, bias = site.weight(1), site.weight(2)
    own = site.node.inputs[1] in site.translation.network.weights
    if own and weight is not None and weight.ndim == 2 and site.has(2) == (bias is not None):
        return _linear(site, weight.T, bias)
    product = f"{site.tensor(0)} @ {site.tensor(1)}"
    if site.has(2):
        return f"{product} + {site.tensor(2)}"
    return product


def gemm(site: PyTorchSite) -> Expression:
    """Gemm; with a matrix of weights it is a linear layer."""
    arrays = linear_arrays(site)
    if arrays is None:
        return _gemm_by_hand(site)
    weight, bias = arrays
    return _linear(site, weight.T, bias)


def _gemm_by_hand(site: PyTorchSite) -> Expression:
    a, b = site.tensor(0), site.tensor(1)
    if site.attribute("transA", 0):
        a += ".T"
    if site.attribute("transB", 0):
        b += ".T"
    alpha, beta = (shortest(site.attribute(name, 1.0)) for name in ("alpha", "beta"))
    product = f"{a} @ {b}"
    if alpha != 1:
        product = f"{alpha} * ({product})"
    if not site.has(2):
        return product
    if beta == 1:
        return f"{product} + {site.input(2)}"
    return f"{product} + {beta} * {site.input(2)}"


def _linear(site: PyTorchSite, weight: np.ndarray, bias: np.ndarray | None) -> Expression:
    """weight: [out, in]."""
    arrays = _arrays(site, weight, bias)
    made = call("nn.Linear", weight.shape[1], weight.shape[0], bias=unusual(bias is not None, True))
    return call(site.layer(made, arrays), site.input())


def _arrays(
    site: PyTorchSite, weight: np.ndarray, bias: np.ndarray | None
) -> dict[str, tuple[str, np.ndarray]]:
    """A layer's weight and bias, as it calls them."""
    arrays = {"weight": site.named(1, weight)}
    if bias is not None:
        arrays["bias"] = site.named(2, bias)
    return arrays


def _third(site: PyTorchSite) -> str | None:
    """The third input, a bias, if there is one."""
    if site.has(2):
        return site.tensor(2)
    return None


def embedding(site: PyTorchSite) -> Expression:
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
        made = call("nn.Embedding", *table.shape)
        return call(site.layer(made, {"weight": site.named(0, table)}), site.input(1))
    return _gather(site)


def _gather(site: PyTorchSite) -> Expression:
    axis = site.axis(site.attribute("axis", 0))
    index = site.known(1)
    if index is not None and index.ndim == 0:
        return f"{site.tensor(0)}[{':, ' * axis}{site.input(1)}]"
    return f"{site.tensor(0)}[{':, ' * axis}{site.tensor(1)}]"


def batch_normalization(site: PyTorchSite) -> Expression:
    """BatchNormalization by given statistics."""
    arrays = _vectors(site, 5)
    if site.attribute("training_mode", 0):
        raise site.no("it normalizes by the batch even when it infers (training_mode=1)")
    rank = site.rank()
    if rank not in (2, 3, 4, 5):
        raise site.no(f"PyTorch normalizes arrays of 2 to 5 axes, not {rank}")
    names = ("weight", "bias", "running_mean", "running_var")
    made = call(
        f"nn.BatchNorm{max(1, rank - 2)}d",
        len(arrays[0]),
        eps=unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-5),
        momentum=unusual(round(1 - shortest(site.attribute("momentum", 0.9)), 7), 0.1),
    )
    named = {
        name: site.named(i, array)
        for i, (name, array) in enumerate(zip(names, arrays, strict=True), 1)
    }
    return call(site.layer(made, named, state=names[2:]), site.input())


def _vectors(site: PyTorchSite, count: int) -> list[np.ndarray]:
    """The arrays of a normalization, inputs 1 and on.

    Raises: NoForm where they are shared, or computed.
    """
    arrays = []
    for position in range(1, count):
        array = site.weight(position)
        if array is None:
            raise site.no(f"its input '{site.node.inputs[position]}' is no weight of its own")
        arrays.append(array)
    return arrays


def group_normalization(site: PyTorchSite) -> Expression:
    """GroupNormalization."""
    scale, bias = _vectors(site, 3)
    epsilon = unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-5)
    made = call("nn.GroupNorm", site.attribute("num_groups"), len(scale), eps=epsilon)
    return call(
        site.layer(made, {"weight": site.named(1, scale), "bias": site.named(2, bias)}),
        site.input(),
    )


def instance_normalization(site: PyTorchSite) -> Expression:
    """InstanceNormalization."""
    scale, bias = _vectors(site, 3)
    epsilon = unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-5)
    if site.spatial() not in (1, 2, 3):
        raise site.no(f"PyTorch normalizes instances of 1 to 3 spatial axes, not {site.spatial()}")
    made = call(f"nn.InstanceNorm{site.spatial()}d", len(scale), eps=epsilon, affine=True)
    return call(
        site.layer(made, {"weight": site.named(1, scale), "bias": site.named(2, bias)}),
        site.input(),
    )


def layer_normalization(site: PyTorchSite) -> Expression:
    """LayerNormalization."""
    return _last_axes(
        site, "nn.LayerNorm", unusual(shortest(site.attribute("epsilon", 1e-5)), 1e-5)
    )


def rms_normalization(site: PyTorchSite) -> Expression:
    """RMSNormalization."""
    return _last_axes(site, "nn.RMSNorm", shortest(site.attribute("epsilon", 1e-5)))


def _last_axes(site: PyTorchSite, layer: str, epsilon: object) -> Expression:
    arrays = _vectors(site, 2 + site.has(2))
    axis = site.axis(site.attribute("axis", -1))
    shape = (site.shape() or ())[axis:]
    if list(arrays[0].shape) != list(shape):
        raise site.no(
            f"its weight has shape {list(arrays[0].shape)}, not that of the axes it normalizes, "
            f"{list(shape)}"
        )
    named = {
        name: site.named(i, array)
        for i, (name, array) in enumerate(zip(("weight", "bias"), arrays, strict=False), 1)
    }
    without = None
    if layer == "nn.LayerNorm" and len(arrays) == 1:
        without = False
    made = call(layer, single(shape), eps=epsilon, bias=without)
    return call(site.layer(made, named), site.input())


def parametric_relu(site: PyTorchSite) -> Expression:
    """PRelu, with one slope or one for each channel."""
    slope, rank = site.weight(1), site.rank()
    channels = None
    if rank > 1:
        channels = (site.shape() or (None, None))[1]
    if slope is None or not (
        slope.size == 1 or (slope.size == channels and slope.shape in _by_channel(slope.size, rank))
    ):
        x = site.input()
        return call("torch.where", f"{x} < 0", f"{site.input(1)} * {x}", x)
    if slope.size > 1:
        made = call("nn.PReLU", unusual(slope.size, 1))
    else:
        made = call("nn.PReLU")
    return call(site.layer(made, {"weight": site.named(1, slope.reshape(-1))}), site.input())


def _by_channel(count: int, rank: int) -> tuple[tuple[int, ...], ...]:
    """The shapes that mean axis 1 of an array of that many axes."""
    shape = (count, *[1] * (rank - 2))
    return (shape, (1, *shape))


LAYERS = {
    "BatchNormalization": batch_normalization,
    "Conv": convolution,
    "ConvTranspose": convolution_transposed,
    "Gather": embedding,
    "Gemm": gemm,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "MatMul": matmul,
    "PRelu": parametric_relu,
    "RMSNormalization": rms_normalization,
}
