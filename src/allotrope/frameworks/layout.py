"""The two orders of an image's axes: [n, c, h, w] in ONNX, [n, h, w, c] in TensorFlow and JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Element = TypeVar("Element")

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""The permutations that bring the channels last, and first again."""
_AXES = (0, 3, 1, 2)
"""Where each axis of [n, c, h, w] is in [n, h, w, c]."""


def in_order(axes: Sequence[int]) -> list[int]:
    """Axes of [n, c, h, w] as axes of [n, h, w, c]."""
    return [_AXES[axis] for axis in axes]


def reordered(values: Sequence[Element]) -> list[Element]:
    """One value an axis of [n, c, h, w], in the order of [n, h, w, c]."""
    return [values[axis] for axis in TO_LAST]
