"""RandAugment, TrivialAugment and AugMix: which change each image of a batch gets, and how much.

All images that get the same change are changed together. Magnitudes are [n], from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.image import tones
from allotrope.inputs.image.slant import moved, slanted, transposed
from allotrope.inputs.image.textures import sharpened
from allotrope.inputs.image.warp import affine

Change = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Images, magnitudes and signs (-1 or 1): the changed images."""


@dataclass(frozen=True)
class Reach:
    """How far changes go at magnitude 1.

    `turn` is in degrees, `slant` the tangent, `move` in parts of a side, `bits` those that
    posterizing takes away, `color` the change of a factor.
    """

    turn: float
    slant: float
    move: float
    bits: int
    color: float


USUAL = Reach(turn=30, slant=0.3, move=0.45, bits=4, color=0.9)
"""RandAugment's."""
WIDE = Reach(turn=135, slant=0.99, move=0.33, bits=6, color=0.99)
"""TrivialAugment's wide ranges (Müller and Hutter 2021, table 1 of its code)."""
AT_ONCE = 65536
"""Pixels changed together."""
CHAINS, LONGEST = 3, 3
"""AugMix joins so many chains of up to so many changes."""


def rand_augmented(
    images: np.ndarray, rng: np.random.Generator, operations: int, magnitude: float
) -> np.ndarray:
    """Each image after so many changes, drawn alike from all, of one magnitude.

    Cubuk et al. 2019 (https://arxiv.org/abs/1909.13719).
    """
    changes = list(_changes(USUAL).values())
    magnitudes = np.full(len(images), magnitude)
    for _ in range(operations):
        images = _changed(images, rng, changes, magnitudes)
    return images


def trivially_augmented(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image after one change, of a magnitude that is drawn too.

    Müller and Hutter 2021 (https://arxiv.org/abs/2103.10158).
    """
    magnitudes = rng.integers(0, 31, len(images)) / 30
    return _changed(images, rng, list(_changes(WIDE).values()), magnitudes)


def aug_mixed(images: np.ndarray, rng: np.random.Generator, magnitude: float) -> np.ndarray:
    """Each image blended with chains of its own changes, by shares that are drawn.

    Hendrycks et al. 2020 (https://arxiv.org/abs/1912.02781); without its loss of consistency.
    """
    n = len(images)
    named = _changes(USUAL)
    # Corruptions of the benchmarks that it is for are left out: colour, contrast and the like.
    changes = [named[name] for name in named if name not in OF_TESTS]
    shares = rng.dirichlet(np.ones(CHAINS), n).astype(np.float32)
    own_share = rng.beta(1, 1, n).astype(np.float32)[:, None, None, None]
    total = images * own_share
    for chain in range(CHAINS):
        lengths = rng.integers(1, LONGEST + 1, n)
        chained = images
        for step in range(LONGEST):
            changed = _changed(chained, rng, changes, rng.uniform(0.1, magnitude, n))
            chained = np.where((step < lengths)[:, None, None, None], changed, chained)
        total += chained * ((1 - own_share) * shares[:, chain, None, None, None])
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


OF_TESTS = frozenset({"color", "contrast", "brightness", "sharpness"})


def _changed(
    images: np.ndarray,
    rng: np.random.Generator,
    changes: Sequence[Change],
    magnitudes: np.ndarray,
) -> np.ndarray:
    """Each image after one of the changes."""
    drawn = rng.integers(0, len(changes), len(images))
    signs = rng.choice(np.array([-1.0, 1.0]), len(images))
    result = np.empty_like(images)
    at_once = max(1, AT_ONCE // (images.shape[1] * images.shape[2]))
    for number, change in enumerate(changes):
        chosen = np.flatnonzero(drawn == number)
        for start in range(0, len(chosen), at_once):
            rows = chosen[start : start + at_once]
            result[rows] = change(images[rows], magnitudes[rows], signs[rows])
    return result


def _changes(reach: Reach) -> Mapping[str, Change]:
    """All changes by name, as far as they reach."""

    def factor(magnitudes: np.ndarray, signs: np.ndarray) -> np.ndarray:
        return (1 + signs * magnitudes * reach.color).astype(np.float32)

    def bits(magnitudes: np.ndarray) -> np.ndarray:
        return 8 - np.rint(magnitudes * reach.bits)

    def turned(x: np.ndarray, magnitudes: np.ndarray, signs: np.ndarray) -> np.ndarray:
        angles = np.deg2rad(signs * magnitudes * reach.turn)
        rows = np.stack([np.cos(angles), -np.sin(angles)], 1)
        columns = np.stack([np.sin(angles), np.cos(angles)], 1)
        return affine(x, np.stack([rows, columns], 1))

    def translated(x: np.ndarray, shares: np.ndarray, axis: int) -> np.ndarray:
        steps = np.rint(shares * reach.move * x.shape[axis]).astype(int)
        return moved(x, steps, axis)

    return {
        "identity": lambda x, m, s: x,
        "autocontrast": lambda x, m, s: tones.auto_contrasted(x),
        "equalize": lambda x, m, s: tones.equalized(x),
        "rotate": turned,
        "solarize": lambda x, m, s: tones.solarized(x, 256 - 256 * m),
        "color": lambda x, m, s: tones.saturated(x, factor(m, s)),
        "posterize": lambda x, m, s: tones.posterized(x, bits(m)),
        "contrast": lambda x, m, s: tones.contrasted(x, factor(m, s)),
        "brightness": lambda x, m, s: tones.brightened(x, factor(m, s)),
        "sharpness": lambda x, m, s: sharpened(x, factor(m, s)),
        "shear_x": lambda x, m, s: slanted(x, s * m * reach.slant),
        "shear_y": lambda x, m, s: transposed(slanted(transposed(x), s * m * reach.slant)),
        "translate_x": lambda x, m, s: translated(x, s * m, 2),
        "translate_y": lambda x, m, s: translated(x, s * m, 1),
    }


def reaches(policy: str) -> str:
    """What of a policy may change a meaning, in words; empty if it is the usual."""
    if policy != "trivialaugment":
        return ""
    return f"turns reach {math.ceil(WIDE.turn)} degrees"
