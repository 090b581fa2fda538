"""Augmentation of whole batches, from an explicit stream of random numbers; images stay uint8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.inputs.contract import Augmentation
from allotrope.inputs.image.distort import cutout, flip, jitter_color, rotate_and_scale, shift
from allotrope.inputs.image.mixing import cutmix, mixup

PRESETS = {
    "none": Augmentation(),
    "light": Augmentation(flip=True, shift=1 / 16),
    "medium": Augmentation(
        flip=True, shift=1 / 8, cutout=1 / 4, rotation=10, scale=0.1, brightness=0.1, contrast=0.1
    ),
    "heavy": Augmentation(
        flip=True,
        shift=1 / 8,
        cutout=1 / 2,
        rotation=15,
        scale=0.2,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        mixup=0.2,
        cutmix=1.0,
    ),
}


def augmentation_of(recipe: Recipe) -> Augmentation:
    """The preset that the recipe names, with the recipe's own `flip`, `mixup` and `cutmix` where they are given.

    Raises: UsageError for an unknown preset.
    """
    if recipe.augmentation not in PRESETS:
        raise unknown_name("augmentation", recipe.augmentation, PRESETS)
    own = {
        name: getattr(recipe, name)
        for name in ("flip", "mixup", "cutmix")
        if getattr(recipe, name) is not None
    }
    return replace(PRESETS[recipe.augmentation], **own)


def augment(
    images: np.ndarray,
    target: np.ndarray,
    options: Augmentation,
    rng: np.random.Generator,
    flipped: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Augmented images uint8 [n, h, w, c] and target float32 [n, k]; what is given stays as it is.

    `flipped` [n] says which images to flip where options.flip is on; without it each is flipped with probability 1/2.
    """
    if options.flip:
        images = flip(images, rng.random(len(images)) < 0.5 if flipped is None else flipped)
    if options.rotation or options.scale:
        images = rotate_and_scale(images, rng, options.rotation, options.scale, options.warped)
    if options.shift:
        images = shift(images, rng, options.shift)
    if options.brightness or options.contrast or options.saturation:
        images = jitter_color(images, rng, options.brightness, options.contrast, options.saturation)
    if options.cutout:
        images = cutout(images, rng, options.cutout)
    return _mix(images, target, options, rng)


def _mix(
    images: np.ndarray, target: np.ndarray, options: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if options.mixup and (not options.cutmix or rng.random() < 0.5):
        return mixup(images, target, rng, options.mixup)
    if options.cutmix:
        return cutmix(images, target, rng, options.cutmix)
    return images, target
