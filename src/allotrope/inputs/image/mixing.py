"""Mixes images with each other: mixup and cutmix (Yun et al. 2019)."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.mixture import Mixture, mixup


def drawn_mixture(
    count: int, size: tuple[int, int], strength: Augmentation, rng: np.random.Generator
) -> Mixture | None:
    """Mixup or cutmix for images of this size (height, width), by turns if both are on."""
    if strength.mixup and (not strength.cutmix or rng.random() < 0.5):
        return mixup(count, rng, strength.mixup)
    if strength.cutmix:
        return cutmix(count, size, rng, strength.cutmix)
    return None


def cutmix(count: int, size: tuple[int, int], rng: np.random.Generator, alpha: float) -> Mixture:
    """Each image takes a box of another one; its share is the area that is left."""
    height, width = size
    other = rng.permutation(count)
    side = np.sqrt(1 - rng.beta(alpha, alpha, count))
    tall, wide = np.rint(side * height).astype(int), np.rint(side * width).astype(int)
    top = rng.integers(0, height, count) - tall // 2
    left = rng.integers(0, width, count) - wide // 2
    y0, y1 = np.clip(top, 0, height), np.clip(top + tall, 0, height)
    x0, x1 = np.clip(left, 0, width), np.clip(left + wide, 0, width)
    share = 1 - ((y1 - y0) * (x1 - x0) / (height * width)).astype(np.float32)
    boxes = np.stack([y0 / height, y1 / height, x0 / width, x1 / width], axis=1)
    return Mixture(other, share, boxes)


def mixed(images: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Images uint8 [n, h, w, c], blended or with boxes of each other."""
    if mixture.boxes is None:
        return _blended(images, mixture)
    return _pasted(images, mixture.other, mixture.boxes)


def _blended(images: np.ndarray, mixture: Mixture) -> np.ndarray:
    share = np.rint(mixture.share * 256).astype(np.uint16)[:, None, None, None]
    blend = images * share
    blend += images[mixture.other] * (256 - share)
    blend += 128  # rounds; 255 * 256 + 128 still fits 16 bits
    blend >>= 8
    return blend.astype(np.uint8)


def _pasted(images: np.ndarray, other: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    _, height, width, _ = images.shape
    rows = np.rint(boxes[:, :2] * height).astype(int)
    columns = np.rint(boxes[:, 2:] * width).astype(int)
    pasted = images.copy()
    for place, (tall, wide) in enumerate(zip(rows, columns, strict=True)):
        box = slice(*tall), slice(*wide)
        pasted[place][box] = images[other[place]][box]
    return pasted
