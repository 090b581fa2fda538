"""The grid to which all volumes of a source are brought, and the window of their values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.config import DataOptions
from allotrope.errors import UsageError
from allotrope.inputs.image.ranges import text_of
from allotrope.inputs.volume.scan_grid import NEAR, Scan, sides_in_words

LARGEST = 64
"""Voxels of the longest side, if nobody says how many: a cube of 128 takes eight times as long."""
Window = tuple[float, float]


@dataclass(frozen=True)
class CommonGrid:
    """So many voxels along depth, height and width, so many millimetres apart, and why."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    reason: str


def known_grid(options: DataOptions) -> CommonGrid | None:
    """The grid of the network that is trained further; None if there is no such."""
    if options.known.grid is None:
        return None
    shape, spacing = options.known.grid
    words = f"{sides_in_words(shape)} voxels of {sides_in_words(spacing)} mm"
    return CommonGrid(shape, spacing, f"volumes are brought to {words}, as the network takes them")


def common_grid(scans: Sequence[Scan], asked: int | None) -> CommonGrid:
    """The grid that holds every scan whole; of scans only shape and spacing are looked at.

    That of the scans if all share a small one. Else voxels are cubes, of the finest spacing that
    there is, or as large as brings the longest side to `asked` voxels, by default 64.

    Raises: UsageError for less than one voxel.
    """
    if asked is not None and asked < 1:
        raise UsageError(f"image size {asked}: expected at least 1 voxel.")
    first = scans[0]
    shapes = {scan.values.shape for scan in scans}
    spacings = np.array([scan.spacing for scan in scans])
    alike = len(shapes) == 1 and np.allclose(spacings, spacings[0], rtol=NEAR)
    depth, height, width = first.values.shape
    if alike and asked is None and max(first.values.shape) <= LARGEST:
        words = f"{sides_in_words(first.values.shape)} and {sides_in_words(first.spacing)} mm"
        reason = f"volumes keep their voxels of {words}"
        return CommonGrid((depth, height, width), first.spacing, reason)
    extents = np.max([scan.extent for scan in scans], axis=0)
    # Voxels smaller than the finest there are would only repeat what is there.
    step = max(float(extents.max()) / (asked or LARGEST), float(spacings.min()))
    sides = [max(1, math.ceil(extent / step - NEAR)) for extent in extents]
    depth, height, width = sides
    chosen = "as asked for" if asked is not None else "--image-size changes the longest side"
    reason = (
        f"volumes are brought to {sides_in_words(sides)} voxels of {step:.4g} mm around their "
        f"middles, which holds the largest whole ({len(shapes)} shapes, spacings from "
        f"{spacings.min():.4g} to {spacings.max():.4g} mm; {chosen})"
    )
    return CommonGrid((depth, height, width), (step, step, step), reason)


def common_window(
    windows: Sequence[Window | None], asked: Window | None
) -> tuple[Window | None, str]:
    """The values that are told apart, and why; none if the training values have to say it."""
    change = "--value-range LOW:HIGH says others"
    if asked is not None:
        return asked, f"values {text_of(asked)} are told apart, as asked for"
    said = set(windows)
    if len(said) == 1 and None not in said:
        (window,) = said
        assert window is not None
        return (
            window,
            f"values {text_of(window)} are told apart, the window of every header; {change}",
        )
    return None, f"the values of training are told apart, but for strays far out; {change}"
