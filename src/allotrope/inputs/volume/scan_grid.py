"""Scans brought to one orientation and one grid; NumPy alone, so that predict.py holds this text.

Axes are those of space: from foot to head, from back to front, from left to right (RAS, turned so
that depth comes first).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

MOST_VOXELS = 2**28
"""More than a scan of 512 x 512 x 1,000 holds: a gigabyte as float32."""
NEAR = 1e-3


class UnreadableVolume(Exception):
    """A scan that cannot be read; its text is the reason, without the name of the file."""


@dataclass(frozen=True)
class Scan:
    """Values [d, h, w] upright, and how far voxels lie apart along each axis, in millimetres.

    `strange` is how many values were no numbers, and are the lowest one now.
    """

    values: np.ndarray
    spacing: tuple[float, float, float]
    strange: int = 0

    @property
    def extent(self) -> np.ndarray:
        """The length of each side in millimetres."""
        return np.array(self.values.shape) * self.spacing


def upright(values: np.ndarray, affine: np.ndarray) -> Scan:
    """Values [i, j, k] along the axes that `affine` [4, 4] leads nearest to those of space.

    `affine` takes places in the array to millimetres to the right, to the front and up.
    Raises: UnreadableVolume if it does not say where voxels lie.
    """
    steps = np.asarray(affine, np.float64)[:3, :3]
    spacing = np.sqrt((steps**2).sum(axis=0))
    if not np.isfinite(steps).all() or not spacing.all() or abs(np.linalg.det(steps)) < 1e-12:
        raise UnreadableVolume(f"its voxels lie {spacing.tolist()} mm apart, expected above 0")
    cosines = steps / spacing
    # Of the six ways to pair axes of the array with those of space: the one that turns the least.
    order = max(permutations(range(3)), key=lambda axes: abs(cosines[range(3), axes]).sum())
    up_front_right = (2, 1, 0)
    axes = [order[axis] for axis in up_front_right]
    backward = tuple(
        place for place, axis in enumerate(up_front_right) if cosines[axis, order[axis]] < 0
    )
    depth, height, width = (float(spacing[axis]) for axis in axes)
    return Scan(np.flip(values.transpose(axes), backward), (depth, height, width))


def on_grid(scan: Scan, shape: Sequence[int], spacing: Sequence[float]) -> np.ndarray:
    """Values float32 [d, h, w] of a grid of this `shape` and `spacing` around the same middle.

    Linear along each axis; where voxels of the grid are larger than those of the scan, the mean of
    those around with weights that fall off linearly, so that nothing is skipped. Outside of the
    scan lies its lowest value.
    """
    values = np.asarray(scan.values, np.float32)
    low = values.min()
    same = np.allclose(scan.spacing, spacing, rtol=NEAR)
    if same and values.shape == tuple(shape):
        return np.ascontiguousarray(values)
    # Counted from the lowest value, what lies outside of the scan adds nothing.
    values = values - low
    for axis in range(3):
        weights = _weights(values.shape[axis], scan.spacing[axis], shape[axis], spacing[axis])
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(values + low, np.float32)


def _weights(count: int, own: float, wanted: int, spacing: float) -> np.ndarray:
    """What each of `count` voxels counts for each of the `wanted` ones: [wanted, count]."""
    middle = (np.arange(wanted) - (wanted - 1) / 2) * spacing / own + (count - 1) / 2
    # Where the grid is coarser, each of its voxels gathers all that lie within it.
    reach = max(1.0, spacing / own)
    near = np.maximum(0, 1 - abs(middle[:, None] - np.arange(count)) / reach)
    inside = (middle >= -0.5 - NEAR) & (middle <= count - 0.5 + NEAR)
    total = np.where(near.any(axis=1), near.sum(axis=1), 1)
    return (near / total[:, None] * inside[:, None]).astype(np.float32)


def numbers_only(values: np.ndarray) -> tuple[np.ndarray, int]:
    """The values float32 with the lowest number in place of what is none, and how many were none.

    Raises: UnreadableVolume if there are no numbers at all.
    """
    values = np.asarray(values, np.float32)
    numbers = np.isfinite(values)
    strange = values.size - int(numbers.sum())
    if not strange:
        return values, 0
    if strange == values.size:
        raise UnreadableVolume("none of its values is a number")
    return np.where(numbers, values, values[numbers].min()), strange


def check_voxels(shape: Sequence[int]) -> None:
    """Raises: UnreadableVolume before memory is asked for, if a header says too much of it."""
    count = int(np.prod([int(side) for side in shape], dtype=object))
    if count < 1 or count > MOST_VOXELS:
        sides = " x ".join(str(int(side)) for side in shape)
        raise UnreadableVolume(
            f"its header says {sides} voxels; expected 1 to {MOST_VOXELS:,} in all"
        )


def sides_in_words(shape: Sequence[float]) -> str:
    """`64x64x32`; lengths with as few digits as say them."""
    return "x".join(f"{side:.4g}" for side in shape)
