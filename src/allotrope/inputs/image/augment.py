"""Augmentation of whole batches of images, from an explicit stream of random numbers."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.image.distort import cutout, flip, jitter_color, rotate_and_scale, shift


def augmented(
    images: np.ndarray,
    strength: Augmentation,
    rng: np.random.Generator,
    mirrored: np.ndarray | None = None,
) -> np.ndarray:
    """Augmented images uint8 [n, h, w, c]; those that are given stay as they are.

    `mirrored` [n] says which images to mirror if `strength.flip` is on; without it each is with
    probability 1/2.
    """
    if strength.flip:
        images = flip(images, rng.random(len(images)) < 0.5 if mirrored is None else mirrored)
    if strength.rotation or strength.scale:
        images = rotate_and_scale(images, rng, strength.rotation, strength.scale, strength.warped)
    if strength.shift:
        images = shift(images, rng, strength.shift)
    if strength.brightness or strength.contrast or strength.saturation:
        factors = strength.brightness, strength.contrast, strength.saturation
        images = jitter_color(images, rng, *factors)
    if strength.cutout:
        images = cutout(images, rng, strength.cutout)
    return images
