"""Where elements go, worked out for every target alike: splits, slices, pads, new shapes and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.conversion.core.site import Site

LARGEST = 2**31
"""Ends of slices from here on mean the end of the axis."""


def split_lengths(site: Site) -> list[int]:
    """The lengths of the pieces of Split. Raises: NoForm where the whole is not known."""
    lengths = site.integers(1)
    if lengths is not None:
        return lengths
    axis, count, shape = site.attribute("axis", 0), len(site.node.outputs), site.shape()
    whole = None if shape is None else shape[axis]
    if not isinstance(whole, int):
        raise site.no("the length that it splits is not known")
    size = -(-whole // count)
    return [min(size, whole - i * size) for i in range(count)]


def cut(start: int | str, end: int | str, step: int) -> str:
    """A slice of one axis as it is written."""
    backward_to_the_end = isinstance(end, int) and end < -LARGEST // 2
    first = "" if start == 0 and step > 0 else str(start)
    last = "" if isinstance(end, int) and (end >= LARGEST - 1 or backward_to_the_end) else str(end)
    space = " " if "(" in first + last else ""
    return f"{first}{space}:{space if last else ''}{last}" + (f":{step}" if step != 1 else "")


def cuts(site: Site) -> list[tuple[int, int | str, int | str, int]]:
    """Axis, start, end and step of each axis that Slice cuts."""
    starts, ends = site.lengths(1), site.lengths(2)
    axes = site.integers(3) or list(range(len(starts)))
    axes = [axis % site.rank() for axis in axes] if any(axis < 0 for axis in axes) else axes
    return list(zip(axes, starts, ends, site.integers(4) or [1] * len(starts), strict=True))


def sliced(x: str, texts: dict[int, str]) -> str:
    """x with slices, by axis as it is held."""
    texts = {axis: text for axis, text in texts.items() if text != ":"}
    return f"{x}[{', '.join(texts.get(axis, ':') for axis in range(max(texts) + 1))}]" if texts else x


def pads_by_axis(site: Site) -> list[tuple[int, int]]:
    """How much Pad adds before and after, for each axis."""
    rank, given = site.rank(), site.integers(1) or []
    axes = (site.integers(3) or []) if site.has(3) else list(range(rank))
    pads = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pads[axis] = (given[i], given[len(axes) + i])
    return pads


def new_shape(site: Site) -> list[int | str]:
    """The shape that Reshape gives, with -1 for its one length that is known only when it runs, where it has one."""
    wanted, old, result = site.lengths(1), site.shape(), site.output_shape()
    if not site.attribute("allowzero", 0):
        wanted = [_kept(site, axis, old) if length == 0 else length for axis, length in enumerate(wanted)]
    free = [i for i, length in enumerate(wanted) if isinstance(length, str)]
    if -1 in wanted and len(free) == 1 and result is not None and len(result) == len(wanted):
        known = result[wanted.index(-1)]
        wanted = [known if length == -1 and isinstance(known, int) else length for length in wanted]
    return [-1 if i in free else length for i, length in enumerate(wanted)] if len(free) == 1 and -1 not in wanted else wanted


def broadcast_shape(site: Site) -> list[int | str]:
    """The shape that Expand gives. Raises: NoForm where lengths are free that might be 1 or not."""
    wanted, old = site.lengths(1), site.shape()
    if old is None:
        raise site.no("the shape of its input is not known")
    rank = max(len(wanted), len(old))
    wide, before_all = ([*[1] * (rank - len(lengths)), *lengths] for lengths in (wanted, old))
    found: list[int | str] = []
    for axis, length, before in zip(range(len(old) - rank, len(old)), wide, before_all, strict=True):
        if isinstance(length, str) and before != 1:
            raise site.no("its shape depends on lengths that are free")
        found.append(_kept(site, axis, old) if length == 1 and before != 1 else length)
    return found


def _kept(site: Site, axis: int, shape: Sequence[object] | None) -> int | str:
    length = None if shape is None else shape[axis]
    return length if isinstance(length, int) else site.length(0, axis)


@dataclass(frozen=True)
class Resizing:
    """The spatial lengths before and after Resize, by how much coordinates are scaled, and where they lie."""

    old: tuple[int, ...]
    new: tuple[int, ...]
    factors: tuple[float, ...]
    transform: str

    @property
    def is_whole(self) -> bool:
        """Whether the lengths are the scaled ones, without rounding, as frameworks take them to be."""
        if self.transform == "pytorch_half_pixel" and 1 in self.new:
            return False
        return all(abs(a * f - b) < 1e-6 for a, b, f in zip(self.old, self.new, self.factors, strict=True))


def resizing(site: Site) -> Resizing:
    """What Resize does to x [n, c, *spatial]. Raises: NoForm where lengths are free, channels change, or it smooths."""
    shape, result = site.shape(), site.output_shape()
    if any(site.has(i) and site.known(i) is None for i in (2, 3)):
        raise site.no("its size is computed from data")
    if shape is None or result is None or not all(isinstance(n, int) for n in (*shape[1:], *result[1:])):
        raise site.no("its size depends on lengths that are free")
    if len(shape) < 3 or shape[1] != result[1] or site.attribute("antialias", 0):
        raise site.no("it is converted for x [n, c, *spatial] without antialiasing")
    old, new, scales = tuple(shape[2:]), tuple(result[2:]), site.known(2)
    given = scales is not None and scales.size == len(shape)
    factors = [float(s) for s in scales[2:]] if given and scales is not None else [b / a for a, b in zip(old, new, strict=True)]
    return Resizing(old, new, tuple(factors), site.attribute("coordinate_transformation_mode", "half_pixel"))
