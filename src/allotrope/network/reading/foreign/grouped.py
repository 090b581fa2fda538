"""Attention of decoders, in which several heads share keys and values (Ainslie et al. 2023)."""

from __future__ import annotations

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.attention import flat, in_heads
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("GroupQueryAttention")
def grouped_attention(
    w: Writer,
    query: str,
    key: str | None,
    value: str | None,
    past_key: str | None,
    past_value: str | None,
    lengths: str,
    total: str,
    cosines: str | None = None,
    sines: str | None = None,
    places: str | None = None,
    added: str | None = None,
    sink: str | None = None,
    k_scale: str | None = None,
    v_scale: str | None = None,
    q_norm: str | None = None,
    k_norm: str | None = None,
    query_lengths: str | None = None,
    *,
    num_heads: int,
    kv_num_heads: int,
    causal: int = 1,
    do_rotary: int = 0,
    k_norm_epsilon: float = 0.0,
    k_quant_type: str = "NONE",
    kv_cache_bit_width: int = 0,
    local_window_size: int = -1,
    q_norm_epsilon: float = 0.0,
    qk_norm_epsilon: float = 1e-6,
    qk_output: int = 0,
    rotary_interleaved: int = 0,
    scale: float = 0.0,
    sliding_window_cache: int = 0,
    smooth_softmax: int = 0,
    softcap: float = 0.0,
    v_quant_type: str = "NONE",
) -> tuple[str, ...]:
    """Attention of queries that see themselves and what is before them, with the keys of the past.

    query [n, s, h d], key and value [n, s, groups d], or all three side by side in the query. The
    rows' lengths say which keys at a row's end are nothing: no query before them sees these.
    """
    others = (sink, k_scale, v_scale, q_norm, k_norm, query_lengths)
    if any(others) or smooth_softmax > 0 or qk_output or sliding_window_cache:
        raise UnsupportedError("only plain scores over a plain past are understood")
    w.only(0, 1, 2)
    parts = _parts(w, query, key, value, num_heads, kv_num_heads)
    if do_rotary:
        parts = _turned(w, parts, query, past_key, (cosines, sines, places), rotary_interleaved)
    attributes = _attributes(causal, scale, softcap, local_window_size)
    past: tuple[str | None, ...] = ()
    if past_key:
        past = past_key, past_value
        w.notes.append("GroupQueryAttention takes the pasts of all rows as equally long")
    y, present_key, present_value = w.several("Attention", 3, *parts, added, *past, **attributes)
    if not past:
        present_key, present_value = parts[1:]
    return flat(w, y, -1), present_key, present_value


def _attributes(
    causal: int, scale: float, softcap: float, window: int
) -> dict[str, float | int | None]:
    """Those of Attention; 0 means the default for all of them."""
    attributes: dict[str, float | int | None] = {
        "is_causal": int(causal) or None,
        "scale": scale or None,
        "softcap": softcap or None,
        "left_window_size": None,
    }
    if window > 0:
        # It counts the query itself, which ONNX's does not.
        attributes["left_window_size"] = window - 1
    return attributes


def _parts(
    w: Writer, query: str, key: str | None, value: str | None, heads: int, groups: int
) -> tuple[str, str, str]:
    """Queries [n, h, s, d], keys and values [n, groups, s, d]."""
    if key is None or value is None:
        width = w.shape(query)[-1]
        if not isinstance(width, int):
            raise UnsupportedError("the width of what is given side by side is not known")
        size = width // (heads + 2 * groups)
        sizes = w.ints(heads * size, groups * size, groups * size)
        query, key, value = w.several("Split", 3, query, sizes, axis=-1)
    return in_heads(w, query, heads), in_heads(w, key, groups), in_heads(w, value, groups)


def _turned(
    w: Writer,
    parts: tuple[str, str, str],
    query: str,
    past: str | None,
    tables: tuple[str | None, str | None, str | None],
    interleaved: int,
) -> tuple[str, str, str]:
    """Queries and keys turned by their places, which begin behind the past."""
    cosines, sines, places = tables
    if places is None:
        length = w.add("Squeeze", w.length(query, 1), w.ints(0))
        steps = w.add("Range", w.constant(0, np.int64), length, w.constant(1, np.int64))
        if past:
            steps = w.add("Add", steps, w.length(past, 2))
        shape = w.add("Concat", w.length(query, 0), w.length(query, 1), axis=0)
        places = w.add("Expand", steps, shape)
    turned = [
        w.add("RotaryEmbedding", part, cosines, sines, places, interleaved=interleaved or None)
        for part in parts[:2]
    ]
    return turned[0], turned[1], parts[2]
