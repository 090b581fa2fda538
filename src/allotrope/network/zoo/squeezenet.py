"""SqueezeNet (Iandola et al. 2016, https://arxiv.org/abs/1602.07360): as few weights as can be.

Weight names are torchvision's.
"""

from __future__ import annotations

from typing import Any

from allotrope.network.initialize import normal_of
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import joined

POOL = 0
"""Stands for a pooling among the widths of fire modules."""
FIRST = (POOL, 16, 16, 32, POOL, 32, 48, 48, 64, POOL, 64)
SECOND = (POOL, 16, 16, POOL, 32, 32, POOL, 48, 48, 64, 64)
"""Channels to which each fire module squeezes: table 1 of the paper, and the authors' 1.1."""
EXPANSION = 4


def squeezenet1_0(classes: int, image: Image, *, final_padding: int = 0, **options: Any) -> Network:
    """The paper's network: x: [n, c, h, w] to logits: [n, classes].

    Options are the fields of `Style`; the paper has no normalization. The authors' own file pads
    its last 1 x 1 convolution by 1 (`final_padding`), torchvision's does not.

    Raises: UsageError that lists every argument that is wrong.
    """
    return _squeezenet("squeezenet1_0", (96, 7), FIRST, classes, image, final_padding, options)


def squeezenet1_1(classes: int, image: Image, **options: Any) -> Network:
    """The authors' later one, of the same accuracy at 2.4 times less work; see `squeezenet1_0`."""
    return _squeezenet("squeezenet1_1", (64, 3), SECOND, classes, image, 0, options)


def _squeezenet(
    family: str,
    stem: tuple[int, int],
    modules: tuple[int, ...],
    classes: int,
    image: Image,
    final_padding: int,
    options: dict[str, Any],
) -> Network:
    style = Style(**{"normalization": "none", "dropout": 0.5, **options})
    blocks = Blocks(family, classes, image, style, smallest=LEAST)
    stride, *pools = strides_for(image, (2, 2, 2, 2))
    channels, kernel = stem
    # A small picture has no rows to lose at its edges.
    padding = 0 if stride > 1 else None
    x = blocks.convolution(
        blocks.input,
        "features.0",
        blocks.scaled(channels),
        kernel,
        stride=stride,
        padding=padding,
        bias=True,
    )
    x = blocks.activation(blocks.normalization(x, "features.0_bn"))
    for number, squeezed in enumerate(modules, 2):
        if squeezed != POOL:
            x = _fire(blocks, x, f"features.{number}", blocks.scaled(squeezed))
        elif pools.pop(0) > 1:
            x = blocks.pooling(x, f"features.{number}", kernel=3, stride=2, ceil=True)
    return _classified(blocks, x, final_padding)


def _fire(blocks: Blocks, x: Features, name: str, squeezed: int) -> Features:
    """Few channels by a 1 x 1 convolution, then many by two of 1 x 1 and 3 x 3."""
    x = _convolution(blocks, x, f"{name}.squeeze", squeezed, 1)
    small = _convolution(blocks, x, f"{name}.expand1x1", EXPANSION * squeezed, 1)
    large = _convolution(blocks, x, f"{name}.expand3x3", EXPANSION * squeezed, 3)
    return joined(blocks, [small, large], f"{name}.joined")


def _convolution(blocks: Blocks, x: Features, name: str, channels: int, kernel: int) -> Features:
    x = blocks.convolution(x, name, channels, kernel, bias=True)
    return blocks.activation(blocks.normalization(x, f"{name}_bn"))


def _classified(blocks: Blocks, x: Features, padding: int) -> Network:
    x = blocks.dropout(x, "classifier.0")
    drawn = normal_of(0.01)
    x = blocks.convolution(
        x, "classifier.1", blocks.classes, 1, padding=padding, bias=True, initializer=drawn
    )
    return blocks.finish(blocks.global_pooling(blocks.activation(x), "avgpool"))
