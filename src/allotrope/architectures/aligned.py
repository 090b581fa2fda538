"""Whether pictures show what they show in the same place, as digits and faces that were cut out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.architectures.recipes import FEW
from allotrope.config import Recipe
from allotrope.data.examples import Data

ALIGNED = 0.15
"""The mean picture explains at least so much of what varies. Fashion-MNIST has 0.30, handwritten
digits 0.48, chest X-rays 0.40, CIFAR-10 0.02 (`benchmarks/aligned_pictures.py`)."""
LOOKED_AT = 2_000


def suiting_places(
    recipe: Recipe, data: Data, asked: Mapping[str, Any], reasons: list[str]
) -> Recipe:
    """The recipe without shifts, if its many pictures show things in one place; says so.

    Shifted they would show what is never seen. Few pictures would be learned by heart without.
    """
    if "augmentation" in asked or recipe.augmentation != "light" or len(data.train) < FEW:
        return recipe
    share = explained_by_mean(data.train[data.inputs[0].name])
    if share < ALIGNED:
        return recipe
    reasons.append(
        "Images are not shifted in training: what they show is in one place (their mean explains "
        f"{share:.0%} of what varies); --augmentation light shifts them."
    )
    return replace(recipe, augmentation="none")


def explained_by_mean(pictures: np.ndarray) -> float:
    """The share of the variance of pixels that the mean of all pictures explains, from 0 to 1.

    pictures: uint8 [n, h, w, c], of which the first `LOOKED_AT` are looked at. The variance is
    about the mean of each channel; without any the share is 0.
    """
    looked_at = np.asarray(pictures[:LOOKED_AT]).astype(np.float64)
    around = looked_at - looked_at.mean(axis=(0, 1, 2))
    variance = float(np.square(around).mean())
    if not variance:
        return 0.0
    return float(np.square(around.mean(axis=0)).mean()) / variance
