"""What several families do with values: join, split, gate, scale and turn them.

Letters: c channels, h and w sides, d features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.initialize import Initializer, ones, zeros
from allotrope.network.zoo.building_blocks import Blocks, Features
from allotrope.network.zoo.named_activations import activation_named

BATCH = 1
"""How many axes a value of the network has before those of its `Features`."""


def joined(blocks: Blocks, parts: Sequence[Features], name: str) -> Features:
    """The channels of all parts, one behind the other."""
    y = blocks.builder.add("Concat", [part.name for part in parts], {"axis": 1}, name=name)
    return Features(y, (sum(part.shape[0] for part in parts), *parts[0].shape[1:]))


def split(blocks: Blocks, x: Features, name: str, parts: int, axis: int = 0) -> list[Features]:
    """x cut into so many equal parts along an axis of its shape."""
    each = x.shape[axis] // parts
    lengths = blocks.builder.constant(np.full(parts, each, np.int64), f"{name}.lengths")
    pieces = blocks.builder.add(
        "Split", [x.name, lengths], {"axis": axis + BATCH}, name=name, outputs=parts
    )
    shape = (*x.shape[:axis], each, *x.shape[axis + 1 :])
    return [Features(piece, shape) for piece in pieces]


def turned(blocks: Blocks, x: Features, order: Sequence[int], name: str) -> Features:
    """x with its axes in another order, the batch first as before."""
    perm = (0, *(axis + BATCH for axis in order))
    y = blocks.builder.add("Transpose", [x.name], {"perm": perm}, name=name)
    return Features(y, tuple(x.shape[axis] for axis in order))


def reshaped(blocks: Blocks, x: Features, shape: Sequence[int], name: str) -> Features:
    """x with its numbers in another shape, each example by itself."""
    target = blocks.builder.constant(np.array([0, *shape], np.int64), f"{name}.shape")
    return Features(blocks.builder.add("Reshape", [x.name, target], name=name), tuple(shape))


def multiplied(blocks: Blocks, x: Features, factor: str, name: str) -> Features:
    """x times a value that fits its shape by broadcasting."""
    return Features(blocks.builder.add("Mul", [x.name, factor], name=name), x.shape)


def squeezed_and_excited(
    blocks: Blocks, x: Features, name: str, squeezed: int, *, inner: str, gate: str
) -> Features:
    """[c, h, w] with each channel scaled by what all channels' means say.

    Hu et al. 2018, https://arxiv.org/abs/1709.01507; `inner` and `gate` are activations.
    """
    means = blocks.builder.add("GlobalAveragePool", [x.name], name=f"{name}.avgpool")
    y = Features(means, (x.shape[0], 1, 1))
    y = blocks.convolution(y, f"{name}.fc1", squeezed, 1, bias=True)
    y = blocks.activation(y, inner)
    y = blocks.convolution(y, f"{name}.fc2", x.shape[0], 1, bias=True)
    return multiplied(blocks, x, blocks.activation(y, gate).name, f"{name}.scaled")


def dense_last(
    blocks: Blocks, x: Features, name: str, features: int, initializer: Initializer | None = None
) -> Features:
    """[…, d] to […, features] along the last axis; the weight is [features, d]."""
    shape = (features, x.shape[-1])
    weight = blocks.weight(f"{name}.weight", shape, initializer or blocks.initializer)
    bias = blocks.weight(f"{name}.bias", (features,), zeros)
    across = blocks.builder.add("Transpose", [weight], {"perm": (1, 0)}, name=f"{name}.turned")
    product = blocks.builder.add("MatMul", [x.name, across], name=f"{name}.product")
    return Features(
        blocks.builder.add("Add", [product, bias], name=name), (*x.shape[:-1], features)
    )


def activated_last(blocks: Blocks, x: Features) -> Features:
    """[…, d] after the style's activation, whose slopes or sums are along d."""
    if activation_named(blocks.style.activation).elementwise:
        return blocks.activation(x)
    last = len(x.shape) - 1
    first = turned(blocks, x, (last, *range(last)), f"{x.name}.channels_first")
    y = blocks.activation(first)
    return turned(blocks, y, (*range(1, last + 1), 0), f"{x.name}.channels_last")


def normalized_last(blocks: Blocks, x: Features, name: str, epsilon: float) -> Features:
    """[…, d] with its last axis normalized, in the style's way.

    `layer` means each place by itself, as in transformers; all others take d as channels.
    """
    if blocks.style.normalization != "layer":
        return _normalized_as_channels(blocks, x, name, epsilon)
    features = (x.shape[-1],)
    scale = blocks.weight(f"{name}.weight", features, ones)
    bias = blocks.weight(f"{name}.bias", features, zeros)
    attributes = {"axis": -1, "epsilon": epsilon}
    y = blocks.builder.add("LayerNormalization", [x.name, scale, bias], attributes, name=name)
    return Features(y, x.shape)


def _normalized_as_channels(blocks: Blocks, x: Features, name: str, epsilon: float) -> Features:
    last = len(x.shape) - 1
    if blocks.style.normalization == "none" or not last:
        return blocks.normalization(x, name, epsilon=epsilon)
    first = turned(blocks, x, (last, *range(last)), f"{name}.channels_first")
    y = blocks.normalization(first, name, epsilon=epsilon)
    return turned(blocks, y, (*range(1, last + 1), 0), f"{name}.channels_last")


def averaged_to(blocks: Blocks, x: Features, places: int, name: str) -> Features:
    """[c, h, w] with sides of `places` at the most: means over windows that cover each side.

    As PyTorch's adaptive pooling has them: window i reaches from floor(i h / places) to
    ceil((i + 1) h / places). What is shorter stays as it is.
    """
    channels, height, width = x.shape
    if height > places:
        rows = blocks.builder.constant(_windows(height, places), f"{name}.rows")
        x = Features(
            blocks.builder.add("MatMul", [rows, x.name], name=f"{name}.over_rows"),
            (channels, places, width),
        )
    if width > places:
        columns = blocks.builder.constant(_windows(width, places).T.copy(), f"{name}.columns")
        x = Features(
            blocks.builder.add("MatMul", [x.name, columns], name=name),
            (channels, x.shape[1], places),
        )
    return x


def _windows(side: int, places: int) -> np.ndarray:
    """[places, side], whose rows take the means."""
    means = np.zeros((places, side), np.float32)
    for place in range(places):
        begin, end = place * side // places, -(-(place + 1) * side // places)
        means[place, begin:end] = 1 / (end - begin)
    return means
