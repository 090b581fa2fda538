"""What is known to train each family of networks well, and which family suits which images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from allotrope.config import Recipe

Image = tuple[int, int, int]


def _plain(image: Image) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Family:
    """A network of the zoo with the recipe that suits it.

    `widths` are those to choose from, `enough_epochs` how often each image should be seen before a wider one is worth its
    time. `arguments(image)` are the rest, `epochs(images)` how many to train where nobody says; None: a budget is used.
    """

    name: str
    recipe: Recipe
    widths: tuple[float, ...] = ()
    usual_width: float = 1.0
    enough_epochs: float = 10.0
    whitened: bool = False
    arguments: Callable[[Image], dict[str, Any]] = _plain
    epochs: Callable[[int], float] | None = None


def family_for(height: int, width: int, images: int) -> tuple[Family, str]:
    """The family that suits images of this size, and why."""
    side = f"{height} x {width} pixels"
    if max(height, width) <= 12:
        return FAMILIES["cnn"], f"cnn, because images of {side} need no more than a few small convolutions."
    if max(height, width) <= 64 and min(height, width) >= 12:
        return FAMILIES["whitened_cnn"], f"whitened_cnn, because it learns small images ({side}) fastest."
    if min(height, width) >= 32:
        return FAMILIES["resnet18"], f"resnet18, because images of {side} are photographs in size."
    return FAMILIES["cnn"], f"cnn, because images of {side} are too narrow for a deep network."


def recipe_of(family: Family, images: int) -> Recipe:
    """The family's recipe with a batch that fits the number of images: at least about 20 steps an epoch, at least 16 images.

    A smaller batch lowers the learning rate in proportion (Goyal et al. 2017, https://arxiv.org/abs/1706.02677).
    """
    recipe = family.recipe
    batch = recipe.batch_size
    while batch > 16 and images / batch < 20:
        batch //= 2
    return replace(recipe, batch_size=batch, learning_rate=recipe.learning_rate * batch / recipe.batch_size)


def _groups(image: Image) -> dict[str, Any]:
    """Groups of convolutions by the image's shorter side: two for 16 pixels, three for 28 and 32, four for 64."""
    count = max(1, round(math.log2(min(image[1:]))) - 2)
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


def _small_epochs(images: int) -> float:
    """About 60,000 images in all, from 5 to 100 epochs."""
    return float(min(max(60_000 // images, 5), 100))


def _residual(name: str, **options: Any) -> Family:
    return Family(name, RESIDUAL, **options)


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("mlp", SMALL, epochs=_small_epochs),
        Family("cnn", SMALL, arguments=lambda image: {"normalization": "batch"}, epochs=_small_epochs),
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
    )
}
