"""Volumes of a batch changed as their meaning bears it, from an explicit stream of numbers."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.augmentation import Augmentation

NOISE = 0.1
"""The deviation of noise, in parts of that of all values, if brightness is changed too."""


def changed(
    volumes: np.ndarray,
    rng: np.random.Generator,
    strength: Augmentation,
    mirrored: np.ndarray | None,
    deviation: float | np.ndarray,
) -> np.ndarray:
    """Volumes [n, d, h, w] mirrored from left to right, moved, brighter or darker, noisy.

    `mirrored` [n] says which if `strength.flip` is on; without it each is with probability 1/2.
    `deviation` is the standard deviation of values, one or that of each [n, 1, 1, 1].
    """
    volumes = volumes.copy()
    if strength.flip:
        turned = rng.random(len(volumes)) < 0.5 if mirrored is None else mirrored
        volumes[turned] = volumes[turned][..., ::-1]
    if strength.shift:
        most = (np.array(volumes.shape[1:]) * strength.shift).astype(int)
        steps = rng.integers(-most, most + 1, (len(volumes), 3))
        volumes = np.stack([_moved(x, by) for x, by in zip(volumes, steps, strict=True)])
    if strength.brightness:
        by = rng.uniform(-strength.brightness, strength.brightness, (len(volumes), 1, 1, 1))
        noise = rng.standard_normal(volumes.shape, np.float32) * NOISE
        volumes = volumes + ((by + noise) * deviation).astype(np.float32)
    return volumes


def _moved(volume: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """A volume [d, h, w] moved by so many voxels along each axis, its lowest value behind it."""
    moved = np.full_like(volume, volume.min())
    sides = list(zip(volume.shape, steps.tolist(), strict=True))
    to = tuple(slice(max(step, 0), side + min(step, 0)) for side, step in sides)
    source = tuple(slice(max(-step, 0), side - max(step, 0)) for side, step in sides)
    moved[to] = volume[source]
    return moved
