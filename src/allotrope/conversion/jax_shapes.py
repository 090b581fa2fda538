"""JAX's ways to move elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotrope.conversion.jax_site import JaxSite
from allotrope.conversion.source import Expression, call
from allotrope.conversion.translation import Several
from allotrope.operators.resize import nearest_places

LARGEST = 2**31
"""Ends of slices from here on mean the end of the axis."""


def _reshape(site: JaxSite) -> Expression:
    shape, old = site.lengths(1), site.shape()
    if not site.attribute("allowzero", 0) and old is not None:
        shape = [(old[i] if isinstance(old[i], int) else site.length(0, i)) if length == 0 else length for i, length in enumerate(shape)]
    result = site.output_shape()
    free = [i for i, length in enumerate(shape) if not isinstance(length, int)]
    if -1 in shape and len(free) == 1 and result is not None and isinstance(result[shape.index(-1)], int):
        shape[shape.index(-1)] = result[shape.index(-1)]
    if len(free) == 1 and -1 not in shape:
        shape[free[0]] = -1
    return call(f"{site.first()}.reshape", *shape)


def _flatten(site: JaxSite) -> Expression:
    axis, rank, shape = site.attribute("axis", 1), site.rank(), site.shape() or ()
    axis = axis % rank if axis < 0 else axis
    x = site.tensor() if site.is_last() and axis == 1 and all(n == 1 for n in shape[2:]) else site.first()
    if axis == 1 and rank > 1:
        return f"{x}.reshape({x}.shape[0], -1)"
    rest = [n for n in shape[axis:] if isinstance(n, int)]
    if len(rest) != rank - axis:
        raise site.no("its columns depend on lengths that are free")
    return call(f"{x}.reshape", *((-1, int(np.prod(rest))) if axis else (1, -1)))


def _transpose(site: JaxSite) -> Expression:
    rank = site.rank()
    order = tuple(site.attribute("perm") or reversed(range(rank)))
    if rank > 2 and not site.is_last() and order == (0, rank - 1, *range(1, rank - 1)):
        site.gives_last()
        return site.tensor()
    if rank > 2 and site.is_last() and order == (0, *range(2, rank), 1):
        return site.tensor()
    return call("jnp.transpose", site.first(), order)


def _squeeze(site: JaxSite) -> Expression:
    axes = site.integers(1)
    if axes is None:
        raise site.no("it does not say which axes")
    return call("jnp.squeeze", site.first(), axes[0] if len(axes) == 1 else tuple(axes))


def _unsqueeze(site: JaxSite) -> Expression:
    axes = site.integers(1) or []
    return call("jnp.expand_dims", site.first(), axes[0] if len(axes) == 1 else tuple(axes))


def _concatenate(site: JaxSite) -> Expression:
    turned = any(site.is_last(i) for i in range(len(site)))
    parts = [site.last(i) if turned else site.first(i) for i in range(len(site))]
    axis, rank = site.attribute("axis"), site.rank()
    if turned:
        site.gives_last()
        axis = (0, rank - 1, *range(1, rank - 1))[axis % rank]
    return call("jnp.concatenate", "[" + ", ".join(parts) + "]", axis=axis)


def _slice(site: JaxSite) -> Expression:
    starts, ends = site.integers(1) or [], site.integers(2) or []
    axes = site.integers(3) or list(range(len(starts)))
    steps = site.integers(4) or [1] * len(starts)
    cuts = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        first, last = ("" if start == 0 and step > 0 else str(start)), ("" if end >= LARGEST - 1 or end < -LARGEST // 2 else str(end))
        cuts[site.axis_of(axis)] = f"{first}:{last}" + (f":{step}" if step != 1 else "")
    cuts = {axis: text for axis, text in cuts.items() if text != ":"}
    x = site.same()
    return f"{x}[{', '.join(cuts.get(axis, ':') for axis in range(max(cuts) + 1))}]" if cuts else x


def _split(site: JaxSite) -> Several:
    axis, count, lengths = site.attribute("axis", 0), len(site.node.outputs), site.integers(1)
    whole = (site.shape() or (None,) * (axis + 1))[axis]
    if lengths is None:
        if not isinstance(whole, int):
            raise site.no("the length that it splits is not known")
        size = -(-whole // count)
        lengths = [min(size, whole - i * size) for i in range(count)]
    places = count if len(set(lengths)) == 1 else np.cumsum(lengths)[:-1].tolist()
    return Several(call("jnp.split", site.same(), places, axis=site.axis_of(axis)), count)


def _pad(site: JaxSite) -> Expression:
    rank, given = site.rank(), site.integers(1) or []
    axes = (site.integers(3) or []) if site.has(3) else list(range(rank))
    pads = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pads[site.axis_of(axis)] = (given[i], given[len(axes) + i])
    if any(n < 0 for pair in pads for n in pair):
        raise site.no("jnp.pad takes no negative lengths")
    mode, value = site.attribute("mode", "constant"), site.number(2) or None
    return call("jnp.pad", site.same(), tuple(pads), mode=None if mode == "constant" else f'"{mode}"', constant_values=value)


def _expand(site: JaxSite) -> Expression:
    wanted, old = site.lengths(1), site.shape()
    if old is None or any(not isinstance(n, int) for n in (*wanted, *old)):
        raise site.no("its shape depends on lengths that are free")
    return call("jnp.broadcast_to", site.first(), tuple(int(n) for n in np.broadcast_shapes(tuple(old), tuple(map(int, wanted)))))


def _tile(site: JaxSite) -> Expression:
    return call("jnp.tile", site.first(), tuple(site.integers(1) or ()))


def _depth_to_space(site: JaxSite) -> Expression:
    shape, block = site.shape(), site.attribute("blocksize")
    if shape is None or not all(isinstance(n, int) for n in shape[1:]):
        raise site.no("its shape is not known")
    c, h, w = (int(n) for n in shape[1:])
    depth, x = c // block**2, site.last()
    site.gives_last()
    dcr = site.attribute("mode", "DCR") == "DCR"
    parts, order = ((block, block, depth), (0, 1, 3, 2, 4, 5)) if dcr else ((depth, block, block), (0, 1, 4, 2, 5, 3))
    apart = site.temporary(call(f"{x}.reshape", -1, h, w, *parts))
    return f"jnp.transpose({apart}, {order}).reshape(-1, {h * block}, {w * block}, {depth})"


def _resize(site: JaxSite) -> Expression:
    shape, result, mode = site.shape(), site.output_shape(), site.attribute("mode", "nearest")
    known = shape is not None and result is not None and all(isinstance(n, int) for n in (*shape[1:], *result[1:]))
    if not known or shape is None or result is None or len(shape) < 3 or site.attribute("antialias", 0) or shape[1] != result[1]:
        raise site.no("it is converted for x [n, c, *spatial] of known lengths, without antialiasing")
    transform, old, new, x = site.attribute("coordinate_transformation_mode", "half_pixel"), shape[2:], result[2:], site.last()
    site.gives_last()
    scales = site.known(2) if site.has(2) else None
    factors = [float(s) for s in scales[2:]] if scales is not None and scales.size == len(shape) else None
    factors = factors or [b / a for a, b in zip(old, new, strict=True)]
    if mode == "nearest":
        for axis, (a, b, f) in enumerate(zip(old, new, factors, strict=True), 1):
            places = nearest_places(transform, site.attribute("nearest_mode", "round_prefer_floor"), a, b, f)
            repeated = b % a == 0 and places == [i // (b // a) for i in range(b)]
            taken = call("jnp.repeat", x, b // a, axis=axis) if repeated else call("jnp.take", x, f"jnp.array({places})", axis=axis)
            x = site.temporary(taken)
        return x
    whole = all(abs(a * f - b) < 1e-6 for a, b, f in zip(old, new, factors, strict=True))
    if mode != "linear" or transform not in ("half_pixel", "pytorch_half_pixel") or not whole or min(new) == 1:
        raise site.no(f"jax.image.resize has no '{mode}' with coordinates '{transform}'")
    return call("jax.image.resize", x, f"({x}.shape[0], {', '.join(map(str, new))}, {shape[1]})", '"linear"', antialias=False)


SHAPES: dict[str, Callable[[JaxSite], Expression | list[Expression] | Several]] = {
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
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
