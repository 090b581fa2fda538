"""JAX's ways to move elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotrope.conversion.core.channels_last import transposition
from allotrope.conversion.core.geometry import single, unusual
from allotrope.conversion.core.moves import (
    Resizing,
    broadcast_shape,
    columns_axis,
    cut,
    cuts,
    new_shape,
    pads_by_axis,
    resizing,
    sliced,
    split_places,
)
from allotrope.conversion.core.source import Expression, call, literal
from allotrope.conversion.core.statement import Several
from allotrope.conversion.jax.site import JaxSite
from allotrope.operators.resize import nearest_places


def _reshape(site: JaxSite) -> Expression:
    return call(f"{site.first()}.reshape", *new_shape(site))


def _flatten(site: JaxSite) -> Expression:
    axis, rank, shape = columns_axis(site), site.rank(), site.shape() or ()
    # With spatial axes of length 1 both orders of axes flatten alike.
    if site.is_last() and axis == 1 and all(n == 1 for n in shape[2:]):
        x = site.tensor()
    else:
        x = site.first()
    if axis == 1 and rank > 1:
        return f"{x}.reshape({x}.shape[0], -1)"
    rest = [n for n in shape[axis:] if isinstance(n, int)]
    if len(rest) != rank - axis:
        raise site.no("its columns depend on lengths that are free")
    if axis == 0:
        return call(f"{x}.reshape", 1, -1)
    return call(f"{x}.reshape", -1, int(np.prod(rest)))


def _squeeze(site: JaxSite) -> Expression:
    axes = site.integers(1)
    if axes is None:
        raise site.no("it does not say which axes")
    return call("jnp.squeeze", site.first(), single(axes))


def _unsqueeze(site: JaxSite) -> Expression:
    axes = site.integers(1) or []
    return call("jnp.expand_dims", site.first(), single(axes))


def _concatenate(site: JaxSite) -> Expression:
    axis, rank, positions = site.attribute("axis"), site.rank(), range(len(site))
    if any(map(site.is_last, positions)):
        parts = [site.last(i) for i in positions]
        site.gives_last()
        axis = (0, rank - 1, *range(1, rank - 1))[axis % rank]
    else:
        parts = [site.first(i) for i in positions]
    return call("jnp.concatenate", "[" + ", ".join(parts) + "]", axis=axis)


def _slice(site: JaxSite) -> Expression:
    return sliced(
        site.same(),
        {site.axis_of(axis): cut(start, end, step) for axis, start, end, step in cuts(site)},
    )


def _split(site: JaxSite) -> Several:
    places, axis = split_places(site), site.axis_of(site.attribute("axis", 0))
    return Several(call("jnp.split", site.same(), places, axis=axis), len(site.node.outputs))


def _pad(site: JaxSite) -> Expression:
    pads, mode = site.as_held(pads_by_axis(site)), site.attribute("mode", "constant")
    if any(n < 0 for pair in pads for n in pair):
        raise site.no("jnp.pad takes no negative lengths")
    return call(
        "jnp.pad",
        site.same(),
        pads,
        mode=unusual(f'"{mode}"', '"constant"'),
        constant_values=site.number(2) or None,
    )


def _expand(site: JaxSite) -> Expression:
    return call("jnp.broadcast_to", site.first(), literal(tuple(broadcast_shape(site))))


def _constant_of_shape(site: JaxSite) -> Expression:
    fill = site.attribute("value", np.zeros(1, np.float32)).reshape(-1)[0]
    return call("jnp.full", literal(tuple(site.lengths(0))), fill.item(), f"jnp.{fill.dtype.name}")


def _range(site: JaxSite) -> Expression:
    value = site.value()
    if any(site.known(i) is None for i in range(3)) or value is None:
        raise site.no("jnp.arange takes numbers, and these are computed from data")
    start, stop, step = (site.input(i) for i in range(3))
    if (start, step) == ("0", "1"):
        ends = [stop]
    elif step == "1":
        ends = [start, stop]
    else:
        ends = [start, stop, step]
    return call("jnp.arange", *ends, dtype=f"jnp.{value.dtype.name}")


def _triangle(site: JaxSite) -> Expression:
    diagonal = site.number(1)
    function = "jnp.tril"
    if site.attribute("upper", 1):
        function = "jnp.triu"
    if not diagonal:
        return call(function, site.first())
    return call(function, site.first(), diagonal)


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
    if dcr:
        parts, order = (block, block, depth), (0, 1, 3, 2, 4, 5)
    else:
        parts, order = (depth, block, block), (0, 1, 4, 2, 5, 3)
    apart = site.temporary(call(f"{x}.reshape", -1, h, w, *parts))
    return f"jnp.transpose({apart}, {order}).reshape(-1, {h * block}, {w * block}, {depth})"


def _resize(site: JaxSite) -> Expression:
    wanted, mode, x = resizing(site), site.attribute("mode", "nearest"), site.last()
    site.gives_last()
    if mode == "nearest":
        return _nearest(site, x, wanted)
    if (
        mode != "linear"
        or wanted.transform not in ("half_pixel", "pytorch_half_pixel")
        or not wanted.is_whole
        or min(wanted.new) == 1
    ):
        raise site.no(f"jax.image.resize has no '{mode}' with coordinates '{wanted.transform}'")
    lengths = f"({x}.shape[0], {', '.join(map(str, wanted.new))}, {(site.shape() or ())[1]})"
    return call("jax.image.resize", x, lengths, '"linear"', antialias=False)


def _nearest(site: JaxSite, x: str, wanted: Resizing) -> Expression:
    rounding = site.attribute("nearest_mode", "round_prefer_floor")
    for axis, (a, b, factor) in enumerate(
        zip(wanted.old, wanted.new, wanted.factors, strict=True), 1
    ):
        places = nearest_places(wanted.transform, rounding, a, b, factor)
        repeated = b % a == 0 and places == [i // (b // a) for i in range(b)]
        if repeated:
            taken = call("jnp.repeat", x, b // a, axis=axis)
        else:
            taken = call("jnp.take", x, f"jnp.array({places})", axis=axis)
        x = site.temporary(taken)
    return x


SHAPES: dict[str, Callable[[JaxSite], Expression | list[Expression] | Several]] = {
    "Concat": _concatenate,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": transposition,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
}
