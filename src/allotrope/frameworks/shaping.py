"""The primitives that move elements: shapes, slices, padding, gathers."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from allotrope.frameworks.neural import Array


class ShapingPrimitives(abc.ABC):
    """Where elements go; none is changed but those that `scatter` adds up."""

    @abc.abstractmethod
    def reshape(self, x: Array, shape: Sequence[int]) -> Array:
        """Another shape, row-major; one length may be -1."""

    @abc.abstractmethod
    def transpose(self, x: Array, axes: Sequence[int]) -> Array:
        """Axes in another order."""

    @abc.abstractmethod
    def broadcast_to(self, x: Array, shape: Sequence[int]) -> Array:
        """Repeated along axes of length 1, and along new leading axes."""

    @abc.abstractmethod
    def concatenate(self, arrays: Sequence[Array], axis: int) -> Array:
        """One after the other along an axis."""

    @abc.abstractmethod
    def slice(
        self, x: Array, starts: Sequence[int], stops: Sequence[int | None], steps: Sequence[int]
    ) -> Array:
        """x[start:stop:step] on every axis, as Python slices, start and stop not negative.

        None stops past the first if step < 0.
        """

    def split(self: Any, x: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
        """Pieces of these lengths one after the other along an axis, which are all of x."""
        shape = self.shape(x)
        starts, stops = [0] * len(shape), list(shape)
        pieces, start = [], 0
        for length in lengths:
            starts[axis], stops[axis] = start, start + length
            pieces.append(self.slice(x, starts, stops, [1] * len(shape)))
            start += length
        return tuple(pieces)

    @abc.abstractmethod
    def pad(
        self, x: Array, before: Sequence[int], after: Sequence[int], mode: str, value: float | int
    ) -> Array:
        """Longer on every axis; mode is constant, reflect, edge or wrap."""

    @abc.abstractmethod
    def take(self, x: Array, indices: Array, axis: int) -> Array:
        """x at non-negative integer indices along an axis.

        The result has the indices' axes in its place.
        """

    @abc.abstractmethod
    def flip(self, x: Array, axes: Sequence[int]) -> Array:
        """Axes in reverse."""

    @abc.abstractmethod
    def scatter(self, x: Array, indices: Array, updates: Array, reduction: str) -> Array:
        """x [l, *rest] with updates [m, *rest] put at non-negative indices [m].

        Reduction is none, add, mul, max or min.
        """
