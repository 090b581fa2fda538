"""Attention, and what ONNX's operator adds: heads, groups, masks, windows, caches, soft caps.

Letters: n in the batch, h heads, q queries, k keys, d the size of a head.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.elementwise import dtype_of
from allotrope.operators.operator_table import operator


@operator("Attention")
def attention(
    p: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    past_key: Any = None,
    past_value: Any = None,
    nonpad_kv_seqlen: Any = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
    context: Any,
) -> tuple[Any, ...]:
    """softmax(q kᵀ scale + bias) v for each head (Vaswani et al. 2017), and all keys and values.

    Those of the past come before the new ones.
    q [n, h, q, d], k and v [n, groups, k, d], or without axis 1 and all heads on the last. A query
    that may see no key gives 0.
    """
    # Of rank 3 all heads lie on the last axis: they get an axis of their own until the end.
    flat = len(p.shape(q)) == 3
    if flat:
        q, k, v = _all_in_heads(p, q, k, v, q_num_heads, kv_num_heads)
    past = 0
    if past_key is not None:
        k, v = p.concatenate((past_key, k), 2), p.concatenate((past_value, v), 2)
        past = p.shape(past_key)[2]
    _, heads, queries, size = p.shape(q)
    keys = p.shape(k)[2]
    factor = 1 / math.sqrt(size) if scale is None else scale
    # A framework's own kernel is fast, but knows no soft cap, no other precision, and gives no
    # scores. Its own causal mask is used only if queries and keys stand at the same places.
    windows = left_window_size, right_window_size
    square = not past and mask is None and nonpad_kv_seqlen is None and max(windows) < 0
    fused, every_k, every_v = None, _repeated(p, k, heads), _repeated(p, v, heads)
    plain = not softcap and softmax_precision is None and not context.wants(3)
    if plain and is_causal and square:
        fused = p.scaled_dot_product_attention(q, every_k, every_v, None, True, factor)
    scores = None
    if fused is None:
        hidden = None
        offset = _first_place(p, past, nonpad_kv_seqlen, queries)
        seen = _seen(p, queries, keys, offset, bool(is_causal), *windows)
        bias = _bias(p, p.dtype(q), keys, mask, seen, nonpad_kv_seqlen)
        # A causal mask of a square hides no query from all keys, so that no row can be empty.
        if bias is not None and not (mask is None and square):
            bias, hidden = _without_empty_rows(p, bias)
        how = factor, softcap, softmax_precision, qk_matmul_output_mode
        fused, scores = _attended(p, q, every_k, every_v, bias, hidden, plain, how)
    if flat:
        fused = _without_heads(p, fused)
    return fused, k, v, scores


def _attended(
    p: Any, q: Any, k: Any, v: Any, bias: Any, hidden: Any, plain: bool, how: tuple[Any, ...]
) -> tuple[Any, Any]:
    """What the queries see, by a framework's own kernel if it has one; else with the scores."""
    if plain:
        fused = p.scaled_dot_product_attention(q, k, v, bias, False, how[0])
        if fused is not None and hidden is not None:
            # A query that sees no key was shown all of them, for softmax of -inf alone is NaN.
            fused = p.where(hidden, 0, fused)
        if fused is not None:
            return fused, None
    weights, scores = _weights(p, q, k, bias, hidden, *how)
    return p.matmul(weights, v), scores


def _all_in_heads(
    p: Any, q: Any, k: Any, v: Any, heads: int | None, groups: int | None
) -> tuple[Any, Any, Any]:
    """Queries, keys and values with an axis for their heads."""
    if not heads or not groups:
        raise ModelError("inputs of rank 3 need the attributes q_num_heads and kv_num_heads.")
    return _in_heads(p, q, heads), _in_heads(p, k, groups), _in_heads(p, v, groups)


def _first_place(p: Any, past: int, lengths: Any, queries: int) -> Any:
    """Where the first query stands among the keys: later behind a past, or before padding."""
    if lengths is None:
        return past
    return p.subtract(p.cast(lengths, np.dtype(np.int64)), queries)


def _in_heads(p: Any, x: Any, heads: int) -> Any:
    """x [n, length, heads * d] as [n, heads, length, d]."""
    n, length, size = p.shape(x)
    return p.transpose(p.reshape(x, (n, length, heads, size // heads)), (0, 2, 1, 3))


def _without_heads(p: Any, x: Any) -> Any:
    """The reverse of `_in_heads`."""
    n, heads, length, size = p.shape(x)
    return p.reshape(p.transpose(x, (0, 2, 1, 3)), (n, length, heads * size))


def _repeated(p: Any, x: Any, heads: int) -> Any:
    """x [n, groups, k, d] with each group repeated for its heads (Ainslie et al. 2023)."""
    n, groups, length, size = p.shape(x)
    if groups == heads:
        return x
    # By a broadcast and not by a gather: no framework copies for it before it must.
    wide = p.broadcast_to(
        p.reshape(x, (n, groups, 1, length, size)), (n, groups, heads // groups, length, size)
    )
    return p.reshape(wide, (n, heads, length, size))


def _seen(p: Any, queries: int, keys: int, offset: Any, causal: bool, left: int, right: int) -> Any:
    """Whether query i, which stands at place i + offset, may see key j; None if all may.

    [q, k], or [n, 1, q, k] if there is an offset [n] for each example.
    """
    low = high = None
    if causal:
        low = 0
    elif right >= 0:
        low = -right
    if left >= 0:
        high = left
    if low is None and high is None:
        return None
    # How far each query stands ahead of each key, without the offset: known from shapes alone.
    ahead = np.arange(queries)[:, None] - np.arange(keys)
    if isinstance(offset, int):
        distance = p.constant(ahead + offset)
    else:
        distance = p.add(p.reshape(offset, (-1, 1, 1, 1)), p.constant(ahead))
    bounds = []
    if low is not None:
        bounds.append(p.greater(distance, low - 1))
    if high is not None:
        bounds.append(p.less(distance, high + 1))
    return functools.reduce(p.logical_and, bounds)


def _bias(p: Any, dtype: np.dtype, keys: int, mask: Any, seen: Any, lengths: Any) -> Any:
    """What is added to the scores, -inf for keys that may not be seen.

    Broadcasts to [n, h, q, k], None where it is 0.
    """
    allowed, added = [], None
    if seen is not None:
        allowed.append(seen)
    if lengths is not None:
        allowed.append(p.less(p.arange(keys, p.dtype(lengths)), p.reshape(lengths, (-1, 1, 1, 1))))
    if mask is not None:
        if p.dtype(mask) == np.bool_:
            allowed.append(_lengthened(p, mask, keys, False))
        else:
            added = _lengthened(p, mask, keys, -math.inf)
    for one in allowed:
        if added is None:
            added = p.full((), 0, dtype)
        added = p.where(one, added, -math.inf)
    return added


def _lengthened(p: Any, mask: Any, keys: int, value: Any) -> Any:
    """A mask that is shorter than the keys, with a value for those that it does not speak of."""
    shape = p.shape(mask)
    missing = [0] * (len(shape) - 1) + [keys - shape[-1]]
    if not missing[-1]:
        return mask
    return p.pad(mask, [0] * len(shape), missing, "constant", value)


def _without_empty_rows(p: Any, bias: Any) -> tuple[Any, Any]:
    """The bias with 0 for queries that may see nothing, and which these are: [..., q, 1]."""
    hidden = p.equal(p.max(bias, (-1,), True), -math.inf)
    return p.where(hidden, 0, bias), hidden


def _weights(
    p: Any,
    q: Any,
    k: Any,
    bias: Any,
    hidden: Any,
    factor: float,
    softcap: float,
    precision: int | None,
    mode: int,
) -> tuple[Any, Any]:
    """softmax(q kᵀ factor + bias), and the stage of it that `mode` asks for.

    Rounded where ONNX rounds.
    """
    dtype = p.dtype(q)
    # The root of the factor on both sides keeps the products of half precision in range.
    root = float(np.asarray(math.sqrt(factor)).astype(dtype))
    raw = p.matmul(p.multiply(q, root), p.transpose(p.multiply(k, root), (0, 1, 3, 2)))
    capped = raw
    if softcap:
        capped = p.multiply(p.tanh(p.divide(raw, softcap)), softcap)
    biased = capped
    if bias is not None:
        biased = p.add(capped, bias)
    if precision:
        weights = p.cast(p.softmax(p.cast(biased, dtype_of(precision)), -1), dtype)
    else:
        weights = p.softmax(biased, -1)
    shown = biased
    if hidden is not None:
        shown = p.where(hidden, -math.inf, biased)
        weights = p.where(hidden, 0, weights)
    return weights, (raw, capped, shown, weights)[mode]
