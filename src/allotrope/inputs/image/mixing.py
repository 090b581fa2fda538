"""Mixes images with each other: mixup and cutmix (Yun et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.mixture import Mixture, Patchwork, mixup


def drawn_mixture(
    count: int, size: tuple[int, int], strength: Augmentation, rng: np.random.Generator
) -> Mixture | None:
    """Mixup, cutmix or mosaic for images of this size (height, width), by turns if several act."""
    ways: list[Callable[[], Mixture]] = []
    if strength.mixup:
        ways.append(lambda: mixup(count, rng, strength.mixup))
    if strength.cutmix:
        ways.append(lambda: cutmix(count, size, rng, strength.cutmix))
    if strength.mosaic:
        ways.append(lambda: mosaic(count, size, rng, strength.mosaic))
    if len(ways) > 1:
        ways = [ways[int(rng.random() * len(ways))]]
    return ways[0]() if ways else None


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


def mosaic(count: int, size: tuple[int, int], rng: np.random.Generator, alpha: float) -> Mixture:
    """Each image is made of parts of four that meet at a point; shares are their areas.

    Random image cropping and patching, Takahashi et al. 2018 (https://arxiv.org/abs/1811.09030).
    """
    whole = np.asarray(size)
    meeting = np.rint(rng.beta(alpha, alpha, (count, 2)) * whole)
    crossing = meeting / whole
    up, left = crossing.T
    areas = [up * left, up * (1 - left), (1 - up) * left, (1 - up) * (1 - left)]
    shares = np.stack(areas, axis=1).astype(np.float32)
    others = np.stack([rng.permutation(count) for _ in range(3)], axis=1)
    return Patchwork(
        other=others[:, 0],
        share=shares[:, 0],
        others=others,
        shares=shares,
        crossing=crossing,
        corners=rng.random((count, 4, 2)),
    )


def mixed(images: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Images uint8 [n, h, w, c], blended, with boxes of each other, or made of parts of four."""
    if isinstance(mixture, Patchwork):
        return _patched(images, mixture)
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


def _patched(images: np.ndarray, patchwork: Patchwork) -> np.ndarray:
    size = np.array(images.shape[1:3])
    result = np.empty_like(images)
    for place, crossing in enumerate(np.rint(patchwork.crossing * size).astype(int)):
        sources = (place, *patchwork.others[place])
        sides = [(slice(0, middle), slice(middle, None)) for middle in crossing]
        boxes = [(rows, columns) for rows in sides[0] for columns in sides[1]]
        for source, box, corner in zip(sources, boxes, patchwork.corners[place], strict=True):
            part = result[place][box]
            first = (corner * (size + 1 - part.shape[:2])).astype(int)
            last = first + part.shape[:2]
            part[:] = images[source, first[0] : last[0], first[1] : last[1]]
    return result


def _pasted(images: np.ndarray, other: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    _, height, width, _ = images.shape
    rows = np.rint(boxes[:, :2] * height).astype(int)
    columns = np.rint(boxes[:, 2:] * width).astype(int)
    pasted = images.copy()
    for place, (tall, wide) in enumerate(zip(rows, columns, strict=True)):
        box = slice(*tall), slice(*wide)
        pasted[place][box] = images[other[place]][box]
    return pasted
