"""Where the examples of a batch are in a value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Lengths = tuple[int, ...]


class Mixes(Exception):
    """Why a node does not keep examples apart, or is not known to."""


@dataclass(frozen=True)
class Placement:
    """The examples lie along `axis`, whose elements are [outer, examples, inner] in a row.

    Windows of pictures that became the batch of attention are inner; two batches one after the
    other are outer. `front`: the file has no such axis in this value (it was squeezed away, or
    picked by index 0), and the freed network has it in front.
    """

    axis: int
    outer: int = 1
    inner: int = 1
    front: bool = False

    @property
    def plain(self) -> bool:
        """Whether the axis holds the examples and nothing else."""
        return self.outer == self.inner == 1

    def at(self, axis: int) -> Placement:
        """The same along another axis."""
        return Placement(axis, self.outer, self.inner)

    def freed(self, lengths: Lengths, old: int, new: int) -> Lengths:
        """The lengths of the value for `new` examples in the place of `old`."""
        length = lengths[self.axis] // old * new
        return (*lengths[: self.axis], length, *lengths[self.axis + 1 :])


def reshaped(before: Lengths, place: Placement, after: Lengths, batch: int) -> Iterator[Placement]:
    """Where examples may be after a Reshape, the most likely first.

    Reshape keeps the order of elements, so that what lies before and behind the examples in
    memory must be what lies before and behind them afterwards. With a batch of 1 several axes may
    fit: one of the batch's own length is likelier than one that holds more, and the same axis
    likelier than another.
    """
    outside = math.prod(before[: place.axis]) * place.outer
    inside = math.prod(before[place.axis + 1 :]) * place.inner
    fitting = [_fit(after, axis, outside, inside, batch) for axis in range(len(after))]
    places = [candidate for candidate in fitting if candidate is not None]
    yield from sorted(places, key=lambda one: (not one.plain, one.axis != place.axis, one.outer))
    if outside == 1:
        yield Placement(0, front=True)


def _fit(after: Lengths, axis: int, outside: int, inside: int, batch: int) -> Placement | None:
    before, behind = math.prod(after[:axis]), math.prod(after[axis + 1 :])
    if before == 0 or behind == 0 or outside % before or inside % behind:
        return None
    outer, inner = outside // before, inside // behind
    return Placement(axis, outer, inner) if outer * inner * batch == after[axis] else None


def shape_after(lengths: Lengths, target: Sequence[int], allowzero: bool) -> Lengths | None:
    """What Reshape makes of these lengths; None if they do not fit."""
    wanted = [
        lengths[i] if length == 0 and not allowzero and i < len(lengths) else length
        for i, length in enumerate(map(int, target))
    ]
    whole, rest = math.prod(lengths), math.prod(length for length in wanted if length != -1)
    if -1 in wanted and rest:
        wanted[wanted.index(-1)] = whole // rest
    return tuple(wanted) if math.prod(wanted) == whole and min(wanted, default=0) >= 0 else None
