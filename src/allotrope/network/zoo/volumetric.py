"""Networks for volumes: convolutions along depth, height and width.

Weight names are those of the networks for pictures; the residual ones are so called in the 3-D
networks of MedicalNet (Chen et al. 2019, https://arxiv.org/abs/1904.00625), too.
"""

from __future__ import annotations

from typing import Unpack

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Style, Volume, positive
from allotrope.network.zoo.residual import (
    ResidualOptions,
    basic_block,
    photograph_residual,
    small_residual,
)

SIDES = ("depth", "height", "width")


def cnn_3d(
    classes: int,
    volume: Volume,
    *,
    channels: tuple[int, ...] = (16, 32, 64),
    **options: Unpack[ResidualOptions],
) -> Network:
    """A convolution of side 3 for each number in `channels`, each pooled.

    x: [n, c, d, h, w] to logits: [n, classes]. A side of a single voxel stays, as of few slices.

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(**options)
    problems = positive("channels", channels)
    blocks = Blocks("cnn_3d", classes, volume, style, problems=problems, axes=SIDES, gates=True)
    x = blocks.input
    for number, count in enumerate(channels, 1):
        x = blocks.convolution(x, f"conv{number}", blocks.before_activation(blocks.scaled(count)))
        x = blocks.activation(blocks.normalization(x, f"bn{number}"))
        x = blocks.pooling(x, f"pool{number}")
    x = blocks.global_pooling(x, "avgpool")
    return blocks.classifier(blocks.dropout(x, "dropout"))


def resnet8_3d(classes: int, volume: Volume, **options: Unpack[ResidualOptions]) -> Network:
    """One block a stage of 16, 32 and 64 channels: x: [n, c, d, h, w] to logits: [n, classes].

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(**options)
    return small_residual("resnet8_3d", 1, classes, volume, "projection", style, SIDES)


def resnet18_3d(classes: int, volume: Volume, **options: Unpack[ResidualOptions]) -> Network:
    """Two basic blocks a stage, for volumes of 32 voxels a side or more: [n, c, d, h, w].

    Raises: UsageError that lists every argument that is wrong.
    """
    style, repeats = Style(**options), (2, 2, 2, 2)
    return photograph_residual(
        "resnet18_3d", basic_block, repeats, 1, classes, volume, style, SIDES
    )
