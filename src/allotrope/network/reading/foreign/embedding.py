"""The beginning of BERT: words, places and segments, normalized."""

from __future__ import annotations

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


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
    """LayerNormalization of the embeddings of words, places and segments.

    Gives how many words each row has too, and the sum of the embeddings. ids [n, length].
    Without `position_ids` places are counted from 0.
    """
    if mask_index_type not in (None, 0, 1):
        raise UnsupportedError(f"its mask_index_type {mask_index_type} is not known")
    if position_ids:
        places = w.add("Gather", positions, position_ids)
    else:
        places = w.add("Slice", positions, w.ints(0), w.length(ids, 1), w.ints(0))
    total = w.add("Add", w.add("Gather", words, ids), places)
    if segment_table and segments:
        total = w.add("Add", total, w.add("Gather", segment_table, segments))
    y = w.add("LayerNormalization", total, scale, shift, axis=-1, epsilon=epsilon)
    counted = None
    if mask:
        counted = w.add("ReduceSum", w.add("Cast", mask, to=6), w.ints(1), keepdims=0)
    if counted is None and w.wants(1):
        counted = w.add("Expand", w.constant(0, np.int32), w.length(ids, 0))
    return y, counted or "", total
