"""MobileNetV3 (Howard et al. 2019, https://arxiv.org/abs/1905.02244): searched, with gates.

Weight names are torchvision's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.mobile import rounded_to_eight
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import squeezed_and_excited

USUAL = "hardswish"
EPSILON = 1e-3
"""The authors', in batch normalization. Their momentum of 0.99 is for days of training."""


class Layer(NamedTuple):
    """A row of the paper's tables 1 and 2.

    `gated` by squeeze and excitation, `hard` activated by hard swish instead of ReLU.
    """

    kernel: int
    expanded: int
    channels: int
    gated: bool
    hard: bool
    stride: int


LARGE = (
    Layer(3, 16, 16, False, False, 1),
    Layer(3, 64, 24, False, False, 2),
    Layer(3, 72, 24, False, False, 1),
    Layer(5, 72, 40, True, False, 2),
    Layer(5, 120, 40, True, False, 1),
    Layer(5, 120, 40, True, False, 1),
    Layer(3, 240, 80, False, True, 2),
    Layer(3, 200, 80, False, True, 1),
    Layer(3, 184, 80, False, True, 1),
    Layer(3, 184, 80, False, True, 1),
    Layer(3, 480, 112, True, True, 1),
    Layer(3, 672, 112, True, True, 1),
    Layer(5, 672, 160, True, True, 2),
    Layer(5, 960, 160, True, True, 1),
    Layer(5, 960, 160, True, True, 1),
)
SMALL = (
    Layer(3, 16, 16, True, False, 2),
    Layer(3, 72, 24, False, False, 2),
    Layer(3, 88, 24, False, False, 1),
    Layer(5, 96, 40, True, True, 2),
    Layer(5, 240, 40, True, True, 1),
    Layer(5, 240, 40, True, True, 1),
    Layer(5, 120, 48, True, True, 1),
    Layer(5, 144, 48, True, True, 1),
    Layer(5, 288, 96, True, True, 2),
    Layer(5, 576, 96, True, True, 1),
    Layer(5, 576, 96, True, True, 1),
)


def mobilenet_v3_large(classes: int, image: Image, **options: Any) -> Network:
    """The paper's table 1: x: [n, c, h, w] to logits: [n, classes].

    Options are the fields of `Style`; unless another `activation` is asked for, the first half has
    ReLU and the second hard swish. Channels are `width` times the paper's, as multiples of 8.

    Raises: UsageError that lists every argument that is wrong.
    """
    return _mobilenet("mobilenet_v3_large", LARGE, 1280, classes, image, options)


def mobilenet_v3_small(classes: int, image: Image, **options: Any) -> Network:
    """The paper's table 2; options and errors are those of `mobilenet_v3_large`."""
    return _mobilenet("mobilenet_v3_small", SMALL, 1024, classes, image, options)


def _mobilenet(
    family: str,
    layers: tuple[Layer, ...],
    hidden: int,
    classes: int,
    image: Image,
    options: dict[str, Any],
) -> Network:
    style = Style(**{"activation": USUAL, "dropout": 0.2, **options})
    blocks = Blocks(family, classes, image, style, smallest=LEAST)
    width = style.width
    stem, *strides = strides_for(image, (2, *(layer.stride for layer in layers)))
    x = _convolution(
        blocks, blocks.input, "features.0", rounded_to_eight(16 * width), 3, True, stride=stem
    )
    for number, (layer, stride) in enumerate(zip(layers, strides, strict=True), 1):
        x = _inverted_residual(blocks, x, f"features.{number}.block", layer, stride)
    x = _convolution(blocks, x, f"features.{len(layers) + 1}", 6 * x.shape[0], 1, True)
    x = blocks.dense(
        blocks.global_pooling(x, "avgpool"), "classifier.0", rounded_to_eight(hidden * width)
    )
    x = blocks.dropout(blocks.activation(x), "classifier.2")
    return blocks.classifier(x, "classifier.3")


def _inverted_residual(
    blocks: Blocks, x: Features, name: str, layer: Layer, stride: int
) -> Features:
    width = blocks.style.width
    inner, channels = rounded_to_eight(layer.expanded * width), layer.channels * width
    y, number = x, 0
    if inner != x.shape[0]:
        y = _convolution(blocks, y, f"{name}.0", inner, 1, layer.hard)
        number = 1
    y = _convolution(
        blocks, y, f"{name}.{number}", inner, layer.kernel, layer.hard, stride=stride, groups=inner
    )
    if layer.gated:
        number += 1
        squeezed = rounded_to_eight(inner // 4)
        y = squeezed_and_excited(
            blocks, y, f"{name}.{number}", squeezed, inner="relu", gate="hardsigmoid"
        )
    y = blocks.convolution(y, f"{name}.{number + 1}.0", rounded_to_eight(channels), 1)
    y = blocks.normalization(y, f"{name}.{number + 1}.1", epsilon=EPSILON)
    if stride == 1 and x.shape == y.shape:
        return blocks.add(x, y, f"{name}.add")
    return y


def _convolution(
    blocks: Blocks,
    x: Features,
    name: str,
    channels: int,
    kernel: int,
    hard: bool,
    *,
    stride: int = 1,
    groups: int = 1,
) -> Features:
    x = blocks.convolution(x, f"{name}.0", channels, kernel, stride=stride, groups=groups)
    x = blocks.normalization(x, f"{name}.1", epsilon=EPSILON)
    if blocks.style.activation == USUAL and not hard:
        return blocks.activation(x, "relu")
    return blocks.activation(x)
