"""U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597): an answer for each pixel.

Weight names are those of https://github.com/milesial/Pytorch-UNet, whose weights are published.
"""

from __future__ import annotations

from allotrope.network.initialize import zeros
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.value_steps import joined

CHANNELS = (64, 128, 256, 512, 1024)


def unet(
    classes: int,
    image: Image,
    *,
    activation: str = "relu",
    normalization: str = "batch",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """Segmentation: which class each pixel has, x: [n, c, h, w] to logits: [n, classes, h, w].

    Convolutions are padded, so that the answer is as large as the picture. `fit` has no task whose
    labels are pictures: this network is for `check`, `convert`, `bench` and training by
    `network.to(...)` with a loss of one's own.

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    blocks = Blocks("unet", classes, image, style, smallest=2 ** (len(CHANNELS) - 1))
    first, *deeper = (blocks.scaled(count) for count in CHANNELS)
    x = _twice(blocks, blocks.input, "inc", first)
    passed = []
    for number, count in enumerate(deeper, 1):
        passed.append(x)
        x = blocks.pooling(x, f"down{number}.maxpool_conv.0")
        x = _twice(blocks, x, f"down{number}.maxpool_conv.1", count)
    x = blocks.dropout(x, "dropout")
    for number, beside in enumerate(reversed(passed), 1):
        x = _upwards(blocks, x, beside, f"up{number}")
    return blocks.finish(blocks.convolution(x, "outc.conv", classes, 1, bias=True))


def _twice(blocks: Blocks, x: Features, name: str, channels: int) -> Features:
    for number in (0, 3):
        x = blocks.convolution(x, f"{name}.double_conv.{number}", channels)
        x = blocks.normalization(x, f"{name}.double_conv.{number + 1}")
        x = blocks.activation(x)
    return x


def _upwards(blocks: Blocks, x: Features, beside: Features, name: str) -> Features:
    """x with its sides doubled, behind what had these sides on the way down."""
    channels = beside.shape[0]
    shape = (x.shape[0], channels, 2, 2)
    weight = blocks.weight(f"{name}.up.weight", shape, blocks.initializer)
    bias = blocks.weight(f"{name}.up.bias", (channels,), zeros)
    # A side that was odd has lost a row, which comes back as zeros.
    lost = [side - 2 * (side // 2) for side in beside.shape[1:]]
    attributes = {
        "kernel_shape": (2, 2),
        "strides": (2, 2),
        "pads": (0, 0, 0, 0),
        "group": 1,
        "dilations": (1, 1),
        "output_padding": tuple(lost),
    }
    y = blocks.builder.add("ConvTranspose", [x.name, weight, bias], attributes, name=f"{name}.up")
    x = joined(blocks, [beside, Features(y, (channels, *beside.shape[1:]))], f"{name}.joined")
    return _twice(blocks, x, f"{name}.conv", channels)
