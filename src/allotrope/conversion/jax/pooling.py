"""Pooling in flax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from allotrope.conversion.core.geometry import pooling_pads, unusual
from allotrope.conversion.core.source import Expression, Group, call
from allotrope.conversion.jax.site import JaxSite
from allotrope.operators.convolution import Pads


def _geometry(site: JaxSite) -> tuple[tuple[int, ...], tuple[int, ...], Pads, Pads]:
    """Kernel, strides, the pads that are given, and these lengthened by ceil_mode. Raises: NoForm for what flax does not pool."""
    kernel = tuple(site.attribute("kernel_shape"))
    strides, dilations = (tuple(site.attribute(name) or (1,) * len(kernel)) for name in ("strides", "dilations"))
    if any(d > 1 for d in dilations) or site.wants(1):
        raise site.no("flax pools without dilation or places of maxima")
    return kernel, strides, *pooling_pads(site, kernel, strides, dilations)


def _max_pool(site: JaxSite) -> Expression:
    kernel, strides, _, pads = _geometry(site)
    x = site.last()
    site.gives_last()
    padding = list(pads) if any(map(any, pads)) else None
    return call("nnx.max_pool", x, kernel, strides=unusual(strides, (1,) * len(kernel)), padding=padding)


def _average_pool(site: JaxSite) -> Expression:
    kernel, strides, given, pads = _geometry(site)
    counted, x = bool(site.attribute("count_include_pad", 0)), site.last()
    if counted and given != pads:
        raise site.no("given padding counts in its means and that of ceil_mode does not")
    site.gives_last()
    padded = any(map(any, pads))
    found = call(
        "nnx.avg_pool",
        x,
        kernel,
        strides=unusual(strides, (1,) * len(kernel)),
        padding=list(pads) if padded else None,
        count_include_pad=False if padded and not counted else None,
    )
    # flax counts in float64 where that is turned on
    return Group(found.opening, found.parts, f").astype({x}.dtype)") if padded and not counted else found


def _global(reduction: str, site: JaxSite) -> Expression:
    axes, x = tuple(range(1, site.rank() - 1)), site.last()
    site.gives_last()
    return call(f"{x}.{reduction}", axes[0] if len(axes) == 1 else axes, keepdims=True)


def _global_max(site: JaxSite) -> Expression:
    """A window over all: compiled for CPUs, the gradient of `.max` can be lost, where what it is compared with is rounded otherwise."""
    sides = (site.shape() or ())[2:]
    if not sides or not all(isinstance(side, int) for side in sides) or not site.is_float():
        return _global("max", site)
    x = site.last()
    site.gives_last()
    return call("nnx.max_pool", x, tuple(sides))


POOLING: dict[str, Callable[[JaxSite], Expression]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": partial(_global, "mean"),
    "GlobalMaxPool": _global_max,
    "MaxPool": _max_pool,
}
