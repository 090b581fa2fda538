"""Places that are said by turning pairs of numbers (RoPE, Su et al. 2021)."""

from __future__ import annotations

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("RotaryEmbedding")
def rotary_embedding(
    w: Writer,
    x: str,
    places: str,
    cosines: str,
    sines: str,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> str:
    """ONNX's RotaryEmbedding of x [n, length, h d] or [n, h, length, d], by tables [places, d / 2].

    `places` [n, length] are those of x, or one number [1], the place of the first.
    """
    if is_packed_batching or scale != 1:
        raise UnsupportedError("only rows of equal lengths, and a scale of 1, are understood")
    attributes = {
        "interleaved": interleaved or None,
        "rotary_embedding_dim": rotary_embedding_dim or None,
    }
    flat = w.rank(x) == 3
    heads = None
    if flat:
        heads = num_heads
    if flat and not heads:
        width = w.shape(cosines)[-1]
        last = w.shape(x)[-1]
        if rotary_embedding_dim or not isinstance(width, int) or not isinstance(last, int):
            raise UnsupportedError("the number of heads is not known")
        heads = last // (2 * width)
    if w.rank(places) == 1:
        # The axis of time stands behind the heads, unless these lie on the last axis.
        places = _from_the_first(w, x, places, 2 - flat)
    return w.add("RotaryEmbedding", x, cosines, sines, places, num_heads=heads, **attributes)


def _from_the_first(w: Writer, x: str, first: str, axis: int) -> str:
    """The places of x [n, length] from that of the first on."""
    length = w.add("Squeeze", w.length(x, axis), w.ints(0))
    steps = w.add("Range", w.constant(0, "int64"), length, w.constant(1, "int64"))
    row = w.add("Unsqueeze", w.add("Add", steps, first), w.ints(0))
    shape = w.add("Concat", w.length(x, 0), w.length(x, axis), axis=0)
    return w.add("Expand", row, shape)
