"""Layout: TensorFlow's kernels want [n, h, w, c], ONNX says [n, c, h, w].

Each tensor that was computed as the one remembers it.

A tensor made by `channels_first` is a transpose, and carries what it is a transpose of. Functions
that can work on either order take that twin and give back a tensor with a twin of its own. Inside a
`tf.function` a transpose that nobody reads is dropped, so a run of convolutions, normalizations and
activations has transposes at its two ends only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allotrope.frameworks.layout import TO_FIRST, TO_LAST
from allotrope.frameworks.tensorflow.importing import tf

Tensor = Any


def twin(x: Tensor) -> Tensor | None:
    """x [n, c, h, w] as [n, h, w, c] where it was computed so, else None."""
    return getattr(x, "channels_last", None)


def channels_last(x: Tensor) -> Tensor:
    """x [n, c, h, w] as [n, h, w, c]."""
    y = twin(x)
    if y is None:
        return tf.transpose(x, TO_LAST)
    return y


def channels_first(y: Tensor) -> Tensor:
    """y [n, h, w, c] as [n, c, h, w], remembering y."""
    x = tf.transpose(y, TO_FIRST)
    x.channels_last = y
    return x


def kept(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An elementwise function that works in whichever order its operand is."""

    def run(x: Tensor, *rest: Any) -> Tensor:
        y = twin(x)
        if y is None:
            return function(x, *rest)
        return channels_first(function(y, *rest))

    return run


def kept_by_both(
    function: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor, Tensor], Tensor]:
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
    if x.shape.rank < 4:
        x = tf.reshape(x, [1] * (4 - x.shape.rank) + x.shape.as_list())
    return channels_last(x)
