"""Attention as ONNX Runtime's optimizer joins it: with projections, masks and a past.

Letters: n in the batch, s queries, t keys with those of the past, h heads, d the size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer

_BOOL, _INT64 = 9, 7
"""ONNX's numbers of these types."""


@foreign("Attention")
def attention(
    w: Writer,
    x: str,
    weight: str,
    bias: str | None = None,
    mask: str | None = None,
    past: str | None = None,
    added: str | None = None,
    past_length: str | None = None,
    *,
    num_heads: int,
    do_rotary: int = 0,
    mask_filter_value: float = -10000.0,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: tuple[int, ...] = (),
    rotary_embedding_dim: int = 0,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[str, ...]:
    """Queries, keys and values as one product of x [n, s, c], then attention.

    The keys and values of the past are [2, n, h, t - s, d].
    """
    if do_rotary or past_present_share_buffer or past_length:
        raise UnsupportedError(
            "places that are turned inside of it, and a buffer for past and present, "
            "are not understood"
        )
    projected = w.add("MatMul", x, weight)
    if bias:
        projected = w.add("Add", projected, bias)
    sizes = qkv_hidden_sizes or _thirds(w, weight)
    return _of_projection(
        w, projected, sizes, num_heads, mask, past, added, mask_filter_value, scale, unidirectional
    )


def _thirds(w: Writer, weight: str) -> tuple[int, ...]:
    """The widths of queries, keys and values, side by side in a weight [c, 3 h d]."""
    width = w.shape(weight)[-1]
    if not isinstance(width, int):
        raise UnsupportedError("the width of its weight is not known")
    return (width // 3,) * 3


def _of_projection(
    w: Writer,
    projected: str,
    sizes: tuple[int, ...],
    heads: int,
    mask: str | None,
    past: str | None,
    added: str | None,
    hidden: float,
    scale: float,
    causal: int,
) -> tuple[str, ...]:
    """Attention of what lies side by side, [n, s, 3 h d], and the present [2, n, h, t, d]."""
    # One product makes queries, keys and values side by side; cut apart and with the heads as an
    # axis of their own they are what ONNX's Attention takes.
    parts = w.several("Split", 3, projected, w.ints(*sizes), axis=-1)
    query, key, value = (
        in_heads(w, part, heads, size // heads) for part, size in zip(parts, sizes, strict=True)
    )
    before: tuple[str, ...] = ()
    if past:
        # Keys and values of the past lie in one array, behind a first axis of two.
        before = tuple(w.add("Gather", past, w.constant(i, np.int64), axis=0) for i in (0, 1))
    bias = added
    if mask:
        # ONNX's Attention takes one array to add to the scores: what hides keys, and what is added,
        # are summed before.
        bias = _sum(w, masked(w, mask, hidden, key, before), added)
    y, present = attended(w, (query, key, value), bias, before, scale, causal, w.wants(1))
    joined = ""
    if present:
        # The present has the form of the past, so that the next call can take it.
        joined = w.add("Concat", *(w.add("Unsqueeze", one, w.ints(0)) for one in present), axis=0)
    # Values may be of another width than queries and keys, and the answer has theirs.
    return flat(w, y, sizes[2]), joined


@foreign("MultiHeadAttention")
def multi_head_attention(
    w: Writer,
    query: str,
    key: str | None = None,
    value: str | None = None,
    bias: str | None = None,
    mask: str | None = None,
    added: str | None = None,
    past_key: str | None = None,
    past_value: str | None = None,
    past_length: str | None = None,
    indirection: str | None = None,
    *,
    num_heads: int,
    mask_filter_value: float = -10000.0,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[str, ...]:
    """Attention of query [n, s, h d], key and value [n, t, h d] or, in heads, [n, h, t, d].

    Without key and value the query is all three, [n, s, h, 3, d]; without value the key is both,
    [n, t, h, 2, d].
    """
    if past_length or indirection:
        raise UnsupportedError("a buffer for past and present is not understood")
    w.only(0, 1, 2)
    parts = _parts(w, query, key, value, num_heads)
    if bias:
        parts = _with_bias(w, parts, bias, num_heads)
    before: tuple[str, ...] = ()
    if past_key and past_value:
        before = past_key, past_value
    hidden = None
    if mask:
        hidden = masked(w, mask, mask_filter_value, parts[1], before)
    wanted = w.wants(1) or w.wants(2)
    y, present = attended(w, parts, _sum(w, hidden, added), before, scale, unidirectional, wanted)
    return flat(w, y, -1), *present


def _parts(
    w: Writer, query: str, key: str | None, value: str | None, heads: int
) -> tuple[str, str, str]:
    """Queries, keys and values, each [n, h, length, d]."""
    if key is None:
        # Packed as [n, s, h, 3, d]: the heads lie outside of the three, other than in a projection,
        # so that a Split of the last axis would mix them.
        query, key, value = _unpacked(w, query, 3)
        return query, key, value
    query = in_heads(w, query, heads)
    if value is None:
        key, value = _unpacked(w, key, 2)
        return query, key, value
    return query, _key_heads(w, key, heads), _key_heads(w, value, heads)


def _key_heads(w: Writer, x: str, heads: int) -> str:
    """Keys or values in heads, as they may be already."""
    # Of cross-attention the keys were projected once, before, and come in heads.
    if w.rank(x) == 4:
        return x
    return in_heads(w, x, heads)


def _unpacked(w: Writer, packed: str, count: int) -> tuple[str, ...]:
    """The parts of an array [n, length, h, count, d], each [n, h, length, d]."""
    parts = w.several(
        "Split", count, w.add("Transpose", packed, perm=(3, 0, 2, 1, 4)), axis=0, num_outputs=count
    )
    return tuple(w.add("Squeeze", part, w.ints(0)) for part in parts)


def _with_bias(
    w: Writer, parts: tuple[str, str, str], bias: str, heads: int
) -> tuple[str, str, str]:
    """The parts [n, h, length, d], each with its share of a bias in three equal parts."""
    length = w.shape(bias)[0]
    if not isinstance(length, int) or length % 3:
        raise UnsupportedError(
            "a bias for values of another size than that of keys is not understood"
        )
    shares = w.several("Split", 3, bias, axis=0, num_outputs=3)
    # A bias of a head and feature is the same for every place: its length is 1.
    shaped = [w.add("Reshape", share, w.ints(heads, 1, length // 3 // heads)) for share in shares]
    query, key, value = (
        w.add("Add", part, share) for part, share in zip(parts, shaped, strict=True)
    )
    return query, key, value


def in_heads(w: Writer, x: str, heads: int, size: int = -1) -> str:
    """x [n, length, h d] as [n, h, length, d]."""
    return w.add("Transpose", w.add("Reshape", x, w.ints(0, 0, heads, size)), perm=(0, 2, 1, 3))


def flat(w: Writer, x: str, width: int) -> str:
    """x [n, h, length, d] as [n, length, h d]."""
    return w.add("Reshape", w.add("Transpose", x, perm=(0, 2, 1, 3)), w.ints(0, 0, width))


def attended(
    w: Writer,
    parts: Sequence[str],
    mask: str | None,
    past: Sequence[str],
    scale: float,
    causal: int,
    present: bool,
) -> tuple[str, tuple[str, ...]]:
    """ONNX's Attention over heads, and keys and values with the past's, if they are wanted."""
    # A scale of 0 stands for the usual one, 1 / sqrt(d), which ONNX says by leaving it out.
    attributes = {"scale": scale or None, "is_causal": int(causal) or None}
    if not past:
        # Without a past, the keys and values so far are those that came in.
        return w.add("Attention", *parts, mask, **attributes), tuple(parts[1:])[: 2 * present]
    y, key, value = w.several("Attention", 3, *parts, mask, *past, **attributes)
    return y, (key, value)


def _sum(w: Writer, mask: str | None, added: str | None) -> str | None:
    """What is added to the scores."""
    if mask and added:
        return w.add("Add", added, mask)
    return mask or added


def masked(w: Writer, mask: str, hidden: float, key: str, past: Sequence[str]) -> str:
    """What a mask adds to the scores, for [n, h, s, t]: 0 if a key is seen, else `hidden`.

    The mask is 1 for keys that are seen, [n, t] or [n, s, t], or the number of them, [n].
    """
    rank = w.rank(mask)
    shape = w.shape(mask)
    if rank == 1:
        seen = _first_keys(w, mask, key, past)
    elif rank in (2, 3):
        if rank == 2:
            # [n, t] hides a key from all heads and queries, [n, s, t] from all heads only.
            axes = w.ints(1, 2)
        else:
            axes = w.ints(1)
        seen = w.add("Unsqueeze", w.add("Cast", mask, to=_BOOL), axes)
    else:
        raise UnsupportedError(f"a mask of shape {list(shape)} is not understood")
    # The scores have the type of the queries; of quantized ones that is float32, to which they are
    # dequantized.
    dtype = w.dtype(w.node.inputs[0])
    if dtype.kind != "f":
        dtype = np.dtype(np.float32)
    return w.add("Where", seen, w.constant(0, dtype), w.constant(hidden, dtype))


def _first_keys(w: Writer, lengths: str, key: str, past: Sequence[str]) -> str:
    """Whether each key is among the first of its row: [n, 1, 1, t]."""
    # The lengths are only known when it runs, so that the places are counted then.
    total = w.add("Squeeze", w.length(key, 2), w.ints(0))
    if past:
        total = w.add("Add", total, w.add("Squeeze", w.length(past[0], 2), w.ints(0)))
    places = w.add("Range", w.constant(0, np.int64), total, w.constant(1, np.int64))
    rows = w.add("Reshape", w.add("Cast", lengths, to=_INT64), w.ints(-1, 1, 1, 1))
    return w.add("Less", places, rows)


@foreign("QAttention")
def quantized_attention(
    w: Writer,
    x: str,
    weight: str,
    bias: str,
    x_scale: str,
    weight_scale: str,
    mask: str | None = None,
    x_zero_point: str | None = None,
    weight_zero_point: str | None = None,
    past: str | None = None,
    *,
    num_heads: int,
    do_rotary: int = 0,
    mask_filter_value: float = -10000.0,
    past_present_share_buffer: int = 0,
    scale: float = 0.0,
    unidirectional: int = 0,
) -> tuple[str, ...]:
    """Attention of what quantized arrays stand for."""
    if do_rotary or past_present_share_buffer:
        raise UnsupportedError(
            "places that are turned inside of it, and a buffer for past and present, "
            "are not understood"
        )
    # Each output has a scale of its own, and outputs are the second axis of the weight.
    floats = w.add("DequantizeLinear", weight, weight_scale, weight_zero_point, axis=1)
    product = w.add("MatMul", w.add("DequantizeLinear", x, x_scale, x_zero_point), floats)
    projected = w.add("Add", product, bias)
    return _of_projection(
        w,
        projected,
        _thirds(w, weight),
        num_heads,
        mask,
        past,
        None,
        mask_filter_value,
        scale,
        unidirectional,
    )
