"""Augmentation of each image alone: flip, shift, cutout, rotation and scale, color jitter.

All take images uint8 [n, h, w, c] and give new ones of the same shape.
"""

from __future__ import annotations

import numpy as np

from allotrope.inputs.image.tones import GREY
from allotrope.inputs.image.warp import CHUNK, affine


def flip(images: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Mirrors the images [n] that `flipped` names, left to right."""
    _, _, width, channels = images.shape
    columns = (np.arange(width)[::-1, None] * channels + np.arange(channels)).ravel()
    result = images.copy()
    for row in np.flatnonzero(flipped):
        flat = images[row].reshape(-1, width * channels)
        result[row] = np.take(flat, columns, axis=1).reshape(images.shape[1:])
    return result


def shift(images: np.ndarray, rng: np.random.Generator, fraction: float) -> np.ndarray:
    """Moves each image by up to `fraction` of its shorter side (at least a pixel) both ways.

    The border is reflected.
    """
    n, height, width, _ = images.shape
    most = min(max(1, round(fraction * min(height, width))), min(height, width) - 1)
    if most < 1:
        return images
    padded = _reflect(images, most)
    down, right = rng.integers(0, 2 * most + 1, (2, n))
    result = np.empty_like(images)
    for row in range(n):
        result[row] = padded[row, down[row] : down[row] + height, right[row] : right[row] + width]
    return result


def cutout(images: np.ndarray, rng: np.random.Generator, fraction: float) -> np.ndarray:
    """Covers a square with the batch's mean color (DeVries & Taylor 2017); it may stick out.

    Its side is `fraction` of the shorter one of the image.
    """
    n, height, width, _ = images.shape
    side = max(1, round(fraction * min(height, width)))
    step = max(1, min(height, width) // 16)
    color = np.rint(images[:, ::step, ::step].mean((0, 1, 2))).astype(np.uint8)
    top, left = rng.integers(0, height, n) - side // 2, rng.integers(0, width, n) - side // 2
    result = images.copy()
    for row in range(n):
        result[row, max(0, top[row]) : top[row] + side, max(0, left[row]) : left[row] + side] = (
            color
        )
    return result


def jitter_color(
    images: np.ndarray,
    rng: np.random.Generator,
    brightness: float,
    contrast: float,
    saturation: float,
) -> np.ndarray:
    """Changes brightness, contrast and saturation, each by up to its fraction.

    Brightness by a factor, contrast about mid-grey, saturation about each pixel's grey.
    """
    n, channels = len(images), images.shape[-1]
    factors = 1 + np.array([brightness, contrast, saturation], np.float32)[:, None] * rng.uniform(
        -1, 1, (3, n)
    ).astype(np.float32)
    bright, strong, vivid = factors[:, :, None, None, None]
    result = np.empty_like(images)
    rows = max(1, 2 * CHUNK // (images[0].size))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        values = images[part] * (bright[part] * strong[part])
        values += 127.5 * (1 - strong[part])
        if saturation and channels == len(GREY):
            grey = (values @ GREY)[..., None]
            values -= grey
            values *= vivid[part]
            values += grey
        np.clip(np.rint(values, out=values), 0, 255, out=values)
        result[part] = values
    return result


def rotate_and_scale(
    images: np.ndarray,
    rng: np.random.Generator,
    degrees: float,
    scale: float,
    fraction: float = 1.0,
) -> np.ndarray:
    """Turns by up to `degrees` and scales by 1 ± `scale` about the centre.

    For `fraction` of the images; bilinear, with a reflected border.
    """
    n = len(images)
    chosen = np.flatnonzero(rng.random(n) < fraction)
    angle = np.deg2rad(rng.uniform(-degrees, degrees, n)).astype(np.float32)[chosen]
    factor = np.reciprocal(rng.uniform(1 - scale, 1 + scale, n)).astype(np.float32)[chosen]
    cosine, sine = np.cos(angle) * factor, np.sin(angle) * factor
    matrices = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)
    result = images.copy()
    result[chosen] = affine(images[chosen], matrices)
    return result


def _reflect(images: np.ndarray, border: int) -> np.ndarray:
    n, height, width, channels = images.shape
    padded = np.empty((n, height + 2 * border, width + 2 * border, channels), np.uint8)
    middle = padded[:, border:-border]
    middle[:, :, border:-border] = images
    for step in range(border):
        middle[:, :, border - 1 - step] = images[:, :, step + 1]
        middle[:, :, border + width + step] = images[:, :, width - 2 - step]
    padded[:, :border] = padded[:, 2 * border : border : -1]
    padded[:, -border:] = padded[:, height + border - 2 : height - 2 : -1]
    return padded
