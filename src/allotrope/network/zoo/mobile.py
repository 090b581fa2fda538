"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381): few multiply-adds.

Weight names are torchvision's.
"""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style

# Expansion, channels, repeats and first stride of each stage: table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    classes: int,
    image: Image,
    *,
    activation: str = "relu6",
    normalization: str = "batch",
    dropout: float = 0.2,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """Inverted residuals with linear bottlenecks, for photographs.

    x: [n, c, h, w] to logits: [n, classes].

    Channels are `width` times the paper's, brought to a multiple of 8; the last layer does not
    shrink.

    Raises: UsageError that lists every argument that is wrong.
    """
    blocks = Blocks(
        "mobilenet_v2",
        classes,
        image,
        Style(activation, normalization, dropout, width, seed),
        smallest=32,
    )
    x = _convolution(blocks, blocks.input, "features.0", rounded_to_eight(32 * width), 3, stride=2)
    number = 1
    for expansion, channels, repeats, stride in STAGES:
        # Only the first of a stage makes the sides shorter.
        for own_stride in (stride, *[1] * (repeats - 1)):
            name, wide = f"features.{number}", rounded_to_eight(channels * width)
            x = _inverted_residual(blocks, x, name, expansion, wide, own_stride)
            number += 1
    x = _convolution(blocks, x, f"features.{number}", rounded_to_eight(1280 * max(1.0, width)), 1)
    return blocks.classifier(
        blocks.dropout(blocks.global_pooling(x, "avgpool"), "classifier.0"), "classifier.1"
    )


def _inverted_residual(
    blocks: Blocks, x: Features, name: str, expansion: int, channels: int, stride: int
) -> Features:
    inner, layer, y = x.shape[0] * expansion, 0, x
    if expansion > 1:
        y = _convolution(blocks, y, f"{name}.conv.0", inner, 1)
        layer = 1
    y = _convolution(blocks, y, f"{name}.conv.{layer}", inner, 3, stride=stride, groups=inner)
    y = blocks.convolution(y, f"{name}.conv.{layer + 1}", channels, 1)
    y = blocks.normalization(y, f"{name}.conv.{layer + 2}")
    if stride == 1 and x.shape == y.shape:
        return blocks.add(x, y, f"{name}.add")
    return y


def _convolution(
    blocks: Blocks,
    x: Features,
    name: str,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
) -> Features:
    x = blocks.convolution(x, f"{name}.0", channels, kernel, stride=stride, groups=groups)
    return blocks.activation(blocks.normalization(x, f"{name}.1"))


def rounded_to_eight(channels: float) -> int:
    """The nearest multiple of 8, not below nine tenths of `channels`, as in the authors' code."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    if nearest < 0.9 * channels:
        return nearest + 8
    return nearest
