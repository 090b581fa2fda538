"""Pooling in Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from allotrope.conversion.core.geometry import even, mean_factor, pooling_pads, same_pads, unusual
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.keras.layers import PADDING, applied, zero_padded
from allotrope.conversion.keras.site import KerasSite
from allotrope.operators.convolution import Pads

MOST = 3


def geometry(site: KerasSite) -> tuple[tuple[int, ...], tuple[int, ...], Pads, Pads]:
    """Kernel, strides, the pads that are given, and these lengthened by ceil_mode.

    Raises: NoForm for what Keras does not pool.
    """
    kernel = tuple(site.attribute("kernel_shape"))
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * len(kernel)) for name in ("strides", "dilations")
    )
    if len(kernel) > MOST or any(d > 1 for d in dilations) or site.wants(1):
        raise site.no(
            f"Keras pools over 1 to {MOST} spatial axes, without dilation or places of maxima"
        )
    return kernel, strides, *pooling_pads(site, kernel, strides, dilations)


def _options(kernel: Sequence[int], strides: Sequence[int], same: bool) -> dict[str, Any]:
    return {"strides": unusual(even(strides), even(kernel)), "padding": PADDING[same]}


def _max_pool(site: KerasSite) -> Expression:
    kernel, strides, _, pads = geometry(site)
    x = site.last()
    site.gives_last()
    same = any(map(any, pads)) and same_pads(site, kernel, strides, (1,) * len(kernel)) == pads
    # Padding never wins a maximum, so it is minus infinity and not 0.
    if any(map(any, pads)) and not same:
        around = ((0, 0), *pads, (0, 0))
        x = site.temporary(call("ops.pad", x, tuple(around), constant_values='float("-inf")'))
    return applied(
        site.layer(f"MaxPooling{len(kernel)}D", even(kernel), **_options(kernel, strides, same)), x
    )


def _average_pool(site: KerasSite) -> Expression:
    kernel, strides, asked, pads = geometry(site)
    counted, x = bool(site.attribute("count_include_pad", 0)), site.last()
    site.gives_last()
    padded = any(map(any, pads))
    same = padded and not counted and same_pads(site, kernel, strides, (1,) * len(kernel)) == pads
    layer = site.layer(
        f"AveragePooling{len(kernel)}D", even(kernel), **_options(kernel, strides, same)
    )
    if not padded or same:
        return applied(layer, x)
    places = [(0, 0)] * len(kernel)
    if counted:
        places = asked
    factor = mean_factor(site, kernel, strides, pads, places)
    pooled = applied(layer, zero_padded(site, x, pads))
    if factor is None:
        return pooled
    return call(
        "ops.multiply",
        site.temporary(pooled),
        site.layers.buffer(f"{site.name()}.factor", factor[..., None]),
    )


def _global(kind: str, site: KerasSite) -> Expression:
    spatial, x = site.rank() - 2, site.last()
    site.gives_last()
    if not 1 <= spatial <= MOST:
        raise site.no(f"Keras pools over 1 to {MOST} spatial axes, not {spatial}")
    return applied(site.layer(f"Global{kind}Pooling{spatial}D", keepdims=True), x)


POOLING: dict[str, Callable[[KerasSite], Expression]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": partial(_global, "Average"),
    "GlobalMaxPool": partial(_global, "Max"),
    "MaxPool": _max_pool,
}
