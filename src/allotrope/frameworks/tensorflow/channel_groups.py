"""Channels that are taken in another order by groups, where they lie: at the end of [n, h, w, c].

A shuffle of channels (ShuffleNet) splits the axis of channels, exchanges the two it became, and
joins them. A tensor [n, g, k, h, w] that was split so remembers [n, h, w, g, k].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import channels_first, twin

Tensor = Any
EXCHANGED = (0, 2, 1, 3, 4)
"""The axes of [n, g, k, h, w] as [n, k, g, h, w]."""


def reshaped(x: Tensor, y: Tensor) -> Tensor:
    """y, which is x in another shape, as it lies if the channels of x were split or are joined."""
    image, groups = twin(x), getattr(x, "grouped", None)
    if (image is None and groups is None) or not y.shape.rank or y.shape[0] != x.shape[0]:
        return y
    if groups is not None and y.shape.rank == 4 and y.shape[2:] == x.shape[3:]:
        *places, _, _ = groups.shape
        return channels_first(tf.reshape(groups, _known(places, [y.shape[1]])))
    if image is not None and y.shape.rank == 5 and y.shape[3:] == x.shape[2:]:
        *places, _ = image.shape
        y.grouped = tf.reshape(image, _known(places, y.shape[1:3]))
    return y


def exchanged(x: Tensor, y: Tensor, axes: Sequence[int]) -> Tensor:
    """y, which is x with its axes in another order, remembering how its channels lie."""
    groups = getattr(x, "grouped", None)
    if groups is not None and tuple(axes) == EXCHANGED:
        y.grouped = tf.transpose(groups, (0, 1, 2, 4, 3))
    return y


def _known(places: Sequence[int], channels: Sequence[int]) -> list[int]:
    """A shape whose number of examples may be anything, and the sides are known."""
    _, *sides = places
    return [-1, *sides, *channels]
