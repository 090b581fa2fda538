"""What cameras and files do to pictures: blur, sharpening, noise, JPEG, and parts that are lost.

All take images uint8 [n, h, w, c] and give new ones of the same shape.
"""

from __future__ import annotations

import math

import numpy as np

BLOCK = 8
"""JPEG's blocks have so many pixels a side."""
# The table for brightness of the JPEG standard (ITU-T T.81, table K.1), for quality 50.
STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)


def blurred(images: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Each pixel takes `shares` [n], up to 1/4, of each neighbour, twice, along both sides."""
    share = shares.astype(np.float32)[:, None, None, None]
    values = images.astype(np.float32)
    for axis in (1, 2, 1, 2):
        values += share * (_beside(values, axis, 1) + _beside(values, axis, -1) - 2 * values)
    return _rounded(values)


def sharpened(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each apart from its own blurred form by its factor [n], up to 2: below 1 is softer."""
    n, height, width, channels = images.shape
    # Rows of values and not of pixels, since NumPy is slow where the last axis is short.
    values = images.reshape(n, height, width * channels).astype(np.int16)
    soft = _binomial(_binomial(values, 1, 1), 2, channels) + np.int16(8) >> 4
    # In 64ths: times a difference of 255 it is still a number of 16 bits.
    factor = np.rint(factors * 64).astype(np.int16)[:, None, None]
    values -= soft
    values *= factor
    values += np.int16(32)
    values >>= 6
    values += soft
    return np.clip(values, 0, 255, out=values).astype(np.uint8).reshape(images.shape)


def _binomial(values: np.ndarray, axis: int, step: int) -> np.ndarray:
    """Four times the mean of each value, twice, and those a step beside; at the border itself."""
    before, behind = [slice(None)] * 3, [slice(None)] * 3
    before[axis], behind[axis] = slice(None, -step), slice(step, None)
    first, last = [slice(None)] * 3, [slice(None)] * 3
    first[axis], last[axis] = slice(None, step), slice(-step, None)
    total = 2 * values
    total[tuple(behind)] += values[tuple(before)]
    total[tuple(before)] += values[tuple(behind)]
    for border in (tuple(first), tuple(last)):
        total[border] += values[border]
    return total


def noisy(images: np.ndarray, rng: np.random.Generator, deviations: np.ndarray) -> np.ndarray:
    """Each value with normal noise of the image's deviation [n], in levels of 0 to 255."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return _rounded(images + noise * deviations.astype(np.float32)[:, None, None, None])


def compressed(images: np.ndarray, qualities: np.ndarray) -> np.ndarray:
    """What JPEG leaves of each image at its quality [n], 1 to 100; all channels like brightness."""
    n, height, width, channels = images.shape
    more = ((0, 0), (0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
    padded = np.pad(images, more, "edge")
    tall, wide = padded.shape[1] // BLOCK, padded.shape[2] // BLOCK
    blocks = padded.reshape(n, tall, BLOCK, wide, BLOCK, channels).transpose(0, 1, 3, 5, 2, 4)
    cosines = _cosines()
    # The scale of libjpeg: quality 50 takes the table as it is, 100 the finest steps.
    scale = np.where(qualities < 50, 5000 / qualities, 200 - 2 * qualities) / 100
    steps = np.maximum(np.rint(STEPS * scale.astype(np.float32)[:, None, None]), 1)
    steps = steps[:, None, None, None]
    waves = cosines @ (blocks.astype(np.float32) - 128) @ cosines.T
    values = cosines.T @ (np.rint(waves / steps) * steps) @ cosines + 128
    values = values.transpose(0, 1, 4, 2, 5, 3).reshape(padded.shape)
    return _rounded(values[:, :height, :width])


def erased(images: np.ndarray, rng: np.random.Generator, chance: float) -> np.ndarray:
    """A box of noise in the place of 2 to 33 % of some images (Zhong et al. 2020).

    Each image has one with probability `chance`; sides are up to 3.3 to 1.
    """
    n, height, width, channels = images.shape
    chosen = np.flatnonzero(rng.random(n) < chance)
    area = rng.uniform(0.02, 0.33, n) * height * width
    aspect = np.exp(rng.uniform(-math.log(3.3), math.log(3.3), n))
    tall = np.clip(np.rint(np.sqrt(area * aspect)), 1, height).astype(int)
    broad = np.clip(np.rint(np.sqrt(area / aspect)), 1, width).astype(int)
    top, left = rng.random((2, n)) * np.stack([height - tall + 1, width - broad + 1])
    result = images.copy()
    for row in chosen:
        y, x = int(top[row]), int(left[row])
        size = (tall[row], broad[row], channels)
        result[row, y : y + tall[row], x : x + broad[row]] = rng.integers(0, 256, size)
    return result


def _beside(values: np.ndarray, axis: int, step: int) -> np.ndarray:
    """The neighbour of each value along an axis; at the border itself."""
    places = np.clip(np.arange(values.shape[axis]) + step, 0, values.shape[axis] - 1)
    return np.take(values, places, axis)


def _cosines() -> np.ndarray:
    """[wave, place]: the orthonormal cosine transform of a block's side."""
    place = np.arange(BLOCK)
    waves = np.cos((2 * place + 1) * place[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    waves[0] /= math.sqrt(2)
    return waves.astype(np.float32)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
