"""Axes as ONNX counts them: from the front, or, if negative, from behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from allotrope.errors import ModelError


def axis_of(axis: Any, rank: int) -> int:
    """An axis counted from the front; it may come as an array of one element.

    Raises: ModelError if there is none such.
    """
    if isinstance(axis, int):
        number = axis
    else:
        number = int(np.asarray(axis).reshape(()))
    if not -rank <= number < rank:
        raise ModelError(f"there is no axis {number} among {rank}.")
    return number % rank


def axes_of(axes: Iterable[Any], rank: int) -> list[int]:
    """The same of several. Raises: ModelError, also if one is named twice."""
    numbers = [axis_of(axis, rank) for axis in axes]
    if len(set(numbers)) < len(numbers):
        raise ModelError(f"an axis is named twice among {numbers}.")
    return numbers


def one_axis(axis: int, rank: int, length: int = -1) -> tuple[int, ...]:
    """The shape of an array that varies along one axis alone, to broadcast over the others."""
    return (*[1] * axis, length, *[1] * (rank - 1 - axis))
