"""Regions of images: RoiAlign, NonMaxSuppression."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator
from allotrope.operators.sampling import Tap, each, linear_weights
from allotrope.operators.shaping import narrow

ROUNDING = 8
"""Units in the last place, relative to the larger of two values, within which they are taken for
equal."""


@operator("RoiAlign")
def roi_align(
    p: Any,
    x: Any,
    rois: Any,
    batch_indices: Any,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    """Mean or maximum of points in each cell of regions of x [n, c, h, w] (He et al. 2017).

    rois [r, (x1, y1, x2, y2)]; gives [r, c, *cells]. A sampling_ratio of 0 takes about one point a
    pixel, for which the sizes of the regions must be known on the host. The maximum is over the
    weighted neighbours of the points, as in ONNX Runtime, not over the interpolated points.
    """
    half = coordinate_transformation_mode == "half_pixel"
    if half:
        corners = p.subtract(p.multiply(rois, spatial_scale), 0.5)
    else:
        corners = p.multiply(rois, spatial_scale)
    taps, present = [], []
    for column, cells, length in (
        (1, output_height, p.shape(x)[2]),
        (0, output_width, p.shape(x)[3]),
    ):
        start, end = (narrow(p, corners, 1, c, c + 1) for c in (column, column + 2))
        if half:
            size = p.subtract(end, start)
        else:
            size = p.maximum(p.subtract(end, start), 1.0)
        # Points are counted on the host: their number makes a shape.
        points = _points(p, size, cells, sampling_ratio)
        # Missing points are put at the start of the region, and left out by `present` below.
        offsets = np.nan_to_num(points).reshape(len(points), math.prod(points.shape[1:])) / cells
        place = p.add(start, p.multiply(size, p.constant(offsets.astype(p.dtype(rois)))))
        regions, along = p.shape(place)
        # Rows lie along the middle axis and columns along the last, so that they broadcast.
        shape = {1: (regions, along, 1), 0: (regions, 1, along)}[column]
        taps.append(_clamped(p, p.reshape(place, shape), length, mode == "max"))
        present.append(~np.isnan(points))
    images = p.reshape(p.cast(batch_indices, np.dtype(np.int64)), (-1, 1, 1))
    values = each(p, x, images, taps)
    if mode == "max":
        y = _largest(p, values, *present)
    else:
        y = _average(p, values, *present)
    return p.transpose(y, (0, 3, 1, 2))


def _points(p: Any, size: Any, cells: int, ratio: int) -> np.ndarray:
    """Where the points lie, in cells from the start of a region: [r or 1, cells, points].

    Regions have different numbers of points: there is NaN after the last.
    """
    counts = np.array([ratio])
    if ratio <= 0:
        counts = np.maximum(np.ceil(np.asarray(p.to_host(size), np.float64).reshape(-1) / cells), 1)
    most = 1
    if counts.size:
        most = int(counts.max())
    room_for((cells, most), np.dtype(np.float64))
    steps = np.arange(most)
    within = np.where(steps < counts[:, None], (steps + 0.5) / counts[:, None], np.nan)
    return np.asarray(np.arange(cells)[:, None] + within[:, None, :])


def _clamped(p: Any, place: Any, length: int, two: bool) -> list[Tap]:
    """The whole places around each place, which is first brought inside.

    Further out than -1 or the length it counts as 0.
    """
    inside = p.logical_not(p.logical_or(p.less(place, -1.0), p.greater(place, float(length))))
    place = p.clip(place, 0.0, length - 1.0)
    if two:
        around = _two_weights(p, place)
    else:
        around = linear_weights(p, place)
    return [
        Tap(p.clip(p.cast(whole, np.dtype(np.int64)), 0, length - 1), weight, inside)
        for whole, weight in around
    ]


def _two_weights(p: Any, place: Any) -> list[tuple[Any, Any]]:
    """The two whole places around each place, with the weights of linear interpolation.

    This is for what is no sum of them; `linear_weights` gives three.
    """
    base = p.floor(place)
    near = p.subtract(place, base)
    # Of the absolute value, so that a weight has slope 0 at its top, a whole place.
    below = p.add(p.negative(p.abs(near)), 1.0)
    return [(base, below), (p.add(base, 1.0), near)]


def _average(p: Any, values: Iterator[Any], rows: np.ndarray, columns: np.ndarray) -> Any:
    """The mean over the points of each cell: [r, cells, cells, c].

    values [r, cells * points, cells * points, c], one for each tap.
    """
    total = _by_cell(p, functools.reduce(p.add, values), rows, columns)
    # Each region divides by the number of its own points.
    share = _present(rows, columns) / (
        rows.sum(2)[:, :, None, None, None, None] * columns.sum(2)[:, None, None, :, None, None]
    )
    return p.sum(p.multiply(total, p.constant(share.astype(p.dtype(total)))), (2, 4))


def _largest(p: Any, values: Iterator[Any], rows: np.ndarray, columns: np.ndarray) -> Any:
    """The same of the largest.

    The mean of those that only rounding keeps from it, so that each has its share of the gradient.

    Two points on either side of a pixel, as near to it, weigh it equally but for the last bits of
    their weights.
    """
    highest = _by_cell(p, functools.reduce(p.maximum, values), rows, columns)
    highest = p.where(p.constant(_present(rows, columns)), highest, float("-inf"))
    largest = p.max(highest, (2, 4), True)
    # What only rounding keeps from the largest counts as the largest, see the docstring.
    slack = p.multiply(p.abs(largest), ROUNDING * float(ml_dtypes.finfo(p.dtype(highest)).eps))
    tied = p.logical_or(p.equal(highest, largest), p.greater(highest, p.subtract(largest, slack)))
    # It counts 0 where the largest is NaN, which so stays NaN.
    count = p.sum(p.cast(tied, p.dtype(highest)), (2, 4))
    return p.divide(p.sum(p.where(tied, highest, 0.0), (2, 4)), count)


def _by_cell(p: Any, x: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    r, c = p.shape(x)[0], p.shape(x)[3]
    return p.reshape(x, (r, *rows.shape[1:], *columns.shape[1:], c))


def _present(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Which points there are: [r or 1, cells, points, cells, points, 1]."""
    return np.asarray(rows[:, :, :, None, None, None] & columns[:, None, None, :, :, None])


@operator("NonMaxSuppression", host=("*",))
def non_max_suppression(
    p: Any,
    boxes: np.ndarray,
    scores: np.ndarray,
    max_output_boxes_per_class: np.ndarray | None = None,
    iou_threshold: np.ndarray | None = None,
    score_threshold: np.ndarray | None = None,
    *,
    center_point_box: int = 0,
) -> np.ndarray:
    """The best boxes [n, b, 4] by scores [n, classes, b] that overlap with no better one.

    Gives their (image, class, box), int64 [k, 3].
    """
    limit = int(_number(max_output_boxes_per_class, 0))
    most = _number(iou_threshold, 0.0)
    least = None
    if score_threshold is not None:
        least = _number(score_threshold, 0.0)
    ends = _ends(boxes, bool(center_point_box))
    chosen = [
        (image, kind, box)
        for image in range(scores.shape[0])
        for kind in range(scores.shape[1])
        for box in _apart(ends[image], scores[image, kind], limit, most, least)
    ]
    return np.asarray(chosen, np.int64).reshape(-1, 3)


def _number(array: np.ndarray | None, default: float) -> float:
    """The one number of an array."""
    if array is None:
        return default
    return float(np.asarray(array).reshape(-1)[0])


def _ends(boxes: np.ndarray, centred: bool) -> np.ndarray:
    """Boxes as (y1, x1, y2, x2), or (x1, y1, x2, y2), with the smaller end first."""
    first, last = boxes[..., :2], boxes[..., 2:]
    if centred:
        first, last = first - last / 2, first + last / 2
    else:
        first, last = np.minimum(first, last), np.maximum(first, last)
    return np.concatenate((first, last), -1)


def _apart(
    ends: np.ndarray, scores: np.ndarray, limit: int, most: float, least: float | None
) -> list[int]:
    """Boxes of one class in the order of their scores, without those that overlap with one before.

    Ties are in the order of their places.
    """
    chosen: list[int] = []
    # Stable, so that of equal scores the first box comes first, as ONNX Runtime has it.
    for box in np.argsort(-scores, kind="stable"):
        if len(chosen) >= limit or (least is not None and not scores[box] > least):
            break
        if not (_overlap(ends[box], ends[chosen]) > most).any():
            chosen.append(int(box))
    return chosen


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box [4] with others [k, 4], 0 where there is none."""
    shared = np.clip(
        np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None
    ).prod(1)
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(1)
    union = area + areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=(shared > 0) & (union > 0))
