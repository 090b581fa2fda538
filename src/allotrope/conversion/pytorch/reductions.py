"""PyTorch's functions that reduce axes: sums, norms, extremes, their positions, running totals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from allotrope.conversion.core.geometry import single, unusual
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.pytorch.site import PyTorchSite

REDUCTIONS = {
    "ReduceL1": "torch.abs({}).sum", "ReduceLogSumExp": "{}.logsumexp", "ReduceMax": "{}.amax",
    "ReduceMean": "{}.mean", "ReduceMin": "{}.amin", "ReduceSum": "{}.sum",
    "ReduceSumSquare": "torch.square({}).sum",
}  # fmt: skip


def _reduce(template: str, site: PyTorchSite) -> Expression:
    axes, x = site.integers(1), site.tensor()
    if not axes and site.attribute("noop_with_empty_axes", 0):
        raise site.no("it has no axes to reduce")
    dims = single(axes or range(site.rank()))
    return call(
        template.format(x), dims, keepdim=unusual(bool(site.attribute("keepdims", 1)), False)
    )


def _norm(site: PyTorchSite) -> Expression:
    axes = site.integers(1)
    dims = single(axes or range(site.rank()))
    return call(
        "torch.linalg.vector_norm",
        site.tensor(),
        dim=dims,
        keepdim=unusual(bool(site.attribute("keepdims", 1)), False),
    )


def _product(site: PyTorchSite) -> Expression:
    dims = site.integers(1) or range(site.rank())
    if len(dims) != 1:
        raise site.no("torch.prod takes one axis")
    return call(
        f"{site.tensor()}.prod",
        dims[0],
        keepdim=unusual(bool(site.attribute("keepdims", 1)), False),
    )


def _position(function: str, site: PyTorchSite) -> Expression:
    if site.attribute("select_last_index", 0):
        raise site.no("it takes the last of equals (select_last_index=1)")
    return call(
        function,
        site.tensor(),
        dim=site.attribute("axis", 0),
        keepdim=unusual(bool(site.attribute("keepdims", 1)), False),
    )


def _cumulative_sum(site: PyTorchSite) -> Expression:
    if site.attribute("exclusive", 0) or site.attribute("reverse", 0):
        raise site.no("torch.cumsum runs forward and counts each element itself")
    axes = site.integers(1) or [0]
    return call("torch.cumsum", site.tensor(), dim=axes[0])


REDUCING: dict[str, Callable[[PyTorchSite], Expression]] = {
    **{name: partial(_reduce, template) for name, template in REDUCTIONS.items()},
    "ArgMax": partial(_position, "torch.argmax"),
    "ArgMin": partial(_position, "torch.argmin"),
    "CumSum": _cumulative_sum,
    "ReduceL2": _norm,
    "ReduceProd": _product,
}
