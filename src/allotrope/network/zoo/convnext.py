"""ConvNeXt (Liu et al. 2022, https://arxiv.org/abs/2201.03545): wide kernels, layer normalization.

Weight names are timm's. Letters: c channels, h and w sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.network.initialize import Shape, truncated_normal
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import (
    activated_last,
    dense_last,
    multiplied,
    normalized_last,
    turned,
)

EPSILON = 1e-6
EXPANSION = 4


def convnext_atto(classes: int, image: Image, **options: Any) -> Network:
    """timm's smallest, 2, 2, 6 and 2 blocks of 40 to 320 channels; see `convnext_tiny`."""
    return _convnext("convnext_atto", (2, 2, 6, 2), (40, 80, 160, 320), classes, image, options)


def convnext_tiny(classes: int, image: Image, **options: Any) -> Network:
    """The paper's ConvNeXt-T, 3, 3, 9 and 3 blocks: x: [n, c, h, w] to logits: [n, classes].

    Options are the fields of `Style`; `layer` normalizes the channels of each place by itself. A
    picture under 64 pixels gets a smaller stem, whose weight published ones do not fit.

    Raises: UsageError that lists every argument that is wrong.
    """
    return _convnext("convnext_tiny", (3, 3, 9, 3), (96, 192, 384, 768), classes, image, options)


def _convnext(
    family: str,
    repeats: tuple[int, ...],
    channels: tuple[int, ...],
    classes: int,
    image: Image,
    options: dict[str, Any],
) -> Network:
    style = Style(**{"activation": "gelu", "normalization": "layer", **options})
    blocks = Blocks(family, classes, image, style, smallest=LEAST)
    blocks.initializer = truncated_normal
    first, second, *strides = strides_for(image, (2, 2, 2, 2, 2))
    patch = first * second
    x = blocks.convolution(
        blocks.input,
        "stem.0",
        blocks.scaled(channels[0]),
        patch,
        stride=patch,
        padding=0,
        bias=True,
    )
    x = _normalized(blocks, x, "stem.1")
    stages = zip(channels, repeats, (1, *strides), strict=True)
    for number, (wide, count, stride) in enumerate(stages):
        name = f"stages.{number}"
        if number:
            x = _downsampled(blocks, x, f"{name}.downsample", blocks.scaled(wide), stride)
        for block in range(count):
            x = _block(blocks, x, f"{name}.blocks.{block}")
    x = normalized_last(blocks, blocks.global_pooling(x, "head.global_pool"), "head.norm", EPSILON)
    return blocks.classifier(blocks.dropout(x, "head.drop"), "head.fc")


def _downsampled(blocks: Blocks, x: Features, name: str, channels: int, stride: int) -> Features:
    x = _normalized(blocks, x, f"{name}.0")
    # Kernels stay 2 x 2 if a small picture is not halved: one more row and column is padded.
    padding = (0, 0, *(int(stride == 1 or side == 1) for side in x.shape[1:]))
    return blocks.convolution(
        x, f"{name}.1", channels, 2, stride=stride, padding=padding, bias=True
    )


def _block(blocks: Blocks, x: Features, name: str) -> Features:
    """A depthwise convolution, and two dense layers over the channels of each place."""
    channels = x.shape[0]
    y = blocks.convolution(x, f"{name}.conv_dw", channels, 7, groups=channels, bias=True)
    y = turned(blocks, y, (1, 2, 0), f"{name}.channels_last")
    y = normalized_last(blocks, y, f"{name}.norm", EPSILON)
    y = activated_last(blocks, dense_last(blocks, y, f"{name}.mlp.fc1", EXPANSION * channels))
    y = blocks.dropout(dense_last(blocks, y, f"{name}.mlp.fc2", channels), f"{name}.mlp.drop")
    gamma = blocks.weight(f"{name}.gamma", (channels,), _tiny)
    y = multiplied(blocks, y, gamma, f"{name}.scaled")
    y = turned(blocks, y, (2, 0, 1), f"{name}.channels_first")
    return blocks.add(x, y, f"{name}.add")


def _normalized(blocks: Blocks, x: Features, name: str) -> Features:
    """[c, h, w] with the channels of each place normalized, or in the style's way."""
    if blocks.style.normalization != "layer":
        return blocks.normalization(x, name, epsilon=EPSILON)
    last = turned(blocks, x, (1, 2, 0), f"{name}.channels_last")
    y = normalized_last(blocks, last, name, EPSILON)
    return turned(blocks, y, (2, 0, 1), f"{name}.channels_first")


def _tiny(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """1e-6: at the start a block changes next to nothing, as in the paper."""
    return np.full(shape, 1e-6, np.float32)
