"""The part of a batch that one of several processes has, and what goes over all of its rows.

An operator that treats examples one by one needs nothing of this. BatchNormalization takes means
over the batch, and Dropout draws for each place in it: what they compute here for some rows is what
they compute for these rows of the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Graph, Node
from allotrope.network.used import every_node

Axes = Mapping[str, int | None]


@dataclass(frozen=True)
class BatchShare:
    """The rows of a batch of `total` that this process has: `count` of them, from `start` on.

    `sum` adds an array up over all processes, and its gradient too. `axes` are those of the
    examples in values that are dropped from, None in one that has no examples.
    """

    start: int
    count: int
    total: int
    sum: Callable[[Any], Any]
    axes: Axes

    def whole(self, p: Any, x: Any) -> Any:
        """The rows of all processes: [total, …] of this one's [count, …]."""
        _, *rest = p.shape(x)
        after = self.total - self.start - self.count
        parts = [p.full((self.start, *rest), 0, p.dtype(x)), x]
        parts.append(p.full((after, *rest), 0, p.dtype(x)))
        return self.sum(p.concatenate([part for part in parts if p.shape(part)[0]], 0))

    def positions(self, p: Any, shape: Sequence[int], value: str) -> Any:
        """The places of this process's numbers among those of the whole batch, int32 [m].

        `shape` is that of the value here.
        """
        axis, dtype = self.axes[value], np.dtype(np.int32)
        if axis is None:
            return p.arange(math.prod(shape), dtype)
        # What holds the examples may hold several numbers of each, one example after the other.
        each = shape[axis] // self.count
        whole = [*shape[:axis], each * self.total, *shape[axis + 1 :]]
        places = p.reshape(p.arange(math.prod(whole), dtype), whole)
        starts = [0] * len(shape)
        starts[axis] = each * self.start
        stops = [start + length for start, length in zip(starts, shape, strict=True)]
        return p.reshape(p.slice(places, starts, stops, [1] * len(shape)), (-1,))

    def batch_normalize_tracked(
        self,
        p: Any,
        x: Any,
        scale: Any,
        bias: Any,
        mean: Any,
        variance: Any,
        momentum: float,
        epsilon: float,
    ) -> tuple[Any, Any, Any]:
        """As the primitive of that name, by the mean and variance of the whole batch."""
        # Statistics are in the precision of the scale: bfloat16's own would be three digits.
        wide = p.cast(x, p.dtype(scale))
        channels, rank = p.shape(x)[1], len(p.shape(x))
        axes, by_channel = (0, *range(2, rank)), (1, channels, *[1] * (rank - 2))
        count = math.prod(p.shape(x)) // channels * self.total / self.count

        def averaged(y: Any) -> Any:
            return p.divide(self.sum(p.sum(y, axes)), count)

        batch_mean = averaged(wide)
        centred = p.subtract(wide, p.reshape(batch_mean, by_channel))
        batch_variance = averaged(p.multiply(centred, centred))
        y = p.normalize(x, scale, bias, batch_mean, batch_variance, epsilon)

        def moved(old: Any, new: Any) -> Any:
            new = p.cast(p.stop_gradient(new), p.dtype(old))
            return p.add(p.multiply(old, momentum), p.multiply(new, 1 - momentum))

        return y, moved(mean, batch_mean), moved(variance, batch_variance)


def axes_of_examples(graph: Graph) -> dict[str, int | None]:
    """The axis of the examples in each value that is dropped from.

    Raises: UnsupportedError that names every node where it is not known.
    """
    lengths = {value.shape[0] for value in graph.inputs if value.shape}
    batch = {length for length in lengths if isinstance(length, str)}
    known = {**{value.name: value for value in graph.inputs}, **graph.values}
    axes: dict[str, int | None] = {}
    unclear: list[Node] = []
    for node in _dropping(graph):
        value = known.get(node.inputs[0])
        free = _free_axes(None if value is None else value.shape)
        if free is None or len(free) > 1 or not set(free.values()) <= batch:
            unclear.append(node)
        else:
            axes[node.inputs[0]] = next(iter(free), None)
    if unclear:
        raise UnsupportedError(
            f"along which axis examples lie is not known of what these nodes drop from: "
            f"{', '.join(map(str, unclear[:20]))}. So several processes cannot draw the masks of "
            "one: leave --processes out."
        )
    return axes


def _dropping(graph: Graph) -> Iterable[Node]:
    return (node for node in every_node(graph) if node.operator == "Dropout")


def _free_axes(shape: Sequence[Any] | None) -> dict[int, Any] | None:
    """The lengths that are not known before a batch is, by axis; None if nothing is known."""
    if shape is None:
        return None
    return {axis: length for axis, length in enumerate(shape) if not isinstance(length, int)}
