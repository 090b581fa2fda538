"""EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946): inverted residuals with gates.

Weight names are torchvision's.
"""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style
from allotrope.network.zoo.mobile import rounded_to_eight
from allotrope.network.zoo.small_pictures import LEAST, strides_for
from allotrope.network.zoo.value_steps import squeezed_and_excited

# Expansion, kernel, stride, channels and repeats of each stage: table 1 of the paper.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, LAST = 32, 1280


def efficientnet_b0(
    classes: int,
    image: Image,
    *,
    activation: str = "silu",
    normalization: str = "batch",
    dropout: float = 0.2,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """The smallest of its family: x: [n, c, h, w] to logits: [n, classes].

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    blocks = Blocks("efficientnet_b0", classes, image, style, smallest=LEAST)
    stem, *strides = strides_for(image, (2, *(stride for _, _, stride, _, _ in STAGES)))
    x = _convolution(blocks, blocks.input, "features.0", rounded_to_eight(STEM * width), 3, stem)
    stages = zip(STAGES, strides, strict=True)
    for number, ((expansion, kernel, _, channels, repeats), stride) in enumerate(stages, 1):
        wide = rounded_to_eight(channels * width)
        for layer, own_stride in enumerate((stride, *[1] * (repeats - 1))):
            name = f"features.{number}.{layer}.block"
            x = _inverted_residual(blocks, x, name, expansion, kernel, wide, own_stride)
    x = _convolution(blocks, x, f"features.{len(STAGES) + 1}", rounded_to_eight(LAST * width), 1, 1)
    x = blocks.dropout(blocks.global_pooling(x, "avgpool"), "classifier.0")
    return blocks.classifier(x, "classifier.1")


def _inverted_residual(
    blocks: Blocks,
    x: Features,
    name: str,
    expansion: int,
    kernel: int,
    channels: int,
    stride: int,
) -> Features:
    inner, layer, y = x.shape[0] * expansion, 0, x
    if expansion > 1:
        y = _convolution(blocks, y, f"{name}.0", inner, 1, 1)
        layer = 1
    y = _convolution(blocks, y, f"{name}.{layer}", inner, kernel, stride, groups=inner)
    # The gate is as narrow as a quarter of what came in, not of what was expanded.
    y = squeezed_and_excited(
        blocks,
        y,
        f"{name}.{layer + 1}",
        max(1, x.shape[0] // 4),
        inner=blocks.style.activation,
        gate="sigmoid",
    )
    y = blocks.convolution(y, f"{name}.{layer + 2}.0", channels, 1)
    y = blocks.normalization(y, f"{name}.{layer + 2}.1")
    if stride == 1 and x.shape == y.shape:
        return blocks.add(x, y, f"{name}.add")
    return y


def _convolution(
    blocks: Blocks,
    x: Features,
    name: str,
    channels: int,
    kernel: int,
    stride: int,
    groups: int = 1,
) -> Features:
    x = blocks.convolution(x, f"{name}.0", channels, kernel, stride=stride, groups=groups)
    return blocks.activation(blocks.normalization(x, f"{name}.1"))
