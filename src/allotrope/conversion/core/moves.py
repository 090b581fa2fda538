"""Where elements go, for every target alike: splits, slices, pads, new shapes and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from allotrope.conversion.core.site import Site

LARGEST = 2**31
"""Ends of slices from here on mean the end of the axis."""


def split_lengths(site: Site) -> list[int]:
    """The lengths of the pieces of Split. Raises: NoForm where the whole is not known."""
    lengths = site.integers(1)
    if lengths is not None:
        return lengths
    axis, count, shape = site.attribute("axis", 0), len(site.node.outputs), site.shape()
    whole = None
    if shape is not None:
        whole = shape[axis]
    if not isinstance(whole, int):
        raise site.no("the length that it splits is not known")
    size = -(-whole // count)
    return [min(size, whole - i * size) for i in range(count)]


def split_places(site: Site) -> int | list[int]:
    """Where Split cuts, as NumPy's function takes it: into so many equal pieces, or at places."""
    lengths = split_lengths(site)
    if len(set(lengths)) == 1:
        return len(site.node.outputs)
    return list(accumulate(lengths))[:-1]


def cut(start: int | str, end: int | str, step: int) -> str:
    """A slice of one axis as it is written."""
    # Exporters write INT_MAX and INT_MIN for an end that is left out.
    backward_to_the_end = isinstance(end, int) and end < -LARGEST // 2
    first, last = str(start), str(end)
    if start == 0 and step > 0:
        first = ""
    if isinstance(end, int) and (end >= LARGEST - 1 or backward_to_the_end):
        last = ""
    # Calls stand apart from the colon, as ruff has it.
    if "(" in first + last:
        first += " "
        last = f" {last}".rstrip()
    text = f"{first}:{last}"
    if step != 1:
        text += f":{step}"
    return text


def cuts(site: Site) -> list[tuple[int, int | str, int | str, int]]:
    """Axis, start, end and step of each axis that Slice cuts."""
    starts, ends = site.lengths(1), site.lengths(2)
    axes = site.integers(3) or list(range(len(starts)))
    # The rank is asked for only if it must be: it may not be known.
    if any(axis < 0 for axis in axes):
        axes = [axis % site.rank() for axis in axes]
    return list(zip(axes, starts, ends, site.integers(4) or [1] * len(starts), strict=True))


def sliced(x: str, texts: dict[int, str]) -> str:
    """x with slices, by axis as it is held."""
    texts = {axis: text for axis, text in texts.items() if text != ":"}
    if texts:
        return f"{x}[{', '.join(texts.get(axis, ':') for axis in range(max(texts) + 1))}]"
    return x


def pads_by_axis(site: Site) -> list[tuple[int, int]]:
    """How much Pad adds before and after, for each axis."""
    rank, amounts = site.rank(), site.integers(1) or []
    axes = list(range(rank))
    if site.has(3):
        axes = site.integers(3) or []
    pads = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pads[axis] = (amounts[i], amounts[len(axes) + i])
    return pads


def columns_axis(site: Site) -> int:
    """The axis with which the columns of Flatten begin: its rank if every row has one column."""
    axis: int = site.attribute("axis", 1)
    if axis < 0:
        axis += site.rank()
    return axis


def new_shape(site: Site) -> list[int | str]:
    """The shape that Reshape gives, with -1 for a single length that is known only when it runs."""
    wanted, old, result = site.lengths(1), site.shape(), site.output_shape()
    if not site.attribute("allowzero", 0):
        for axis, length in enumerate(wanted):
            if length == 0:
                wanted[axis] = _length(site, axis, old)
    free = [i for i, length in enumerate(wanted) if isinstance(length, str)]
    # What remains may be known though a length is free: then the free one can be what remains.
    if -1 in wanted and len(free) == 1 and result is not None and len(result) == len(wanted):
        known = result[wanted.index(-1)]
        if isinstance(known, int):
            wanted[wanted.index(-1)] = known
    if len(free) == 1 and -1 not in wanted:
        wanted[free[0]] = -1
    return wanted


def broadcast_shape(site: Site) -> list[int | str]:
    """The shape that Expand gives. Raises: NoForm where lengths are free that might be 1 or not."""
    wanted, old = site.lengths(1), site.shape()
    if old is None:
        raise site.no("the shape of its input is not known")
    rank = max(len(wanted), len(old))
    wide, before_all = ([*[1] * (rank - len(lengths)), *lengths] for lengths in (wanted, old))
    shape: list[int | str] = []
    for axis, length, before in zip(
        range(len(old) - rank, len(old)), wide, before_all, strict=True
    ):
        # A free length may be 1, and then would be lengthened instead of kept.
        if isinstance(length, str) and before != 1:
            raise site.no("its shape depends on lengths that are free")
        if length == 1 and before != 1:
            length = _length(site, axis, old)
        shape.append(length)
    return shape


def _length(site: Site, axis: int, shape: Sequence[Any] | None) -> int | str:
    """The length of an axis of the first input, which stays: a number, or the source of one."""
    if shape is not None and isinstance(shape[axis], int):
        return shape[axis]
    return site.length(0, axis)


@dataclass(frozen=True)
class Resizing:
    """The spatial lengths before and after Resize, the scale of places, where they lie."""

    old: tuple[int, ...]
    new: tuple[int, ...]
    factors: tuple[float, ...]
    transform: str

    @property
    def is_whole(self) -> bool:
        """Whether the lengths are the scaled ones unrounded, as frameworks take them to be."""
        if self.transform == "pytorch_half_pixel" and 1 in self.new:
            return False
        return all(
            abs(a * f - b) < 1e-6 for a, b, f in zip(self.old, self.new, self.factors, strict=True)
        )


def resizing(site: Site) -> Resizing:
    """What Resize does to x [n, c, *spatial].

    Raises: NoForm where lengths are free, channels change, or it smooths.
    """
    shape, result = site.shape(), site.output_shape()
    if any(site.has(i) and site.known(i) is None for i in (2, 3)):
        raise site.no("its size is computed from data")
    if (
        shape is None
        or result is None
        or not all(isinstance(n, int) for n in (*shape[1:], *result[1:]))
    ):
        raise site.no("its size depends on lengths that are free")
    if len(shape) < 3 or shape[1] != result[1] or site.attribute("antialias", 0):
        raise site.no("it is converted for x [n, c, *spatial] without antialiasing")
    old, new, scales = tuple(shape[2:]), tuple(result[2:]), site.known(2)
    if scales is not None and scales.size == len(shape):
        factors = [float(s) for s in scales[2:]]
    else:
        factors = [b / a for a, b in zip(old, new, strict=True)]
    return Resizing(
        old, new, tuple(factors), site.attribute("coordinate_transformation_mode", "half_pixel")
    )
