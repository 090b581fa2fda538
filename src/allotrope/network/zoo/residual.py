"""Residual networks (He et al. 2016, https://arxiv.org/abs/1512.03385), for images of all sizes.

Weight names are torchvision's, so that its published weights and timm's load by name. The small
ones have no layers in torchvision; theirs are the names of
https://github.com/chenyaofo/pytorch-cifar-models, which follow the same scheme.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, Unpack

import numpy as np

from allotrope.errors import unknown_name
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style, Volume

SHORTCUTS = ("padding", "projection")
PICTURE = ("height", "width")
"""The sides of what most of them take."""
Block = Callable[[Blocks, Features, str, int, int, str], Features]


class ResidualOptions(TypedDict, total=False):
    """The options that all residual networks take; defaults are those of `Style`."""

    activation: str
    normalization: str
    dropout: float
    width: float
    seed: int


def resnet8(
    classes: int, image: Image, *, shortcut: str = "projection", **options: Unpack[ResidualOptions]
) -> Network:
    """One block a stage, for small images; see `resnet20`."""
    return small_residual("resnet8", 1, classes, image, shortcut, Style(**options))


def resnet20(
    classes: int, image: Image, *, shortcut: str = "projection", **options: Unpack[ResidualOptions]
) -> Network:
    """Three blocks a stage of 16, 32 and 64 channels, for small images.

    x: [n, c, h, w] to logits: [n, classes].

    Where a stage halves the sides, `shortcut` is the paper's option B, `projection` (a 1 x 1
    convolution), as in the weights that are published, or its option A, `padding` (every second
    pixel, new channels zero), which has no weights.

    Raises: UsageError that lists every argument that is wrong.
    """
    return small_residual("resnet20", 3, classes, image, shortcut, Style(**options))


def resnet32(
    classes: int, image: Image, *, shortcut: str = "projection", **options: Unpack[ResidualOptions]
) -> Network:
    """Five blocks a stage, for small images; see `resnet20`."""
    return small_residual("resnet32", 5, classes, image, shortcut, Style(**options))


def resnet56(
    classes: int, image: Image, *, shortcut: str = "projection", **options: Unpack[ResidualOptions]
) -> Network:
    """Nine blocks a stage, for small images; see `resnet20`."""
    return small_residual("resnet56", 9, classes, image, shortcut, Style(**options))


def resnet18(classes: int, image: Image, **options: Unpack[ResidualOptions]) -> Network:
    """Two basic blocks a stage, for photographs; see `resnet50`."""
    return photograph_residual(
        "resnet18", basic_block, (2, 2, 2, 2), 1, classes, image, Style(**options)
    )


def resnet34(classes: int, image: Image, **options: Unpack[ResidualOptions]) -> Network:
    """3, 4, 6 and 3 basic blocks, for photographs; see `resnet50`."""
    return photograph_residual(
        "resnet34", basic_block, (3, 4, 6, 3), 1, classes, image, Style(**options)
    )


def resnet50(classes: int, image: Image, **options: Unpack[ResidualOptions]) -> Network:
    """3, 4, 6 and 3 bottleneck blocks, for photographs: x: [n, c, h, w] to logits: [n, classes].

    The stride is in the 3 x 3 convolution, as in torchvision ("ResNet v1.5").

    Raises: UsageError that lists every argument that is wrong.
    """
    return photograph_residual(
        "resnet50", _bottleneck_block, (3, 4, 6, 3), 4, classes, image, Style(**options)
    )


def small_residual(
    family: str,
    repeats: int,
    classes: int,
    image: Image | Volume,
    shortcut: str,
    style: Style,
    axes: tuple[str, ...] = PICTURE,
) -> Network:
    """Stages of 16, 32 and 64 channels: x: [n, c, h, w] or [n, c, d, h, w] to logits."""
    problems = []
    if shortcut not in SHORTCUTS:
        problems = [str(unknown_name("shortcut", shortcut, SHORTCUTS))]
    blocks = Blocks(family, classes, image, style, smallest=4, problems=problems, axes=axes)
    x = blocks.convolution(blocks.input, "conv1", blocks.scaled(16))
    x = blocks.activation(blocks.normalization(x, "bn1"))
    for stage, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2)), 1):
        wide = blocks.scaled(channels)
        x = _stage(blocks, x, f"layer{stage}", basic_block, repeats, wide, stride, shortcut)
    return _head(blocks, x)


def photograph_residual(
    family: str,
    block: Block,
    repeats: tuple[int, ...],
    expansion: int,
    classes: int,
    image: Image | Volume,
    style: Style,
    axes: tuple[str, ...] = PICTURE,
) -> Network:
    """Stages of 64 to 512 channels behind a stem that quarters the sides, as for photographs."""
    blocks = Blocks(family, classes, image, style, smallest=32, axes=axes)
    x = blocks.convolution(blocks.input, "conv1", blocks.scaled(64), 7, stride=2)
    x = blocks.activation(blocks.normalization(x, "bn1"))
    x = blocks.pooling(x, "maxpool", kernel=3, stride=2, padding=1)
    stages = zip((64, 128, 256, 512), (1, 2, 2, 2), repeats, strict=True)
    for stage, (channels, stride, count) in enumerate(stages, 1):
        wide = blocks.scaled(channels) * expansion
        x = _stage(blocks, x, f"layer{stage}", block, count, wide, stride, "projection")
    return _head(blocks, x)


def _head(blocks: Blocks, x: Features) -> Network:
    return blocks.classifier(blocks.dropout(blocks.global_pooling(x, "avgpool"), "dropout"))


def _stage(
    blocks: Blocks,
    x: Features,
    name: str,
    block: Block,
    repeats: int,
    channels: int,
    stride: int,
    shortcut: str,
) -> Features:
    """Blocks of which only the first makes the sides shorter."""
    for number, own_stride in enumerate((stride, *[1] * (repeats - 1))):
        x = block(blocks, x, f"{name}.{number}", channels, own_stride, shortcut)
    return x


def basic_block(
    blocks: Blocks, x: Features, name: str, channels: int, stride: int, shortcut: str
) -> Features:
    """Two convolutions of side 3, and what goes around them."""
    y = blocks.convolution(x, f"{name}.conv1", channels, stride=stride)
    y = blocks.activation(blocks.normalization(y, f"{name}.bn1"))
    y = blocks.convolution(y, f"{name}.conv2", channels)
    y = blocks.normalization(y, f"{name}.bn2")
    return blocks.activation(
        blocks.add(y, _shortcut(blocks, x, name, channels, stride, shortcut), f"{name}.add")
    )


def _bottleneck_block(
    blocks: Blocks, x: Features, name: str, channels: int, stride: int, shortcut: str
) -> Features:
    y = blocks.convolution(x, f"{name}.conv1", channels // 4, 1)
    y = blocks.activation(blocks.normalization(y, f"{name}.bn1"))
    y = blocks.convolution(y, f"{name}.conv2", channels // 4, stride=stride)
    y = blocks.activation(blocks.normalization(y, f"{name}.bn2"))
    y = blocks.convolution(y, f"{name}.conv3", channels, 1)
    y = blocks.normalization(y, f"{name}.bn3")
    return blocks.activation(
        blocks.add(y, _shortcut(blocks, x, name, channels, stride, shortcut), f"{name}.add")
    )


def _shortcut(
    blocks: Blocks, x: Features, name: str, channels: int, stride: int, kind: str
) -> Features:
    if stride == 1 and x.shape[0] == channels:
        return x
    if kind == "padding":
        return _padding(blocks, x, f"{name}.downsample", channels, stride)
    x = blocks.convolution(x, f"{name}.downsample.0", channels, 1, stride=stride)
    return blocks.normalization(x, f"{name}.downsample.1")


def _padding(blocks: Blocks, x: Features, name: str, channels: int, stride: int) -> Features:
    """Every `stride`-th pixel, with channels of zeros before and after."""
    count, *sides = x.shape
    before = (channels - count) // 2
    limits = [("starts", [0, 0]), ("ends", sides), ("axes", [2, 3]), ("steps", [stride, stride])]
    inputs = [
        blocks.builder.constant(np.array(values, dtype=np.int64), f"{name}.{part}")
        for part, values in limits
    ]
    y = blocks.builder.add("Slice", [x.name, *inputs], name=f"{name}.slice")
    pads = np.array([0, before, 0, 0, 0, channels - count - before, 0, 0], dtype=np.int64)
    y = blocks.builder.add(
        "Pad", [y, blocks.builder.constant(pads, f"{name}.pads")], name=f"{name}.pad"
    )
    return Features(y, (channels, *((side - 1) // stride + 1 for side in sides)))
