"""What is known to train each family of networks well, and which family suits which images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from allotrope.config import Recipe

Image = tuple[int, int, int]
FEW = 10_000
"""Fewer training images than this are few: they get a small network, strong augmentation and many
epochs."""


def _plain(image: Image) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Family:
    """A network of the zoo with the recipe that suits it.

    `widths` are those to choose from, `usual_width` the one where the time is not known. A wider
    network is worth its time if each image is still seen `enough_epochs` times; more than
    `most_epochs` times teach nothing more. `arguments(image)` are the network's others.
    """

    name: str
    recipe: Recipe
    widths: tuple[float, ...] = ()
    usual_width: float = 1.0
    enough_epochs: float = 8.0
    most_epochs: float = 40.0
    whitened: bool = False
    arguments: Callable[[Image], dict[str, Any]] = _plain

    def widths_for(self, images: int) -> tuple[float, ...]:
        """The widths that suit so many images, the widest first: few would be learned by heart."""
        widest = self.usual_width if images < FEW else max(self.widths)
        return tuple(sorted((width for width in self.widths if width <= widest), reverse=True))


def family_for(height: int, width: int) -> tuple[Family, str]:
    """The family that suits images of this size, and why."""
    side = f"{height} x {width} pixels"
    if max(height, width) <= 64 and min(height, width) >= 8:
        return FAMILIES[
            "whitened_cnn"
        ], f"whitened_cnn, because it learns small images ({side}) fastest."
    if min(height, width) >= 32:
        return FAMILIES["resnet18"], f"resnet18, because images of {side} are photographs in size."
    return FAMILIES["cnn"], f"cnn, because images of {side} are too narrow for a deep network."


def recipe_of(family: Family, image: Image, images: int) -> Recipe:
    """The family's recipe, fitted to the number of images and their size.

    The batch is twice the root of the number of images, as a power of two from 16 to the family's;
    a smaller batch lowers the learning rate in proportion (Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677). Few images are changed more, unless they are so small that
    little of them would be left.
    """
    recipe = family.recipe
    batch = min(max(2 ** round(math.log2(2 * math.sqrt(images))), 16), recipe.batch_size)
    augmentation, label_smoothing = recipe.augmentation, recipe.label_smoothing
    if images < FEW:
        augmentation, label_smoothing = "medium", min(label_smoothing, 0.1)
    if min(image[1:]) <= 12:
        augmentation = "light"
    return replace(
        recipe,
        batch_size=batch,
        learning_rate=recipe.learning_rate * batch / recipe.batch_size,
        augmentation=augmentation,
        label_smoothing=label_smoothing,
    )


def usual_epochs(images: int) -> float | None:
    """How many epochs are trained if nobody says: few images 15 to 40 times; None for many.

    Few images are seen about 50,000 times in all.
    """
    return float(min(max(50_000 // images, 15), 40)) if images < FEW else None


def _groups(image: Image) -> dict[str, Any]:
    """Groups of convolutions by the shorter side: two for 8 pixels, three for 16 to 32, or 4."""
    count = max(1, int(0.75 * math.log2(min(image[1:]))))
    return {"channels": (64,) + (256,) * (count - 1), "activation": "relu", "epsilon": 1e-5}


WHITENED = Recipe(
    optimizer="nesterov",
    learning_rate=0.75,
    momentum=0.85,
    weight_decay=0.00133,
    bias_scale=64.0,
    schedule="one-cycle",
    warmup=0.23,
    start_fraction=0.2,
    final_fraction=0.07,
    label_smoothing=0.2,
    average=0.99,
    augmentation="light",
    batch_size=512,
)
RESIDUAL = Recipe(
    optimizer="nesterov",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="one-cycle",
    warmup=0.2,
    label_smoothing=0.1,
    average=0.99,
    augmentation="medium",
    batch_size=128,
)
SMALL = Recipe(
    optimizer="adamw",
    learning_rate=4e-3,
    momentum=0.9,
    beta2=0.99,
    weight_decay=0.02,
    schedule="one-cycle",
    warmup=0.2,
    label_smoothing=0.05,
    average=0.98,
    augmentation="light",
    batch_size=64,
)
ATTENTIVE = replace(SMALL, learning_rate=1e-3, weight_decay=0.05, augmentation="medium")
"""For layers that are normalized place by place, as in transformers: smaller steps, more decay."""
FINE_TUNED = Recipe(
    optimizer="adamw",
    learning_rate=1e-3,
    momentum=0.9,
    weight_decay=0.01,
    schedule="one-cycle",
    warmup=0.2,
    label_smoothing=0.05,
    clip_norm=1.0,
    average=0.98,
    augmentation="light",
    batch_size=64,
)
"""For a network that has learned before: gentle steps that begin at 0, so that the first ones do
not wipe out what it knows."""

NEW_HEAD = 4.0
"""How many times as fast a new last layer learns as the rest, which has learned before.

Chosen on the validation images of 12 Caltech-101 categories with MobileNet v1 0.25 at 96 pixels:
0.3 of 4e-3 for the rest reached 94.5 % in three epochs, 0.1 of it 89.0 %; a head at 1e-3 with a
tenth of that for the rest 50 % in two."""

WITHOUT_NORMALIZATION = 0.3
"""The part of the learning rate for a network that knows the classes and has no normalization.

So exporters write most convolutional networks: BatchNormalization is folded into their weights,
and what would keep a step small is gone. Of the folded files of `benchmarks/exported.py` a
ResNet-18 lost at 1e-3 and gained most at 1e-4, a small CNN of Keras gained most at 1e-3; at 3e-4
both gained."""


def _normalized(image: Image) -> dict[str, Any]:
    return {"normalization": "batch"}


def _residual(name: str, **options: Any) -> Family:
    return Family(name, RESIDUAL, **options)


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("mlp", SMALL),
        Family("cnn", SMALL, arguments=_normalized),
        Family(
            "whitened_cnn",
            WHITENED,
            widths=(0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0),
            usual_width=0.5,
            whitened=True,
            arguments=_groups,
        ),
        _residual("resnet8"),
        _residual("resnet20"),
        _residual("resnet32"),
        _residual("resnet56"),
        _residual("resnet18", widths=(0.125, 0.25, 0.375, 0.5, 0.75, 1.0), usual_width=0.5),
        _residual("resnet34", widths=(0.125, 0.25, 0.375, 0.5, 0.75, 1.0), usual_width=0.5),
        _residual("resnet50", widths=(0.125, 0.25, 0.375, 0.5, 0.75, 1.0), usual_width=0.5),
        _residual("mobilenet_v2", widths=(0.25, 0.35, 0.5, 0.75, 1.0), usual_width=0.5),
        Family("convnext_atto", ATTENTIVE),
        Family("convnext_tiny", ATTENTIVE),
        Family("deit_tiny", ATTENTIVE),
        _residual("densenet121"),
        _residual("efficientnet_b0"),
        _residual("mobilenet_v1"),
        _residual("mobilenet_v3_large"),
        _residual("mobilenet_v3_small"),
        _residual("shufflenet_v2_x0_5"),
        _residual("shufflenet_v2_x1_0"),
        Family("squeezenet1_0", SMALL, arguments=_normalized),
        Family("squeezenet1_1", SMALL, arguments=_normalized),
        Family("vgg11", ATTENTIVE),
        _residual("vgg11_bn"),
        Family("vgg16", ATTENTIVE),
        _residual("vgg16_bn"),
    )
}

ROWS = Family("rows", SMALL)
"""Dense layers, for several inputs of which none is a picture."""

TEXTS = Family("text_cnn", replace(SMALL, augmentation="none"), most_epochs=20.0)
"""For texts: after 20 epochs the words of the training texts are known by heart.

Words that are left out, masked and swapped are missed where a question has ten: of TREC's
validation questions 86.3 % were right with that after 8 epochs, 86.8 % without (text_cnn, one
seed)."""

FINE_TUNING = Family("fine-tuning", FINE_TUNED, most_epochs=20.0)
"""What suits any network that has learned before."""
