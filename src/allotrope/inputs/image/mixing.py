"""Augmentation that mixes two images and their targets: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019)."""

from __future__ import annotations

import numpy as np


def mixup(images: np.ndarray, target: np.ndarray, rng: np.random.Generator, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Blends every image with another of the batch; the share is drawn from Beta(alpha, alpha) for each image, in steps of 1/256."""
    n = len(images)
    other = rng.permutation(n)
    share = np.rint(rng.beta(alpha, alpha, n) * 256).astype(np.uint16)
    mixed = images * share[:, None, None, None]
    mixed += images[other] * (256 - share)[:, None, None, None]
    mixed += 128  # rounds; 255 * 256 + 128 still fits 16 bits
    mixed >>= 8
    return mixed.astype(np.uint8), _blend(target, other, share.astype(np.float32) / 256)


def cutmix(images: np.ndarray, target: np.ndarray, rng: np.random.Generator, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Puts a box of another image of the batch into every image; the target follows the area that is left. Drawn for each image."""
    n, height, width, _ = images.shape
    other = rng.permutation(n)
    side = np.sqrt(1 - rng.beta(alpha, alpha, n))
    tall, wide = np.rint(side * height).astype(int), np.rint(side * width).astype(int)
    top, left = rng.integers(0, height, n) - tall // 2, rng.integers(0, width, n) - wide // 2
    y0, y1 = np.clip(top, 0, height), np.clip(top + tall, 0, height)
    x0, x1 = np.clip(left, 0, width), np.clip(left + wide, 0, width)
    mixed = images.copy()
    for row in range(n):
        box = slice(y0[row], y1[row]), slice(x0[row], x1[row])
        mixed[row][box] = images[other[row]][box]
    kept = 1 - ((y1 - y0) * (x1 - x0) / (height * width)).astype(np.float32)
    return mixed, _blend(target, other, kept)


def _blend(target: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return target * share[:, None] + target[other] * (1 - share[:, None])
