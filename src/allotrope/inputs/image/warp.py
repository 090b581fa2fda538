"""Images seen from elsewhere: what a picture shows at places that were moved.

All take images uint8 [n, h, w, c] of at most 4 channels and give new ones of the same shape;
bilinear, with a reflected border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

BITS = 4
SUBPIXELS = 2**BITS
"""Positions between two pixels: the four bilinear weights are then whole 256ths."""
LANES = np.uint32(0x00FF_00FF)
"""Two channels of 8 bits, each with 8 more above it, in which a weighted one has room."""
HALVES = np.uint32(0x0080_0080)
"""A half of what is cut off when the upper 8 bits of both are taken."""
CHUNK = 14336
"""Pixels warped at once, so that temporaries stay in the cache.

Each is below the 128 KB from which on the C library asks the system for its memory anew."""
Places = Callable[[slice, slice], tuple[np.ndarray, np.ndarray]]
"""Of some images and some of their rows: which row and column each pixel is taken from, [n, r, w]
or what can be broadcast to it."""


def warped(images: np.ndarray, places: Places) -> np.ndarray:
    """What each of the images shows at the places of its pixels."""
    result = np.empty_like(images)
    for part in parts_of(images):
        pixels = _packed(images[part])
        for band in bands_of(images):
            seen = _sampled(pixels, images.shape[1:3], *places(part, band))
            # Channel by channel: NumPy is slow where the last axis is short.
            for channel in range(images.shape[3]):
                result[part, band, :, channel] = seen[..., channel]
    return result


def _packed(images: np.ndarray) -> np.ndarray:
    """All pixels uint32, one after the other: what is done to one is done to all channels."""
    n, height, width, channels = images.shape
    # Behind the last pixel are others: what has no weight is read too.
    pixels = np.zeros(n * height * width + width + 1, np.uint32)
    apart = pixels[: n * height * width].view(np.uint8).reshape(n, height, width, 4)
    for channel in range(channels):
        apart[..., channel] = images[..., channel]
    return pixels


def _sampled(
    pixels: np.ndarray, size: Sequence[int], rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """uint8 [n, r, w, 4]: bilinear between the packed pixels of images of this size."""
    height, width = size
    row, down = _position(rows, height)
    column, right = _position(columns, width)
    first = np.arange(len(rows), dtype=np.intp) * (height * width)
    place = row * np.int32(width) + column + first[:, None, None]
    up, left = SUBPIXELS - down, SUBPIXELS - right
    even, odd = np.full((2, *place.shape), HALVES)
    for step, weight in (
        (0, up * left),
        (1, up * right),
        (width, down * left),
        (width + 1, down * right),
    ):
        pixel = np.take(pixels[step:], place)
        even += (pixel & LANES) * weight
        odd += ((pixel >> np.uint32(8)) & LANES) * weight
    total = ((even >> np.uint32(8)) & LANES) | (odd & ~LANES)
    return total.view(np.uint8).reshape(*place.shape, 4)


def around_centre(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows [h, 1] and columns [w] of all pixels, from the centre of the picture."""
    y, x = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    return (y - (height - 1) / 2)[:, None], x - (width - 1) / 2


def affine(images: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Each image turned or scaled about its centre.

    Its matrix, of `matrices` [n, 2, 2], times (row, column) of a pixel from the centre is where the
    pixel is taken from.
    """
    _, height, width, _ = images.shape
    y, x = around_centre(height, width)

    def places(part: slice, band: slice) -> tuple[np.ndarray, np.ndarray]:
        # Sums of a column and a row: one addition for each pixel.
        to_row, to_column = matrices[part].astype(np.float32).transpose(1, 2, 0)[..., None, None]
        rows = to_row[0] * y[band] + (to_row[1] * x + (height - 1) / 2)
        return rows, to_column[0] * y[band] + (to_column[1] * x + (width - 1) / 2)

    return warped(images, places)


def tilted(images: np.ndarray, tilts: np.ndarray) -> np.ndarray:
    """Each image seen at a slant, in perspective; `tilts` [n, 2] in parts of a side, 0 for none."""
    _, height, width, _ = images.shape
    y, x = around_centre(height, width)

    def places(part: slice, band: slice) -> tuple[np.ndarray, np.ndarray]:
        tilt = tilts[part].astype(np.float32).T[..., None, None]
        depth = 1 + tilt[0] * (y[band] / height) + tilt[1] * (x / width)
        return y[band] / depth + (height - 1) / 2, x / depth + (width - 1) / 2

    return warped(images, places)


def elastic(images: np.ndarray, rng: np.random.Generator, most: np.ndarray) -> np.ndarray:
    """Each image pulled about as on rubber: by up to `most` [n] in parts of its shorter side.

    Simard et al. 2003; what is drawn are the moves of a grid of 5 x 5 points, and between these
    they are linear.
    """
    n, height, width, _ = images.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    size = most.astype(np.float32) * min(height, width)
    moves = rng.uniform(-1, 1, (2, n, 5, 5)).astype(np.float32) * size[:, None, None]
    over_rows, over_columns = _between(5, height), _between(5, width)

    def places(part: slice, band: slice) -> tuple[np.ndarray, np.ndarray]:
        down, right = (over_rows[band] @ own[part] @ over_columns.T for own in moves)
        return y[band] + down, x + right

    return warped(images, places)


def parts_of(images: np.ndarray) -> Iterator[slice]:
    """So many images at once that what is computed of them stays in the cache."""
    _, height, width, _ = images.shape
    rows = max(1, CHUNK // (height * width))
    for start in range(0, len(images), rows):
        yield slice(start, start + rows)


def bands_of(images: np.ndarray) -> Iterator[slice]:
    """The rows of an image, so many at once."""
    _, height, width, _ = images.shape
    rows = max(1, CHUNK // width)
    for start in range(0, height, rows):
        yield slice(start, start + rows)


def _between(points: int, side: int) -> np.ndarray:
    """[side, points]: what each of evenly spread points counts at each place, linear between."""
    place = np.linspace(0, points - 1, side, dtype=np.float32)[:, None]
    return np.maximum(0, 1 - np.abs(place - np.arange(points, dtype=np.float32)))


def _position(place: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel int32 before each place, and how many subpixels behind it uint32."""
    last = np.int32((size - 1) * SUBPIXELS)
    steps = np.rint(place * np.float32(SUBPIXELS)).astype(np.int32)
    steps = np.abs(last - np.abs(last - np.abs(steps)))  # reflects at both borders
    return steps >> BITS, (steps & (SUBPIXELS - 1)).view(np.uint32)
