"""Keras's ways to move elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from allotrope.conversion.keras_layers import applied
from allotrope.conversion.keras_site import KerasSite
from allotrope.conversion.source import Expression, call
from allotrope.conversion.translation import Several
from allotrope.operators.resize import nearest_places

LARGEST = 2**31
"""Ends of slices from here on mean the end of the axis."""


def _reshape(site: KerasSite) -> Expression:
    shape, old = site.lengths(1), site.shape()
    if not site.attribute("allowzero", 0) and old is not None:
        shape = [old[i] if length == 0 else length for i, length in enumerate(shape)]
    free = [i for i, length in enumerate(shape) if not isinstance(length, int)]
    result = site.output_shape()
    if -1 in shape and free and result is not None and isinstance(result[shape.index(-1)], int):
        shape[shape.index(-1)] = result[shape.index(-1)]
    if len(free) == 1 and -1 not in shape:
        shape[free[0]] = -1
    if any(not isinstance(length, int) for length in shape):
        raise site.no("its shape has several lengths that are known only when it runs")
    return call("ops.reshape", site.first(), tuple(shape))


def _flatten(site: KerasSite) -> Expression:
    axis, rank = site.attribute("axis", 1) % max(site.rank(), 1), site.rank()
    if axis == 1 and rank > 1:
        shape = site.shape() or ()
        flat = site.is_last() and all(n == 1 for n in shape[2:])
        return applied(site.layer("Flatten"), site.tensor() if flat else site.first())
    rest = [n for n in (site.shape() or ())[axis:] if isinstance(n, int)]
    if axis and len(rest) != rank - axis:
        raise site.no("its columns depend on lengths that are free")
    return call("ops.reshape", site.first(), (-1, int(np.prod(rest))) if axis else (1, -1))


def _transpose(site: KerasSite) -> Expression:
    rank = site.rank()
    order = tuple(site.attribute("perm") or reversed(range(rank)))
    if rank > 2 and not site.is_last() and order == (0, rank - 1, *range(1, rank - 1)):
        site.gives_last()
        return site.tensor()
    if rank > 2 and site.is_last() and order == (0, *range(2, rank), 1):
        return site.tensor()
    return call("ops.transpose", site.first(), order)


def _squeeze(site: KerasSite) -> Expression:
    axes = site.integers(1)
    if axes is None:
        raise site.no("it does not say which axes")
    axes = sorted(axis % site.rank() for axis in axes)
    return call("ops.squeeze", site.first(), axis=axes[0] if len(axes) == 1 else tuple(axes))


def _unsqueeze(site: KerasSite) -> Expression:
    axes, x = site.integers(1) or [], site.first()
    rank = site.rank() + len(axes)
    *before, last = sorted(axis % rank for axis in axes)
    for axis in before:
        x = site.temporary(call("ops.expand_dims", x, axis))
    return call("ops.expand_dims", x, last)


def _concatenate(site: KerasSite) -> Expression:
    turned = any(site.is_last(i) for i in range(len(site)))
    parts = [site.last(i) if turned else site.first(i) for i in range(len(site))]
    axis, rank = site.attribute("axis"), site.rank()
    if turned:
        site.gives_last()
        axis = (0, rank - 1, *range(1, rank - 1))[axis % rank]
    return applied(site.layer("Concatenate", axis=None if axis in (-1, rank - 1) else axis), "[" + ", ".join(parts) + "]")


def _slice(site: KerasSite) -> Expression:
    starts, ends = site.integers(1) or [], site.integers(2) or []
    axes = site.integers(3) or list(range(len(starts)))
    steps = site.integers(4) or [1] * len(starts)
    cuts = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise site.no("Keras slices only forward")
        last = "" if end >= LARGEST - 1 else str(end)
        cuts[site.axis_of(axis)] = f"{start or ''}:{last}" + (f":{step}" if step > 1 else "")
    cuts = {axis: text for axis, text in cuts.items() if text != ":"}
    x = site.same()
    return f"{x}[{', '.join(cuts.get(axis, ':') for axis in range(max(cuts) + 1))}]" if cuts else x


def _split(site: KerasSite) -> Several:
    axis, count, lengths = site.attribute("axis", 0), len(site.node.outputs), site.integers(1)
    whole = (site.shape() or (None,) * (axis + 1))[axis]
    if lengths is None:
        if not isinstance(whole, int):
            raise site.no("the length that it splits is not known")
        size = -(-whole // count)
        lengths = [min(size, whole - i * size) for i in range(count)]
    same = len(set(lengths)) == 1
    places = count if same else np.cumsum(lengths)[:-1].tolist()
    return Several(call("ops.split", site.same(), places, axis=site.axis_of(axis)), count)


def _pad(site: KerasSite) -> Expression:
    rank, given = site.rank(), site.integers(1) or []
    axes = site.integers(3) or list(range(rank)) if site.has(3) else list(range(rank))
    pads = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pads[site.axis_of(axis)] = (given[i], given[len(axes) + i])
    modes = {"constant": None, "reflect": '"reflect"', "edge": '"edge"', "wrap": '"wrap"'}
    mode = site.attribute("mode", "constant")
    if any(n < 0 for pair in pads for n in pair) or mode in ("wrap", "edge"):
        raise site.no("Keras pads neither by negative lengths nor by the edge or from the other side")
    value = site.number(2) or None
    return call("ops.pad", site.same(), tuple(pads), mode=modes[mode], constant_values=value)


def _expand(site: KerasSite) -> Expression:
    wanted = site.lengths(1)
    old = site.shape()
    if old is None or any(not isinstance(n, int) for n in (*wanted, *old)):
        raise site.no("its shape depends on lengths that are free")
    return call("ops.broadcast_to", site.first(), tuple(int(n) for n in np.broadcast_shapes(tuple(old), tuple(wanted))))  # type: ignore[arg-type]


def _tile(site: KerasSite) -> Expression:
    return call("ops.tile", site.first(), tuple(site.integers(1) or ()))


def _top_k(site: KerasSite) -> list[Expression]:
    if site.axis(site.attribute("axis", -1)) != site.rank() - 1 or not site.attribute("largest", 1):
        raise site.no("Keras finds only the largest, along the last axis")
    values, places = site.temporaries(call("ops.top_k", site.first(), int(site.number(1) or 0)), "{}, {}")
    return [values, call("ops.cast", places, '"int64"')]


def _depth_to_space(site: KerasSite) -> Expression:
    shape, block = site.shape(), site.attribute("blocksize")
    if shape is None or not all(isinstance(n, int) for n in shape[1:]):
        raise site.no("its shape is not known")
    c, h, w = (int(n) for n in shape[1:])
    depth = c // block**2
    site.gives_last()
    order, parts = (
        ((0, 1, 3, 2, 4, 5), (block, block, depth))
        if site.attribute("mode", "DCR") == "DCR"
        else ((0, 1, 4, 2, 5, 3), (depth, block, block))
    )
    apart = site.temporary(call("ops.reshape", site.last(), (-1, h, w, *parts)))
    moved = site.temporary(call("ops.transpose", apart, order))
    return call("ops.reshape", moved, (-1, h * block, w * block, depth))


def _resize(site: KerasSite) -> Expression:
    shape, result, mode = site.shape(), site.output_shape(), site.attribute("mode", "nearest")
    known = shape is not None and result is not None and all(isinstance(n, int) for n in (*shape[1:], *result[1:]))
    if not known or shape is None or result is None or len(shape) != 4 or site.attribute("antialias", 0) or shape[1] != result[1]:
        raise site.no("Keras resizes x [n, c, h, w] of known lengths, without antialiasing")
    transform, old, new = site.attribute("coordinate_transformation_mode", "half_pixel"), shape[2:], result[2:]
    x = site.last()
    site.gives_last()
    scales = site.known(2) if site.has(2) else None
    factors = [float(s) for s in scales[2:]] if scales is not None and scales.size == 4 else [b / a for a, b in zip(old, new, strict=True)]
    if mode == "nearest":
        return _nearest(site, x, transform, old, new, factors)
    whole = all(abs(a * f - b) < 1e-6 for a, b, f in zip(old, new, factors, strict=True))
    if mode != "linear" or transform not in ("half_pixel", "pytorch_half_pixel") or not whole or min(new) == 1:
        raise site.no(f"Keras has no '{mode}' resizing with coordinates '{transform}'")
    return call("ops.image.resize", x, tuple(new), interpolation='"bilinear"', antialias=False, data_format='"channels_last"')


def _nearest(site: KerasSite, x: str, transform: str, old: Sequence[int], new: Sequence[int], factors: Sequence[float]) -> Expression:
    rounding = site.attribute("nearest_mode", "round_prefer_floor")
    places = [nearest_places(transform, rounding, a, b, f) for a, b, f in zip(old, new, factors, strict=True)]
    if all(b % a == 0 and p == [i // (b // a) for i in range(b)] for a, b, p in zip(old, new, places, strict=True)):
        return applied(site.layer("UpSampling2D", tuple(b // a for a, b in zip(old, new, strict=True))), x)
    rows = site.temporary(call("ops.take", x, places[0], axis=1))
    return call("ops.take", rows, places[1], axis=2)


SHAPES: dict[str, Callable[[KerasSite], Expression | list[Expression] | Several]] = {
    "Concat": _concatenate,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
