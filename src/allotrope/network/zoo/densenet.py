"""DenseNet (Huang et al. 2017, https://arxiv.org/abs/1608.06993): each layer sees all before it.

Weight names are torchvision's.
"""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import joined

REPEATS = (6, 12, 24, 16)
"""Layers of each block: DenseNet-121 of the paper's table 1."""
FIRST, GROWTH, BOTTLENECK = 64, 32, 4
"""Channels of the stem, what each layer adds, and how many times that its 1 x 1 convolution has."""


def densenet121(
    classes: int,
    image: Image,
    *,
    activation: str = "relu",
    normalization: str = "batch",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """Four blocks of 6, 12, 24 and 16 layers: x: [n, c, h, w] to logits: [n, classes].

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    blocks = Blocks("densenet121", classes, image, style, smallest=LEAST)
    stem, pool, *between = strides_for(image, (2, 2, 2, 2, 2))
    x = blocks.convolution(blocks.input, "features.conv0", blocks.scaled(FIRST), 7, stride=stem)
    x = blocks.activation(blocks.normalization(x, "features.norm0"))
    x = blocks.pooling(x, "features.pool0", kernel=3, stride=pool, padding=1)
    for number, repeats in enumerate(REPEATS, 1):
        for layer in range(1, repeats + 1):
            x = _layer(blocks, x, f"features.denseblock{number}.denselayer{layer}")
        if number <= len(between):
            x = _transition(blocks, x, f"features.transition{number}", between[number - 1])
    x = blocks.activation(blocks.normalization(x, "features.norm5"))
    return blocks.classifier(blocks.global_pooling(x, "avgpool"), "classifier")


def _layer(blocks: Blocks, x: Features, name: str) -> Features:
    """x with the channels of one more layer behind its own."""
    growth = blocks.scaled(GROWTH)
    y = blocks.activation(blocks.normalization(x, f"{name}.norm1"))
    y = blocks.convolution(y, f"{name}.conv1", BOTTLENECK * growth, 1)
    y = blocks.activation(blocks.normalization(y, f"{name}.norm2"))
    y = blocks.convolution(y, f"{name}.conv2", growth)
    return joined(blocks, [x, blocks.dropout(y, f"{name}.dropout")], f"{name}.joined")


def _transition(blocks: Blocks, x: Features, name: str, stride: int) -> Features:
    """Half the channels, and half the sides."""
    x = blocks.activation(blocks.normalization(x, f"{name}.norm"))
    x = blocks.convolution(x, f"{name}.conv", x.shape[0] // 2, 1)
    if stride == 1:
        return x
    return blocks.pooling(x, f"{name}.pool", "average")
