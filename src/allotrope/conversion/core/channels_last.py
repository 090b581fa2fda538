"""Nodes of targets whose layers want the channels last.

Values [n, c, *spatial] are held as [n, *spatial, c] as long as that serves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.conversion.core.site import Site
from allotrope.conversion.core.source import Expression


class LastSite(Site):
    """A node that may take and give values with their channels last."""

    @staticmethod
    @abstractmethod
    def transposed(source: str, order: Sequence[int]) -> Expression:
        """The expression with its axes in another order."""

    @classmethod
    def in_first_order(cls, source: str, rank: int) -> Expression:
        """A value that is held with the channels last, as ONNX has it."""
        return cls.transposed(source, (0, rank - 1, *range(1, rank - 1)))

    def is_last(self, position: int = 0) -> bool:
        """Whether an input is held with its channels last."""
        return (
            position < len(self.node.inputs) and self.node.inputs[position] in self.translation.last
        )

    def gives_last(self) -> None:
        """Say that the node's outputs have their channels last."""
        self.translation.last |= set(filter(None, self.node.outputs))

    def first(self, position: int = 0) -> str:
        """An input in ONNX's order."""
        source = self.tensor(position)
        if self.is_last(position):
            return self.temporary(self.in_first_order(source, self.rank(position)))
        return source

    def last(self, position: int = 0) -> str:
        """An input with its channels last."""
        source, rank = self.tensor(position), self.rank(position)
        if self.is_last(position) or rank < 3:
            return source
        return self.temporary(self.transposed(source, (0, *range(2, rank), 1)))

    def same(self, position: int = 0) -> str:
        """An input as it is held; the output is held alike."""
        if self.is_last(position):
            self.gives_last()
        return self.tensor(position)

    def axis_of(self, axis: int, position: int = 0) -> int:
        """Where ONNX's axis lies in an input as it is held."""
        rank = self.rank(position)
        axis %= rank
        if not self.is_last(position) or axis == 0:
            return axis
        if axis == 1:
            return rank - 1
        return axis - 1

    def reduced(self) -> tuple[str, int | tuple[int, ...], bool]:
        """What a reduction takes, its axes as they are held, and whether they stay with length 1.

        Where the order of the axes that are left would not be ONNX's, it takes the input in that
        order.
        """
        axes = None
        if len(self) > 1:
            axes = self.integers(1)
        if not axes and self.attribute("noop_with_empty_axes", 0):
            raise self.no("it has no axes to reduce")
        rank, keep = self.rank(), bool(self.attribute("keepdims", 1))
        if axes:
            wanted = [axis % rank for axis in axes]
        else:
            wanted = list(range(rank))
        left = [axis for axis in range(rank) if axis not in wanted]
        if keep and self.is_last():
            self.gives_last()
        # If what is left has one order only, axes are named as they are held, and nothing is
        # turned.
        if keep or left in ([], [0], [1], [0, 1]):
            source, wanted = self.tensor(), sorted(self.axis_of(axis) for axis in wanted)
        else:
            source = self.first()
        if len(wanted) == 1:
            return source, wanted[0], keep
        return source, tuple(wanted), keep

    def as_held(self, by_axis: Sequence[Any]) -> tuple[Any, ...]:
        """What belongs to the axes of the first input, in the order in which it is held."""
        held = list(by_axis)
        for axis, value in enumerate(by_axis):
            held[self.axis_of(axis)] = value
        return tuple(held)

    def power(self) -> list[str]:
        """The operands of Pow.

        Raises: NoForm where they are of two kinds, of which ONNX keeps the first.
        """
        base, exponent = self.value(), self.value(1)
        if base is not None and exponent is not None and base.dtype != exponent.dtype:
            raise self.no(f"it takes {base.dtype} to the power of {exponent.dtype}")
        return self.operands()

    @abstractmethod
    def moved(self, position: int, array: np.ndarray) -> str:
        """A weight or constant in another order of its axes."""

    def operands(self) -> list[str]:
        """All inputs in one order of axes, and constants of one number as they are written."""
        shape = self.output_shape()
        rank = max(
            (len(s) for i in range(len(self)) if (s := self.shape(i)) is not None), default=0
        )
        turned = any(self.is_last(i) and self.rank(i) == rank for i in range(len(self))) and (
            shape is None or len(shape) == rank
        )
        if turned and all(self._can_turn(i, rank) for i in range(len(self))):
            self.gives_last()
            return [self._turned(i, rank) for i in range(len(self))]
        return [self._plain(i) or self.first(i) for i in range(len(self))]

    def _can_turn(self, position: int, rank: int) -> bool:
        return self.array(position) is not None or self.rank(position) == rank

    def _turned(self, position: int, rank: int) -> str:
        array, plain = self.array(position), self._plain(position)
        if plain is not None:
            return plain
        if array is None:
            return self.last(position)
        return self.moved(position, channels_last(array, rank))

    def _plain(self, position: int) -> str | None:
        """A constant of one number, where it has no more axes than the others."""
        known = self.known(position)
        if known is None or known.size != 1:
            return None
        others = max(
            (self.rank(i) for i in range(len(self)) if i != position and self.known(i) is None),
            default=0,
        )
        if known.ndim <= others:
            return self.input(position)
        return None


def transposition(site: LastSite) -> Expression:
    """Transpose; where it only brings the channels last or first, the value stays as it is held."""
    rank = site.rank()
    order = tuple(site.attribute("perm") or reversed(range(rank)))
    if rank > 2 and not site.is_last() and order == (0, rank - 1, *range(1, rank - 1)):
        site.gives_last()
        return site.tensor()
    if rank > 2 and site.is_last() and order == (0, *range(2, rank), 1):
        return site.tensor()
    return site.transposed(site.first(), order)


def channels_last(array: np.ndarray, rank: int) -> np.ndarray:
    """An array that is broadcast with [n, c, *spatial], as it is with [n, *spatial, c].

    It has no axes of length 1 before it.
    """
    wide = np.moveaxis(array.reshape((1,) * (rank - array.ndim) + array.shape), 1, -1)
    while wide.ndim > 1 and wide.shape[0] == 1:
        wide = wide[0]
    return wide
