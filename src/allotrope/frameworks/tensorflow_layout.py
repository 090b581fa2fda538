"""Layout: TensorFlow's kernels want [n, h, w, c], ONNX says [n, c, h, w]. Each tensor that was computed as the one remembers it.

A tensor made by `channels_first` is a transpose, and carries what it is a transpose of. Functions that can work on either
order take that twin and give back a tensor with a twin of its own. Inside a `tf.function` a transpose that nobody reads is
dropped, so a run of convolutions, normalizations and activations has transposes at its two ends only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from allotrope.frameworks.tensorflow_import import tf

Tensor = Any
Element = TypeVar("Element")

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_AXES = (0, 3, 1, 2)
"""Where each axis of [n, c, h, w] is in [n, h, w, c]."""


def twin(x: Tensor) -> Tensor | None:
    """x [n, c, h, w] as [n, h, w, c] where it was computed so, else None."""
    return getattr(x, "channels_last", None)


def channels_last(x: Tensor) -> Tensor:
    """x [n, c, h, w] as [n, h, w, c]."""
    found = twin(x)
    return tf.transpose(x, TO_LAST) if found is None else found


def channels_first(y: Tensor) -> Tensor:
    """y [n, h, w, c] as [n, c, h, w], remembering y."""
    x = tf.transpose(y, TO_FIRST)
    x.channels_last = y
    return x


def in_order(axes: Sequence[int]) -> list[int]:
    """Axes of [n, c, h, w] as axes of [n, h, w, c]."""
    return [_AXES[axis] for axis in axes]


def reordered(values: Sequence[Element]) -> list[Element]:
    """One value an axis of [n, c, h, w], in the order of [n, h, w, c]."""
    return [values[axis] for axis in TO_LAST]


def kept(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An elementwise function that works in whichever order its operand is."""

    def run(x: Tensor, *rest: Any) -> Tensor:
        y = twin(x)
        return function(x, *rest) if y is None else channels_first(function(y, *rest))

    return run


def kept_by_both(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """An elementwise function of two broadcast tensors; [n, h, w, c] if either of them is."""

    def run(x: Tensor, y: Tensor) -> Tensor:
        if (twin(x) is None and twin(y) is None) or max(x.shape.rank, y.shape.rank) > 4:
            return function(x, y)
        return channels_first(function(_aligned(x), _aligned(y)))

    return run


def _aligned(x: Tensor) -> Tensor:
    """x in an order that broadcasts with [n, h, w, c]."""
    if x.shape.rank == 0:
        return x
    return channels_last(tf.reshape(x, [1] * (4 - x.shape.rank) + x.shape.as_list()) if x.shape.rank < 4 else x)
