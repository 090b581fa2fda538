"""The beginning of BERT, and biases by the distance of two places."""

from __future__ import annotations

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.foreign.table import foreign
from allotrope.network.foreign.writer import Writer


@foreign("EmbedLayerNormalization")
def embed_layer_normalization(
    w: Writer,
    ids: str,
    segments: str | None,
    words: str,
    positions: str,
    segment_table: str | None,
    scale: str,
    shift: str,
    mask: str | None = None,
    position_ids: str | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int | None = None,
) -> tuple[str, ...]:
    """LayerNormalization of the embeddings of words, places and segments; how many words each row has; the sum of the embeddings.

    ids [n, length]. Without `position_ids` places are counted from 0.
    """
    if mask_index_type not in (None, 0, 1):
        raise UnsupportedError(f"its mask_index_type {mask_index_type} is not known")
    places = (
        w.add("Gather", positions, position_ids)
        if position_ids
        else w.add("Slice", positions, w.ints(0), w.length(ids, 1), w.ints(0))
    )
    total = w.add("Add", w.add("Gather", words, ids), places)
    if segment_table and segments:
        total = w.add("Add", total, w.add("Gather", segment_table, segments))
    y = w.add("LayerNormalization", total, scale, shift, axis=-1, epsilon=epsilon)
    counted = w.add("ReduceSum", w.add("Cast", mask, to=6), w.ints(1), keepdims=0) if mask else None
    if counted is None and w.wants(1):
        counted = w.add("Expand", w.constant(0, np.int32), w.length(ids, 0))
    return y, counted or "", total


@foreign("RelativePositionBias")
def relative_position_bias(
    w: Writer, table: str, queries: str, keys: str, *, max_distance: int, is_bidirectional: int = 0
) -> str:
    """The bias of each head by the distance of query and key, [1, h, q, k], from a table [buckets, h] (T5, Raffel et al. 2020)."""
    count, length = w.integer(queries, "query length"), w.integer(keys, "key length")
    shape = w.shape(table)
    if not isinstance(shape[0], int):
        raise UnsupportedError("the number of buckets is not known")
    buckets = _buckets(
        np.arange(length)[None, :] - np.arange(count)[:, None],
        shape[0],
        max_distance,
        bool(is_bidirectional),
    )
    rows = w.add("Gather", table, w.constant(buckets, np.int64, "buckets"))
    return w.add("Unsqueeze", w.add("Transpose", rows, perm=(2, 0, 1)), w.ints(0))


def _buckets(distance: np.ndarray, count: int, farthest: int, both_ways: bool) -> np.ndarray:
    """The bucket of each distance: one a step nearby, then ever wider ones up to the farthest."""
    first = np.zeros_like(distance)
    if both_ways:
        count //= 2
        first = (distance > 0) * count
        distance = np.abs(distance)
    else:
        distance = np.maximum(-distance, 0)
    near = count // 2
    ratio = np.log(np.maximum(distance, 1).astype(np.float32) / near) / np.log(farthest / near)
    wide = near + (ratio.astype(np.float32) * (count - near)).astype(np.int64)
    return first + np.where(distance < near, distance, np.minimum(wide, count - 1))
