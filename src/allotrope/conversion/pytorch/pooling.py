"""Pooling in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from allotrope.conversion.core.geometry import (
    even,
    mean_factor,
    pads_of,
    pooling_pads,
    symmetric,
    unusual,
)
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.pytorch.site import PyTorchSite, padded

MOST = 3


def _geometry(
    site: PyTorchSite,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], list[tuple[int, int]]]:
    """Kernel, strides, dilations and pads.

    Raises: NoForm for more spatial axes than PyTorch pools over.
    """
    kernel = tuple(site.attribute("kernel_shape"))
    if len(kernel) > MOST:
        raise site.no(f"PyTorch pools over 1 to {MOST} spatial axes, not {len(kernel)}")
    strides, dilations = (
        tuple(site.attribute(name) or (1,) * len(kernel)) for name in ("strides", "dilations")
    )
    return kernel, strides, dilations, pads_of(site, kernel, strides, dilations)


def _fits(kernel: Sequence[int], dilations: Sequence[int], pads: Sequence[tuple[int, int]]) -> bool:
    """Whether PyTorch takes the pads: the same at both ends, and at most half of the kernel."""
    return symmetric(pads) and all(
        2 * before <= k for k, (before, _) in zip(kernel, pads, strict=True)
    )


def _max_pool(site: PyTorchSite) -> Expression:
    kernel, strides, dilations, pads = _geometry(site)
    if site.wants(1):
        raise site.no("the places of its maxima are used")
    x, ceil = site.tensor(), bool(site.attribute("ceil_mode", 0))
    if not _fits(kernel, dilations, pads):
        # Padding never wins a maximum, so it is minus infinity and not 0.
        _, longer = pooling_pads(site, kernel, strides, dilations)
        x = site.temporary(padded(x, longer, float("-inf")))
        pads, ceil = [(0, 0)] * len(kernel), False
    return call(
        f"F.max_pool{len(kernel)}d",
        x,
        even(kernel),
        stride=unusual(even(strides), even(kernel)),
        padding=unusual(even([before for before, _ in pads]), 0),
        dilation=unusual(even(dilations), 1),
        ceil_mode=unusual(ceil, False),
    )


def _average_pool(site: PyTorchSite) -> Expression:
    kernel, strides, dilations, pads = _geometry(site)
    counted, x = bool(site.attribute("count_include_pad", 0)), site.tensor()
    if any(d > 1 for d in dilations):
        raise site.no("PyTorch has no dilated average pooling")
    if not _fits(kernel, dilations, pads):
        return _padded_average(site, kernel, strides, counted)
    return call(
        f"F.avg_pool{len(kernel)}d",
        x,
        even(kernel),
        stride=unusual(even(strides), even(kernel)),
        padding=unusual(even([before for before, _ in pads]), 0),
        ceil_mode=unusual(bool(site.attribute("ceil_mode", 0)), False),
        count_include_pad=unusual(counted or not any(map(any, pads)), True),
    )


def _padded_average(
    site: PyTorchSite, kernel: tuple[int, ...], strides: tuple[int, ...], counted: bool
) -> Expression:
    """The mean with pads that are not the same at both ends: of x with zeros around it.

    It is then made one of the places that count.
    """
    asked, pads = pooling_pads(site, kernel, strides, (1,) * len(kernel))
    x = site.temporary(padded(site.tensor(), pads))
    mean = call(
        f"F.avg_pool{len(kernel)}d", x, even(kernel), stride=unusual(even(strides), even(kernel))
    )
    places = [(0, 0)] * len(kernel)
    if counted:
        places = asked
    # Zeros count in the mean; the factor takes them out of it again.
    factor = mean_factor(site, kernel, strides, pads, places)
    if factor is None:
        return mean
    return f"{site.temporary(mean)} * {site.layers.buffer(f'{site.name()}_factor', factor)}"


def _global(kind: str, reduction: str, site: PyTorchSite) -> Expression:
    spatial = site.spatial()
    if 1 <= spatial <= MOST:
        return call(f"F.adaptive_{kind}_pool{spatial}d", site.tensor(), 1)
    return call(f"{site.tensor()}.{reduction}", tuple(range(2, 2 + spatial)), keepdim=True)


POOLING: dict[str, Callable[[PyTorchSite], Expression]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": partial(_global, "avg", "mean"),
    "GlobalMaxPool": partial(_global, "max", "amax"),
    "MaxPool": _max_pool,
}
