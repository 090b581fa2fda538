"""ShuffleNetV2 (Ma et al. 2018, https://arxiv.org/abs/1807.11164): half the channels pass by.

Weight names are torchvision's.
"""

from __future__ import annotations

from typing import Any

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import joined, reshaped, split, turned

REPEATS = (4, 8, 4)
STEM = 24


def shufflenet_v2_x0_5(classes: int, image: Image, **options: Any) -> Network:
    """48 to 192 channels; options and errors are those of `shufflenet_v2_x1_0`."""
    return _shufflenet("shufflenet_v2_x0_5", (48, 96, 192), 1024, classes, image, options)


def shufflenet_v2_x1_0(classes: int, image: Image, **options: Any) -> Network:
    """116 to 464 channels (the paper's table 5): x: [n, c, h, w] to logits: [n, classes].

    Options are the fields of `Style`.

    Raises: UsageError that lists every argument that is wrong.
    """
    return _shufflenet("shufflenet_v2_x1_0", (116, 232, 464), 1024, classes, image, options)


def _shufflenet(
    family: str,
    channels: tuple[int, ...],
    last: int,
    classes: int,
    image: Image,
    options: dict[str, Any],
) -> Network:
    blocks = Blocks(family, classes, image, Style(**options), smallest=LEAST)
    stem, pool, *strides = strides_for(image, (2, 2, 2, 2, 2))
    x = _convolution(blocks, blocks.input, "conv1", 0, blocks.scaled(STEM), 3, stem)
    x = blocks.pooling(x, "maxpool", kernel=3, stride=pool, padding=1)
    for number, (count, repeats, stride) in enumerate(
        zip(channels, REPEATS, strides, strict=True), 2
    ):
        # Two halves of one length are shuffled, so that channels are even.
        half = blocks.scaled(count // 2)
        x = _widening(blocks, x, f"stage{number}.0", half, stride)
        for unit in range(1, repeats):
            x = _passing(blocks, x, f"stage{number}.{unit}")
    x = _convolution(blocks, x, "conv5", 0, blocks.scaled(last), 1)
    return blocks.classifier(blocks.dropout(blocks.global_pooling(x, "avgpool"), "dropout"))


def _widening(blocks: Blocks, x: Features, name: str, half: int, stride: int) -> Features:
    """All channels go through both branches."""
    y = _depthwise(blocks, x, f"{name}.branch1", 0, stride)
    y = _convolution(blocks, y, f"{name}.branch1", 2, half, 1)
    return _shuffled(blocks, [y, _branch(blocks, x, name, half, stride)], name)


def _passing(blocks: Blocks, x: Features, name: str) -> Features:
    """The first half of the channels passes by."""
    first, second = split(blocks, x, f"{name}.halves", 2)
    branch = _branch(blocks, second, name, second.shape[0], 1)
    return _shuffled(blocks, [first, branch], name)


def _branch(blocks: Blocks, x: Features, name: str, half: int, stride: int) -> Features:
    x = _convolution(blocks, x, f"{name}.branch2", 0, half, 1)
    x = _depthwise(blocks, x, f"{name}.branch2", 3, stride)
    return _convolution(blocks, x, f"{name}.branch2", 5, half, 1)


def _shuffled(blocks: Blocks, halves: list[Features], name: str) -> Features:
    """Both halves joined, their channels taken in turns."""
    x = joined(blocks, halves, f"{name}.joined")
    channels, height, width = x.shape
    x = reshaped(blocks, x, (2, channels // 2, height, width), f"{name}.apart")
    x = turned(blocks, x, (1, 0, 2, 3), f"{name}.in_turns")
    return reshaped(blocks, x, (channels, height, width), f"{name}.shuffled")


def _convolution(
    blocks: Blocks,
    x: Features,
    name: str,
    number: int,
    channels: int,
    kernel: int,
    stride: int = 1,
) -> Features:
    x = blocks.convolution(x, f"{name}.{number}", channels, kernel, stride=stride)
    return blocks.activation(blocks.normalization(x, f"{name}.{number + 1}"))


def _depthwise(blocks: Blocks, x: Features, name: str, number: int, stride: int) -> Features:
    """Without an activation behind it."""
    channels = x.shape[0]
    x = blocks.convolution(x, f"{name}.{number}", channels, stride=stride, groups=channels)
    return blocks.normalization(x, f"{name}.{number + 1}")
