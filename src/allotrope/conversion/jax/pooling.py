"""Pooling in flax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from allotrope.conversion.core.geometry import pooling_pads, single, unusual
from allotrope.conversion.core.source import Expression, Group, call
from allotrope.conversion.jax.site import JaxSite
from allotrope.operators.convolution import Pads


def _geometry(site: JaxSite) -> tuple[tuple[int, ...], tuple[int, ...], Pads, Pads]:
    """Kernel, strides, the pads that are asked for, and these lengthened by ceil_mode.

    Raises: NoForm for what flax does not pool.
    """
    kernel = tuple(site.attribute("kernel_shape"))
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * len(kernel)) for name in ("strides", "dilations")
    )
    if any(d > 1 for d in dilations) or site.wants(1):
        raise site.no("flax pools without dilation or places of maxima")
    return kernel, strides, *pooling_pads(site, kernel, strides, dilations)


def _max_pool(site: JaxSite) -> Expression:
    kernel, strides, _, pads = _geometry(site)
    x = site.last()
    site.gives_last()
    padding = None
    if any(map(any, pads)):
        padding = list(pads)
    return call(
        "nnx.max_pool", x, kernel, strides=unusual(strides, (1,) * len(kernel)), padding=padding
    )


def _average_pool(site: JaxSite) -> Expression:
    kernel, strides, asked, pads = _geometry(site)
    counted, x = bool(site.attribute("count_include_pad", 0)), site.last()
    if counted and asked != pads:
        raise site.no("given padding counts in its means and that of ceil_mode does not")
    site.gives_last()
    options: dict[str, Any] = {"strides": unusual(strides, (1,) * len(kernel))}
    padded = any(map(any, pads))
    if padded:
        options |= {"padding": list(pads), "count_include_pad": unusual(counted, True)}
    pooled = call("nnx.avg_pool", x, kernel, **options)
    # flax counts in float64 if that is turned on.
    if padded and not counted:
        return Group(pooled.opening, pooled.parts, f").astype({x}.dtype)")
    return pooled


def _global(reduction: str, site: JaxSite) -> Expression:
    axes, x = tuple(range(1, site.rank() - 1)), site.last()
    site.gives_last()
    return call(f"{x}.{reduction}", single(axes), keepdims=True)


def _global_max(site: JaxSite) -> Expression:
    """A window over all, for compiled for CPUs the gradient of `.max` can be lost.

    It is if what is compared with the maximum is rounded otherwise.
    """
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
