"""MobileNet (Howard et al. 2017, https://arxiv.org/abs/1704.04861): depthwise, then 1 x 1.

Weight names are those of Keras's layers, and so is the padding: TensorFlow's SAME, which puts the
odd row and column behind.
"""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.small_pictures import LEAST, strides_for

# Channels and stride of each pair of convolutions: table 1 of the paper.
PAIRS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
EPSILON = 1e-3
"""Keras's, in batch normalization. Its momentum of 0.99 is for days of training: after minutes the
running statistics would still be those from before."""


def mobilenet_v1(
    classes: int,
    image: Image,
    *,
    activation: str = "relu6",
    normalization: str = "batch",
    dropout: float = 0.001,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """13 pairs of a depthwise and a 1 x 1 convolution: x: [n, c, h, w] to logits: [n, classes].

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    blocks = Blocks("mobilenet_v1", classes, image, style, smallest=LEAST)
    stem, *strides = strides_for(image, (2, *(stride for _, stride in PAIRS)))
    x = _convolution(blocks, blocks.input, "conv1", blocks.scaled(32), 3, stem)
    pairs = zip(PAIRS, strides, strict=True)
    for number, ((channels, _), stride) in enumerate(pairs, 1):
        x = _convolution(blocks, x, f"conv_dw_{number}", x.shape[0], 3, stride, x.shape[0])
        x = _convolution(blocks, x, f"conv_pw_{number}", blocks.scaled(channels), 1, 1)
    means = blocks.builder.add("GlobalAveragePool", [x.name], name="global_average_pooling2d")
    x = blocks.dropout(Features(means, (x.shape[0], 1, 1)), "dropout")
    return blocks.finish(blocks.flatten(blocks.convolution(x, "conv_preds", classes, 1, bias=True)))


def _convolution(
    blocks: Blocks,
    x: Features,
    name: str,
    channels: int,
    kernel: int,
    stride: int,
    groups: int = 1,
) -> Features:
    pads = _same(x.shape[1:], kernel, stride)
    x = blocks.convolution(x, name, channels, kernel, stride=stride, groups=groups, padding=pads)
    x = blocks.normalization(x, f"{name}_bn", epsilon=EPSILON)
    return blocks.activation(x)


def _same(sides: tuple[int, ...], kernel: int, stride: int) -> tuple[int, ...]:
    """ONNX's pads for sides of ceil(side / stride), the smaller half in front."""
    missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in sides]
    return (*(count // 2 for count in missing), *(count - count // 2 for count in missing))
