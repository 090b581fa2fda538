"""VGG (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556): 3 x 3 convolutions only.

Weight names are torchvision's.
"""

from __future__ import annotations

from typing import Any

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import averaged_to

CHANNELS = (64, 128, 256, 512, 512)
"""Of each stage, behind which a pooling halves the sides."""
ELEVEN, SIXTEEN = (1, 1, 2, 2, 2), (2, 2, 3, 3, 3)
"""Convolutions of each stage: columns A and D of the paper's table 1."""
HIDDEN = 4096
GRID = 7
"""The dense layers see so many places a side, or all that a smaller picture has."""


def vgg11(classes: int, image: Image, **options: Any) -> Network:
    """Column A, without normalization; options and errors are those of `vgg16_bn`."""
    return _vgg("vgg11", ELEVEN, classes, image, {"normalization": "none", **options})


def vgg11_bn(classes: int, image: Image, **options: Any) -> Network:
    """Column A, normalized; options and errors are those of `vgg16_bn`."""
    return _vgg("vgg11_bn", ELEVEN, classes, image, options)


def vgg16(classes: int, image: Image, **options: Any) -> Network:
    """Column D, without normalization; options and errors are those of `vgg16_bn`."""
    return _vgg("vgg16", SIXTEEN, classes, image, {"normalization": "none", **options})


def vgg16_bn(classes: int, image: Image, **options: Any) -> Network:
    """Column D, normalized behind each convolution: x: [n, c, h, w] to logits: [n, classes].

    Options are the fields of `Style`; dropout, 0.5 as in the paper, is of the dense layers. A
    picture under 64 pixels is not pooled by the first stages, until 4 places a side remain.

    Raises: UsageError that lists every argument that is wrong.
    """
    return _vgg("vgg16_bn", SIXTEEN, classes, image, options)


def _vgg(
    family: str, repeats: tuple[int, ...], classes: int, image: Image, options: dict[str, Any]
) -> Network:
    style = Style(**{"dropout": 0.5, **options})
    blocks = Blocks(family, classes, image, style, smallest=LEAST)
    x, number = blocks.input, 0
    strides = strides_for(image, [2] * len(CHANNELS))
    for channels, count, stride in zip(CHANNELS, repeats, strides, strict=True):
        for _ in range(count):
            x, number = _convolution(blocks, x, blocks.scaled(channels), number)
        if stride > 1:
            x = blocks.pooling(x, f"features.{number}")
        number += 1
    return _classified(blocks, averaged_to(blocks, x, GRID, "avgpool"))


def _convolution(blocks: Blocks, x: Features, channels: int, number: int) -> tuple[Features, int]:
    """The layers `features.<number>` on, and the number of the next one."""
    x = blocks.convolution(x, f"features.{number}", channels, bias=True)
    if blocks.style.normalization != "none":
        number += 1
        x = blocks.normalization(x, f"features.{number}")
    return blocks.activation(x), number + 2


def _classified(blocks: Blocks, x: Features) -> Network:
    x = blocks.flatten(x)
    for number in (0, 3):
        x = blocks.dense(x, f"classifier.{number}", blocks.scaled(HIDDEN))
        x = blocks.dropout(blocks.activation(x), f"classifier.{number + 2}")
    return blocks.classifier(x, "classifier.6")
