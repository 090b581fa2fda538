"""Kernels, strides and pads, worked out for every target alike."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from allotrope.conversion.core.site import Site
from allotrope.operators.convolution import Pads, resolve_pads, transposed_pads, window
from allotrope.operators.pooling import ceiling_pads

Number = TypeVar("Number", int, float)


def pads_of(
    site: Site, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Pads:
    """The pads of a convolution or pooling.

    Raises: NoForm where they depend on lengths that are free.
    """
    auto = site.attribute("auto_pad", "NOTSET")
    spatial: Sequence[Any] = (site.shape(0) or (None,) * (len(kernel) + 2))[2:]
    if auto.startswith("SAME") and all(stride == 1 for stride in strides):
        spatial = [
            window(k, d) for k, d in zip(kernel, dilations, strict=True)
        ]  # any length gives the same pads
    if auto.startswith("SAME") and not all(isinstance(n, int) for n in spatial):
        raise site.no(f"its padding ({auto}) depends on a length that is free")
    return resolve_pads(
        auto, site.attribute("pads"), [n or 0 for n in spatial], kernel, strides, dilations
    )


def transposed_cuts(
    site: Site, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Pads:
    """What a transposed convolution's whole result loses at the ends of its spatial axes."""
    rank, auto, shape = (
        len(kernel),
        site.attribute("auto_pad", "NOTSET"),
        site.attribute("output_shape"),
    )
    extra = site.attribute("output_padding") or (0,) * rank
    if shape is None and not auto.startswith("SAME"):
        pads = site.attribute("pads") or (0,) * (2 * rank)
        return [(pads[i], pads[rank + i] - extra[i]) for i in range(rank)]
    spatial = (site.shape(0) or ())[2:]
    if not spatial or not all(isinstance(n, int) for n in spatial):
        raise site.no("its padding depends on a length that is free")
    whole = [
        (n - 1) * s + window(k, d) + e
        for n, s, k, d, e in zip(spatial, strides, kernel, dilations, extra, strict=True)
    ]
    ends = transposed_pads(spatial, whole, strides, auto, None, shape)
    return [(before, after - e) for (before, after), e in zip(ends, extra, strict=True)]


def same_pads(
    site: Site, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Pads | None:
    """The pads that TensorFlow calls "same"; None where they depend on lengths that are free."""
    spatial: Sequence[Any] = (site.shape(0) or (None,))[2:]
    # Then "same" means the kernel alone, whatever the lengths are.
    if all(stride == 1 for stride in strides):
        spatial = [window(k, d) for k, d in zip(kernel, dilations, strict=True)]
    if len(spatial) != len(kernel) or not all(isinstance(n, int) for n in spatial):
        return None
    return resolve_pads("SAME_UPPER", None, spatial, kernel, strides, dilations)


def pooling_pads(
    site: Site, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[Pads, Pads]:
    """The pads of a pooling as they are given, and lengthened by what ceil_mode adds.

    Raises: NoForm where they depend on lengths that are free.
    """
    pads, spatial = pads_of(site, kernel, strides, dilations), (site.shape() or ())[2:]
    if not site.attribute("ceil_mode", 0):
        return pads, pads
    if len(spatial) != len(kernel) or not all(isinstance(n, int) for n in spatial):
        raise site.no("its last windows (ceil_mode=1) depend on lengths that are free")
    return pads, ceiling_pads(spatial, kernel, strides, dilations, pads)


def mean_factor(
    site: Site, kernel: Sequence[int], strides: Sequence[int], pads: Pads, counted: Pads
) -> np.ndarray | None:
    """What makes a mean over whole windows one over the places that count; None if all do.

    [*positions], to be multiplied with.
    """
    if counted == pads:
        return None
    spatial = (site.shape() or ())[2:]
    if not all(isinstance(n, int) for n in spatial):
        raise site.no("how many places its windows have depends on lengths that are free")
    along = []
    # Of each window along an axis: how many of its places count, in proportion to all.
    for n, k, s, (before, after), (first, last) in zip(
        spatial, kernel, strides, pads, counted, strict=True
    ):
        places = np.arange((n + before + after - k) // s + 1)[:, None] * s - before + np.arange(k)
        along.append(k / ((places >= -first) & (places < n + last)).sum(1))
    factor: np.ndarray = functools.reduce(np.multiply.outer, along)
    if (factor == 1).all():
        return None
    return factor.astype(np.float32)


def steps_of(site: Site, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The strides and dilations of a kernel over `rank` axes."""
    strides = tuple(site.attribute("strides") or (1,) * rank)
    dilations = tuple(site.attribute("dilations") or (1,) * rank)
    return strides, dilations


def linear_arrays(site: Site) -> tuple[np.ndarray, np.ndarray | None] | None:
    """The matrix [in, out] and the bias of a Gemm that is a linear layer; None if it is not one."""
    weight, bias = site.weight(1), site.weight(2)
    factors = (site.attribute(name, 1.0) for name in ("alpha", "beta"))
    if weight is None or site.attribute("transA", 0) or any(factor != 1.0 for factor in factors):
        return None
    if site.attribute("transB", 0):
        weight = weight.T
    if not site.has(2):
        return weight, None
    columns = weight.shape[1]
    if bias is None or bias.shape not in ((columns,), (1, columns)):
        return None
    return weight, bias.reshape(-1)


def even(values: Sequence[Number]) -> Number | tuple[Number, ...]:
    """One number if all are the same."""
    if len(set(values)) == 1:
        return values[0]
    return tuple(values)


def single(values: Sequence[Any]) -> Any:
    """The value itself if it is the only one."""
    if len(values) == 1:
        return values[0]
    return tuple(values)


def unusual(value: object, usual: object) -> object:
    """The value, or None if it is the default and need not be said."""
    if value == usual:
        return None
    return value


def symmetric(pads: Sequence[tuple[int, int]]) -> bool:
    """Whether both ends of each axis get the same."""
    return all(before == after >= 0 for before, after in pads)
