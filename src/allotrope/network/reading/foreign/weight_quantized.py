"""Layers whose weights alone are quantized in the file, activations when it runs or never."""

from __future__ import annotations

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.embedding import embed_layer_normalization
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.quantized import floats
from allotrope.network.reading.foreign.writer import Writer


@foreign("DynamicQuantizeMatMul")
def dynamic_matmul(
    w: Writer, a: str, b: str, b_scale: str, b_zero: str | None = None, bias: str | None = None
) -> str:
    """A, quantized by its own extremes, times what B stands for, + bias."""
    quantized, scale, zero = w.several("DynamicQuantizeLinear", 3, a)
    # What is trained is what the integers stand for: a product of integers has no gradient.
    y = w.add("MatMul", floats(w, quantized, scale, zero), floats(w, b, b_scale, b_zero, -1))
    if bias:
        return w.add("Add", y, bias)
    return y


@foreign("MatMulIntegerToFloat")
def matmul_to_float(
    w: Writer,
    a: str,
    b: str,
    a_scale: str,
    b_scale: str,
    a_zero: str | None = None,
    b_zero: str | None = None,
    bias: str | None = None,
) -> str:
    """What A stands for times what B stands for, + bias."""
    # Scales may be one a row of A and one a column of B, the axes that the product leaves.
    y = w.add("MatMul", floats(w, a, a_scale, a_zero, -2), floats(w, b, b_scale, b_zero, -1))
    if bias:
        return w.add("Add", y, bias)
    return y


@foreign("DynamicQuantizeLSTM")
def dynamic_lstm(
    w: Writer,
    x: str,
    weight: str,
    recurrence: str,
    bias: str | None,
    lengths: str | None,
    first_h: str | None,
    first_c: str | None,
    peepholes: str | None,
    w_scale: str,
    w_zero: str,
    r_scale: str,
    r_zero: str,
    *,
    activation_alpha: tuple[float, ...] | None = None,
    activation_beta: tuple[float, ...] | None = None,
    activations: tuple[str, ...] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
) -> tuple[str, ...]:
    """LSTM; its weights [directions, from, 4 h] are quantized the other way round."""
    # ONNX's LSTM takes weights [directions, 4 h, from] in float.
    arrays = [_turned(w, weight, w_scale, w_zero), _turned(w, recurrence, r_scale, r_zero)]
    return w.several(
        "LSTM",
        3,
        x,
        *arrays,
        bias,
        lengths,
        first_h,
        first_c,
        peepholes,
        activation_alpha=activation_alpha,
        activation_beta=activation_beta,
        activations=activations,
        clip=clip,
        direction=direction,
        hidden_size=hidden_size,
        input_forget=input_forget or None,
    )


@foreign("QEmbedLayerNormalization")
def quantized_embedding(
    w: Writer,
    ids: str,
    segments: str | None,
    words: str,
    positions: str,
    segment_table: str | None,
    scale: str,
    shift: str,
    mask: str | None,
    words_scale: str,
    positions_scale: str,
    segments_scale: str | None,
    scale_scale: str,
    shift_scale: str,
    words_zero: str,
    positions_zero: str,
    segments_zero: str | None,
    scale_zero: str,
    shift_zero: str,
    *,
    epsilon: float = 1e-12,
) -> tuple[str, ...]:
    """EmbedLayerNormalization of what its tables stand for."""
    third = None
    if segment_table and segments_scale:
        third = floats(w, segment_table, segments_scale, segments_zero)
    outputs = embed_layer_normalization(
        w,
        ids,
        segments,
        floats(w, words, words_scale, words_zero),
        floats(w, positions, positions_scale, positions_zero),
        third,
        floats(w, scale, scale_scale, scale_zero),
        floats(w, shift, shift_scale, shift_zero),
        mask,
        epsilon=epsilon,
    )
    # The sum of the embeddings, a third output, is the float operator's alone.
    return outputs[:2]


def _turned(w: Writer, weight: str, scale: str, zero_point: str) -> str:
    """What weights [directions, from, 4 h] stand for, as [directions, 4 h, from].

    There is a scale a direction, or one a column of it.
    """
    # Worked out here and not by nodes: a weight that nodes compute could not be trained.
    integers, factor, middle = (w.fixed(name, "weight") for name in (weight, scale, zero_point))
    if integers.ndim != 3:
        raise UnsupportedError(
            f"its weight has the shape {list(integers.shape)}, expected [directions, from, 4 h]"
        )
    factor, middle = (
        part.reshape(len(integers), 1, -1).astype(np.float32) for part in (factor, middle)
    )
    plain = (integers.astype(np.float32) - middle) * factor
    return w.constant(np.ascontiguousarray(plain.swapaxes(1, 2)), name="weight")
