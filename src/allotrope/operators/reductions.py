"""Operators that reduce axes: sums, norms, extremes, their positions, running totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import axes_of, axis_of
from allotrope.operators.operator_table import operator
from allotrope.operators.shaping import narrow

Reduction = Callable[[Any, Any, tuple[int, ...], bool], Any]


def _enter(
    name: str, reduce: Reduction, each: Callable[[Any, Any], Any] | None = None
) -> Callable[..., Any]:
    """Enter a reduction.

    `each` is what it does to single elements, which is all it does where there are no axes to
    reduce.
    """

    # One function for all: what differs is how they reduce, and what they do to a single element.
    @operator(name, host=("axes",))
    def apply(
        p: Any,
        x: Any,
        axes: np.ndarray | None = None,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Any:
        rank = len(p.shape(x))
        if axes is not None and len(axes):
            over = tuple(axes_of(axes, rank))
        elif noop_with_empty_axes:
            over = ()
        else:
            over = tuple(range(rank))
        if over:
            return reduce(p, x, over, bool(keepdims))
        if each is None:
            return x
        return each(p, x)

    return apply


def _square(p: Any, x: Any) -> Any:
    return p.multiply(x, x)


def _log_sum_exp(p: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return p.log_sum_exp(x, axes, keepdims)


_enter("ReduceSum", lambda p, x, axes, keep: p.sum(x, axes, keep))
_enter("ReduceMean", lambda p, x, axes, keep: p.mean(x, axes, keep))
_enter("ReduceMax", lambda p, x, axes, keep: p.max(x, axes, keep))
_enter("ReduceMin", lambda p, x, axes, keep: p.min(x, axes, keep))
_enter("ReduceProd", lambda p, x, axes, keep: p.product(x, axes, keep))
_enter("ReduceL1", lambda p, x, axes, keep: p.sum(p.abs(x), axes, keep), lambda p, x: p.abs(x))
_enter(
    "ReduceL2",
    lambda p, x, axes, keep: p.sqrt(p.sum(_square(p, x), axes, keep)),
    lambda p, x: p.abs(x),
)
_enter("ReduceSumSquare", lambda p, x, axes, keep: p.sum(_square(p, x), axes, keep), _square)
_enter("ReduceLogSum", lambda p, x, axes, keep: p.log(p.sum(x, axes, keep)), lambda p, x: p.log(x))
_enter("ReduceLogSumExp", _log_sum_exp)


def _position(p: Any, x: Any, axis: int, keepdims: int, select_last_index: int) -> Any:
    """Where x is largest along an axis: the first such place, or the last."""
    axis = axis_of(axis, len(p.shape(x)))
    if select_last_index:
        from_end = p.argmax(p.flip(x, (axis,)), axis)
        places = p.subtract(p.full((), p.shape(x)[axis] - 1, np.dtype(np.int64)), from_end)
    else:
        places = p.argmax(x, axis)
    lengths = p.shape(places)
    if keepdims:
        return p.reshape(places, (*lengths[:axis], 1, *lengths[axis:]))
    return places


@operator("ArgMax")
def argmax(p: Any, x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """Where x is largest along an axis, int64.

    Ties go to the first place unless select_last_index.
    """
    return _position(p, x, axis, keepdims, select_last_index)


@operator("ArgMin")
def argmin(p: Any, x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """Where x is smallest along an axis, int64.

    Ties go to the first place unless select_last_index.
    """
    # The negative of an unsigned number is no smaller number, but all its bits turned are.
    if np.issubdtype(p.dtype(x), np.unsignedinteger):
        turned = p.bitwise_not(x)
    else:
        turned = p.negative(x)
    return _position(p, turned, axis, keepdims, select_last_index)


@operator("Hardmax")
def hardmax(p: Any, x: Any, *, axis: int = -1) -> Any:
    """1 where x is first largest along an axis, 0 elsewhere."""
    lengths = p.shape(x)
    axis = axis_of(axis, len(lengths))
    places = p.reshape(
        p.arange(lengths[axis], np.dtype(np.int64)), (-1, *[1] * (len(lengths) - axis - 1))
    )
    # Compared with the first place and not with the largest value, which may occur twice.
    return p.cast(p.equal(places, _position(p, x, axis, 1, 0)), p.dtype(x))


def _running(primitive: str, neutral: int) -> Callable[..., Any]:
    def apply(p: Any, x: Any, axis: np.ndarray, *, exclusive: int = 0, reverse: int = 0) -> Any:
        along = axis_of(axis, len(p.shape(x)))
        if reverse:
            x = p.flip(x, (along,))
        if exclusive:
            # Each total then leaves its own element out.
            x = _shifted(p, x, along, neutral)
        total = getattr(p, primitive)(x, along)
        if reverse:
            return p.flip(total, (along,))
        return total

    return apply


def _shifted(p: Any, x: Any, axis: int, first: int) -> Any:
    """x moved one place up along an axis.

    `first` takes the place that becomes free, the last is dropped.
    """
    lengths = list(p.shape(x))
    head = p.full([*lengths[:axis], 1, *lengths[axis + 1 :]], first, p.dtype(x))
    return p.concatenate((head, narrow(p, x, axis, 0, lengths[axis] - 1)), axis)


operator("CumSum", host=("axis",))(_running("cumulative_sum", 0))
operator("CumProd", host=("axis",))(_running("cumulative_product", 1))


@operator("TopK", host=("k",))
def top_k(
    p: Any, x: Any, k: np.ndarray, *, axis: int = -1, largest: int = 1, sorted: int = 1
) -> tuple[Any, Any]:
    """The k largest or smallest along an axis, in order, and their places, int64.

    Ties go to the first place.
    """
    count, along = int(np.asarray(k).reshape(())), axis_of(axis, len(p.shape(x)))
    if not 0 <= count <= p.shape(x)[along]:
        raise ModelError(f"there are no {count} largest or smallest among {p.shape(x)[along]}.")
    return p.top_k(x, count, along, bool(largest))
