"""Keras's ways to move elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotrope.conversion.core.channels_last import transposition
from allotrope.conversion.core.geometry import single, unusual
from allotrope.conversion.core.moves import (
    Resizing,
    columns_axis,
    cut,
    cuts,
    new_shape,
    pads_by_axis,
    resizing,
    sliced,
    split_places,
)
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.core.statement import Several
from allotrope.conversion.keras.layers import applied
from allotrope.conversion.keras.site import KerasSite
from allotrope.operators.resize import nearest_places


def _reshape(site: KerasSite) -> Expression:
    shape = new_shape(site)
    if any(not isinstance(length, int) for length in shape):
        raise site.no("its shape has several lengths that are known only when it runs")
    return call("ops.reshape", site.first(), tuple(shape))


def _flatten(site: KerasSite) -> Expression:
    axis, rank = columns_axis(site), site.rank()
    if axis == 1 and rank > 1:
        # With spatial axes of length 1 the order of axes makes no difference.
        shape = site.shape() or ()
        layer = site.layer("Flatten")
        if site.is_last() and all(n == 1 for n in shape[2:]):
            return applied(layer, site.tensor())
        return applied(layer, site.first())
    rest = [n for n in (site.shape() or ())[axis:] if isinstance(n, int)]
    if axis and len(rest) != rank - axis:
        raise site.no("its columns depend on lengths that are free")
    shape = 1, -1
    if axis:
        shape = -1, int(np.prod(rest))
    return call("ops.reshape", site.first(), shape)


def _squeeze(site: KerasSite) -> Expression:
    axes = site.integers(1)
    if axes is None:
        raise site.no("it does not say which axes")
    axes = sorted(axis % site.rank() for axis in axes)
    return call("ops.squeeze", site.first(), axis=single(axes))


def _unsqueeze(site: KerasSite) -> Expression:
    axes, x = site.integers(1) or [], site.first()
    rank = site.rank() + len(axes)
    *before, last = sorted(axis % rank for axis in axes)
    # Keras adds one axis at a time.
    for axis in before:
        x = site.temporary(call("ops.expand_dims", x, axis))
    return call("ops.expand_dims", x, last)


def _concatenate(site: KerasSite) -> Expression:
    axis, rank, positions = site.attribute("axis"), site.rank(), range(len(site))
    if any(map(site.is_last, positions)):
        parts = [site.last(i) for i in positions]
        site.gives_last()
        axis = (0, rank - 1, *range(1, rank - 1))[axis % rank]
    else:
        parts = [site.first(i) for i in positions]
    layer = site.layer("Concatenate", axis=unusual(unusual(axis, -1), rank - 1))
    return applied(layer, "[" + ", ".join(parts) + "]")


def _slice(site: KerasSite) -> Expression:
    texts = {}
    for axis, start, end, step in cuts(site):
        if step < 1 or isinstance(start, str) or isinstance(end, str):
            raise site.no("Keras slices only forward, at places that are known")
        texts[site.axis_of(axis)] = cut(start, end, step)
    if set(texts) == {0}:  # Keras cannot save an index of one slice alone
        if site.rank() < 2:
            raise site.no("it has one axis, which Keras cannot save a slice of")
        return f"{site.same()}[{texts[0]}, :]"
    return sliced(site.same(), texts)


def _split(site: KerasSite) -> Several:
    places, axis = split_places(site), site.axis_of(site.attribute("axis", 0))
    return Several(call("ops.split", site.same(), places, axis=axis), len(site.node.outputs))


def _pad(site: KerasSite) -> Expression:
    pads, mode = site.as_held(pads_by_axis(site)), site.attribute("mode", "constant")
    if any(n < 0 for pair in pads for n in pair) or mode not in ("constant", "reflect"):
        raise site.no(
            "Keras pads neither by negative lengths nor by the edge or from the other side"
        )
    return call(
        "ops.pad",
        site.same(),
        pads,
        mode=unusual(f'"{mode}"', '"constant"'),
        constant_values=site.number(2) or None,
    )


def _expand(site: KerasSite) -> Expression:
    wanted = site.lengths(1)
    old = site.shape()
    if old is None or any(not isinstance(n, int) for n in (*wanted, *old)):
        raise site.no("its shape depends on lengths that are free")
    shape = np.broadcast_shapes(tuple(map(int, old)), tuple(map(int, wanted)))
    return call("ops.broadcast_to", site.first(), shape)


def _tile(site: KerasSite) -> Expression:
    return call("ops.tile", site.first(), tuple(site.integers(1) or ()))


def _top_k(site: KerasSite) -> list[Expression]:
    if site.axis(site.attribute("axis", -1)) != site.rank() - 1 or not site.attribute("largest", 1):
        raise site.no("Keras finds only the largest, along the last axis")
    values, places = site.temporaries(
        call("ops.top_k", site.first(), int(site.number(1) or 0)), "{}, {}"
    )
    return [values, call("ops.cast", places, '"int64"')]


def _depth_to_space(site: KerasSite) -> Expression:
    shape, block = site.shape(), site.attribute("blocksize")
    if shape is None or not all(isinstance(n, int) for n in shape[1:]):
        raise site.no("its shape is not known")
    c, h, w = (int(n) for n in shape[1:])
    depth = c // block**2
    site.gives_last()
    if site.attribute("mode", "DCR") == "DCR":
        order, parts = (0, 1, 3, 2, 4, 5), (block, block, depth)
    else:
        order, parts = (0, 1, 4, 2, 5, 3), (depth, block, block)
    apart = site.temporary(call("ops.reshape", site.last(), (-1, h, w, *parts)))
    moved = site.temporary(call("ops.transpose", apart, order))
    return call("ops.reshape", moved, (-1, h * block, w * block, depth))


def _resize(site: KerasSite) -> Expression:
    wanted, mode, x = resizing(site), site.attribute("mode", "nearest"), site.last()
    if len(wanted.old) != 2:
        raise site.no("Keras resizes pictures, x [n, c, h, w]")
    site.gives_last()
    if mode == "nearest":
        return _nearest(site, x, wanted)
    if (
        mode != "linear"
        or wanted.transform not in ("half_pixel", "pytorch_half_pixel")
        or not wanted.is_whole
        or min(wanted.new) == 1
    ):
        raise site.no(f"Keras has no '{mode}' resizing with coordinates '{wanted.transform}'")
    return call(
        "ops.image.resize",
        x,
        wanted.new,
        interpolation='"bilinear"',
        antialias=False,
        data_format='"channels_last"',
    )


def _nearest(site: KerasSite, x: str, wanted: Resizing) -> Expression:
    rounding, sizes = (
        site.attribute("nearest_mode", "round_prefer_floor"),
        list(zip(wanted.old, wanted.new, strict=True)),
    )
    places = [
        nearest_places(wanted.transform, rounding, a, b, f)
        for (a, b), f in zip(sizes, wanted.factors, strict=True)
    ]
    if all(
        b % a == 0 and taken == [i // (b // a) for i in range(b)]
        for (a, b), taken in zip(sizes, places, strict=True)
    ):
        return applied(site.layer("UpSampling2D", tuple(b // a for a, b in sizes)), x)
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
    "Transpose": transposition,
    "Unsqueeze": _unsqueeze,
}
