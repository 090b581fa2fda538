"""Augmentation of whole batches of images, from an explicit stream of random numbers."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.image.distort import cutout, flip, jitter_color, rotate_and_scale, shift
from allotrope.inputs.image.policies import aug_mixed, rand_augmented, trivially_augmented
from allotrope.inputs.image.textures import blurred, compressed, erased, noisy
from allotrope.inputs.image.warp import elastic, tilted


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
    if strength.policy:
        images = changed_by_policy(images, strength, rng)
    images = distorted(images, strength, rng)
    if strength.erased:
        images = erased(images, rng, strength.erased)
    if strength.cutout:
        images = cutout(images, rng, strength.cutout)
    return images


def changed_by_policy(
    images: np.ndarray, strength: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """As the policy draws it."""
    if strength.policy == "randaugment":
        return rand_augmented(images, rng, strength.operations, strength.magnitude)
    if strength.policy == "trivialaugment":
        return trivially_augmented(images, rng)
    return aug_mixed(images, rng, strength.magnitude)


def distorted(images: np.ndarray, strength: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """What lenses, sensors and files do, each to the fraction of the images that the strength says.

    Sizes are drawn for each image; 0 leaves one as it is.
    """
    n = len(images)

    def sizes(fraction: float, least: float, most: float) -> np.ndarray:
        return np.where(rng.random(n) < fraction, rng.uniform(least, most, n), 0)

    if strength.tilted:
        signs = rng.choice(np.array([-1.0, 1.0]), (2, n))
        images = tilted(images, (signs * sizes(strength.tilted, 0.1, 0.5)).T)
    if strength.pulled:
        images = elastic(images, rng, sizes(strength.pulled, 0.02, 0.08))
    if strength.blurred:
        images = blurred(images, sizes(strength.blurred, 0.1, 0.25))
    if strength.noisy:
        images = noisy(images, rng, sizes(strength.noisy, 4, 20))
    if strength.compressed:
        # What stays as it is passes by: no quality of JPEG leaves every pixel.
        chosen = np.flatnonzero(rng.random(n) < strength.compressed)
        images = images.copy()
        images[chosen] = compressed(images[chosen], rng.uniform(10, 60, len(chosen)))
    return images
