"""Images seen from elsewhere: what a picture shows at places that were moved.

All take images uint8 [n, h, w, c] of at most 4 channels and give new ones of the same shape;
bilinear, with a reflected border.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

SUBPIXELS = (
    16  # positions between two pixels: four bilinear weights of 1/256 each step, exact in 16 bits
)
ROUND = np.uint64(
    0x0080_0080_0080_0080
)  # a half in each of four 16-bit channels whose upper byte is kept
UPPER = 0
if sys.byteorder == "little":
    UPPER = 1
CHUNK = 16384  # pixels warped at once, so that temporaries stay in the cache


def sampled(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """What each of the images has at rows and columns [n, h w], in pixels."""
    n, height, width, channels = images.shape
    row, down = _position(rows, height)
    column, right = _position(columns, width)
    # four 16-bit channels travel as one 64-bit number: one gather and one product serve them all
    wide = np.zeros((n, height, width, 4), np.uint16)
    for channel in range(channels):
        wide[..., channel] = images[..., channel]
    pixels = wide.view(np.uint64).ravel()
    place = row * width + column + (np.arange(n) * (height * width))[:, None]
    beside = place + (column < width - 1)
    below = (row < height - 1) * width
    up, left = SUBPIXELS - down, SUBPIXELS - right
    total = pixels[place] * (up * left)
    total += pixels[beside] * (up * right)
    total += pixels[place + below] * (down * left)
    total += pixels[beside + below] * (down * right)
    total += ROUND
    upper_bytes = total.view(np.uint8).reshape(n, height, width, 4, 2)[..., UPPER]
    result = np.empty_like(images)
    for channel in range(channels):
        result[..., channel] = upper_bytes[..., channel]
    return result


def around_centre(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns [h w] of all pixels, from the centre of the picture."""
    y, x = np.indices((height, width), np.float32).reshape(2, -1)
    return y - (height - 1) / 2, x - (width - 1) / 2


def affine(images: np.ndarray, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Each image turned, slanted or scaled about its centre, and moved.

    `matrices` [n, 2, 2] and `moved` [n, 2] say which row and column a pixel is taken from: matrix
    times (row, column) + moved.
    """
    _, height, width, _ = images.shape
    y, x = around_centre(height, width)
    result = np.empty_like(images)
    for part in parts_of(images):
        matrix, by = matrices[part].astype(np.float32), moved[part].astype(np.float32)
        rows = matrix[:, 0, :1] * y + matrix[:, 0, 1:] * x + by[:, :1] + (height - 1) / 2
        columns = matrix[:, 1, :1] * y + matrix[:, 1, 1:] * x + by[:, 1:] + (width - 1) / 2
        result[part] = sampled(images[part], rows, columns)
    return result


def tilted(images: np.ndarray, tilts: np.ndarray) -> np.ndarray:
    """Each image seen at a slant, in perspective; `tilts` [n, 2] in parts of a side, 0 for none."""
    _, height, width, _ = images.shape
    y, x = around_centre(height, width)
    result = np.empty_like(images)
    for part in parts_of(images):
        tilt = tilts[part].astype(np.float32)
        depth = 1 + tilt[:, :1] * (y / height) + tilt[:, 1:] * (x / width)
        rows, columns = y / depth + (height - 1) / 2, x / depth + (width - 1) / 2
        result[part] = sampled(images[part], rows, columns)
    return result


def elastic(images: np.ndarray, rng: np.random.Generator, most: np.ndarray) -> np.ndarray:
    """Each image pulled about as on rubber: by up to `most` [n] in parts of its shorter side.

    Simard et al. 2003; what is drawn are the moves of a grid of 5 x 5 points, and between these
    they are linear.
    """
    n, height, width, _ = images.shape
    y, x = np.indices((height, width), np.float32).reshape(2, -1)
    size = most.astype(np.float32) * min(height, width)
    moves = rng.uniform(-1, 1, (2, n, 5, 5)).astype(np.float32) * size[:, None, None]
    over_rows, over_columns = _between(5, height), _between(5, width)
    result = np.empty_like(images)
    for part in parts_of(images):
        down, right = (over_rows @ own[part] @ over_columns.T for own in moves)
        rows = y + down.reshape(len(down), -1)
        result[part] = sampled(images[part], rows, x + right.reshape(len(right), -1))
    return result


def parts_of(images: np.ndarray) -> Iterator[slice]:
    """So many images at once that what is computed of them stays in the cache."""
    _, height, width, _ = images.shape
    rows = max(1, CHUNK // (height * width))
    for start in range(0, len(images), rows):
        yield slice(start, start + rows)


def _between(points: int, side: int) -> np.ndarray:
    """[side, points]: what each of evenly spread points counts at each place, linear between."""
    place = np.linspace(0, points - 1, side, dtype=np.float32)[:, None]
    return np.maximum(0, 1 - np.abs(place - np.arange(points, dtype=np.float32)))


def _position(place: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    last = (size - 1) * SUBPIXELS
    steps = np.rint(place * SUBPIXELS).astype(np.int32)
    steps = np.abs(last - np.abs(last - np.abs(steps)))  # reflects at both borders
    return (steps // SUBPIXELS).astype(np.intp), (steps & (SUBPIXELS - 1)).astype(np.uint64)
