"""ONNX Runtime's quantized operators against it: the integers, and what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from foreign_models import HIDDEN, IDS, RNG, ROWS, F, f, foreign, q, scale, zero
from onnx_models import outputs
from test_foreign_operators import CASES

U = {"x": q(2, 3, 6)}
PIXELS = {"x": q(2, 4, 7, 6)}
GRID = {"xs": scale(0.05), "xz": zero(120), "ys": scale(0.08), "yz": zero(100)}
SIGNED = {
    "xs": scale(0.05),
    "xz": zero(-3, np.int8),
    "ys": scale(0.07),
    "yz": zero(5, np.int8),
}
OTHER = {"o": q(2, 3, 6), "os": scale(0.1), "oz": zero(3)}
FILTER = {
    "w": q(6, 4, 3, 3, dtype=np.int8),
    "ws": np.abs(f(6)) * F(0.01),
    "wz": np.zeros(6, np.int8),
    "b": RNG.integers(-500, 500, 6).astype(np.int32),
    "ys": scale(0.5),
    "yz": zero(100),
    "xs": GRID["xs"],
    "xz": GRID["xz"],
}
MATRIX = {"w": q(6, 3, dtype=np.int8), "ws": np.abs(f(3)) * F(0.02), "wz": np.zeros(3, np.int8)}
QUANTIZED = {
    "QuantizeLinear": foreign("QuantizeLinear", "x s z", ROWS, {"s": scale(), "z": zero(120)}),
    "DequantizeLinear": foreign("DequantizeLinear", "x s z", U, {"s": scale(), "z": zero(120)}),
    "DequantizeLinear by axis": foreign(
        "DequantizeLinear", "x s z", U, {"s": np.abs(f(3)), "z": q(3)}, axis=1
    ),
    "QLinearAdd": foreign(
        "QLinearAdd",
        "x xs xz o os oz ys yz",
        {**U, "o": OTHER["o"]},
        {**GRID, "os": OTHER["os"], "oz": OTHER["oz"]},
    ),
    "QLinearMul": foreign("QLinearMul", "x xs xz o os oz ys yz", U, {**GRID, **OTHER}),
    "QLinearAdd to the type of its inputs": foreign(
        "QLinearAdd", "x xs xz o os oz ys", U, {**GRID, **OTHER}
    ),
    "QLinearConcat": foreign(
        "QLinearConcat",
        "ys yz x xs xz o os oz",
        {**U, "o": OTHER["o"]},
        {**GRID, "os": OTHER["os"], "oz": OTHER["oz"]},
        axis=-1,
    ),
    "QLinearWhere": foreign(
        "QLinearWhere",
        "c x xs xz o os oz ys yz",
        U,
        {**GRID, **OTHER, "c": RNG.random((2, 3, 6)) < 0.5},
    ),
    "QLinearSigmoid": foreign(
        "QLinearSigmoid", "x xs xz ys yz", U, {**GRID, "ys": scale(1 / 256), "yz": zero(0)}
    ),
    "QLinearLeakyRelu": foreign("QLinearLeakyRelu", "x xs xz ys yz", U, GRID, alpha=0.3),
    "QLinearLeakyRelu of int8": foreign(
        "QLinearLeakyRelu", "x xs xz ys yz", {"x": q(2, 3, 6, dtype=np.int8)}, SIGNED
    ),
    "QLinearSoftmax": foreign(
        "QLinearSoftmax",
        "x xs xz ys yz",
        U,
        {**GRID, "ys": scale(1 / 256), "yz": zero(0)},
        opset=13,
        axis=-1,
    ),
    "QLinearSoftmax along another axis": foreign(
        "QLinearSoftmax",
        "x xs xz ys yz",
        U,
        {**GRID, "ys": scale(1 / 256), "yz": zero(0)},
        opset=13,
        axis=1,
    ),
    "QLinearAveragePool": foreign(
        "QLinearAveragePool",
        "x xs xz ys yz",
        PIXELS,
        GRID,
        kernel_shape=[3, 2],
        pads=[1, 0, 1, 0],
        strides=[2, 1],
    ),
    "QLinearAveragePool with the channels last": foreign(
        "QLinearAveragePool",
        "x xs xz ys yz",
        PIXELS,
        GRID,
        kernel_shape=[2, 2],
        channels_last=1,
        count_include_pad=1,
    ),
    "QLinearGlobalAveragePool": foreign(
        "QLinearGlobalAveragePool", "x xs xz ys yz", PIXELS, GRID, channels_last=0
    ),
    "QLinearGlobalAveragePool with the channels last": foreign(
        "QLinearGlobalAveragePool", "x xs xz ys yz", PIXELS, GRID, channels_last=1
    ),
    "QLinearConv": foreign("QLinearConv", "x xs xz w ws wz ys yz b", PIXELS, FILTER, domain=""),
    "QLinearConv with the channels last": foreign(
        "QLinearConv",
        "x xs xz w ws wz ys yz b",
        {"x": q(2, 7, 6, 4)},
        FILTER,
        channels_last=1,
        pads=[1, 1, 1, 1],
        strides=[2, 2],
    ),
    "QLinearMatMul": foreign(
        "QLinearMatMul", "x xs xz w ws wz ys yz", U, {**GRID, **MATRIX, "ys": scale(0.5)}, domain=""
    ),
    "QGemm": foreign(
        "QGemm",
        "x xs xz w ws wz b ys yz",
        {"x": q(2, 6)},
        {
            **GRID,
            **MATRIX,
            "w": q(3, 6, dtype=np.int8),
            "b": RNG.integers(-99, 99, 3).astype(np.int32),
        },
        transB=1,
        alpha=0.5,
    ),
    "QGemm of floats": foreign("QGemm", "x xs xz w ws wz", {"x": q(2, 6)}, {**GRID, **MATRIX}),
    "DynamicQuantizeMatMul": foreign(
        "DynamicQuantizeMatMul", "x w ws wz b", ROWS, {**MATRIX, "b": f(3)}
    ),
    "DynamicQuantizeMatMul of one scale": foreign(
        "DynamicQuantizeMatMul", "x w ws", ROWS, {"w": q(6, 3, dtype=np.int8), "ws": scale()}
    ),
    "MatMulIntegerToFloat": foreign(
        "MatMulIntegerToFloat", "x w xs ws xz wz b", U, {**GRID, **MATRIX, "b": f(3)}
    ),
    "QAttention": foreign(
        "QAttention",
        "x w b xs ws m xz wz",
        {"x": q(2, 5, 6), "m": np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)},
        {
            "w": q(6, 24, dtype=np.int8),
            "b": f(24),
            "xs": scale(0.02),
            "ws": scale(0.01),
            "xz": zero(120),
            "wz": zero(0, np.int8),
        },
        num_heads=2,
    ),
    "DynamicQuantizeLSTM": foreign(
        "DynamicQuantizeLSTM",
        "x w r b - - - - ws wz rs rz",
        {"x": f(4, 2, 6)},
        {
            "w": q(1, 6, 16, dtype=np.int8),
            "r": q(1, 4, 16, dtype=np.int8),
            "b": f(1, 32),
            "ws": scale(0.01).reshape(1),
            "wz": zero(0, np.int8).reshape(1),
            "rs": scale(0.01).reshape(1),
            "rz": zero(0, np.int8).reshape(1),
        },
        hidden_size=4,
        count=3,
    ),
    "QEmbedLayerNormalization": foreign(
        "QEmbedLayerNormalization",
        "ids kinds words places segments s h mask ws ps ss gs hs wz pz sz gz hz",
        {**IDS, "mask": HIDDEN},
        {
            "words": q(9, 6),
            "places": q(12, 6),
            "segments": q(2, 6),
            "s": q(6),
            "h": q(6),
            **{name: scale(0.02) for name in ("ws", "ps", "ss", "gs", "hs")},
            **{name: zero(120) for name in ("wz", "pz", "sz", "gz", "hz")},
        },
        count=2,
    ),
}


def step_of(array, dynamic):
    """By how much a value may be off: a step of integers, or of what a range is cut into."""
    if array.dtype.kind in "iu":
        return 1
    if dynamic:
        return 0.02 * np.abs(array).max()
    return 1e-3


@pytest.mark.parametrize("case", QUANTIZED)
def test_quantized_operators_compute_what_onnxruntime_does(case):
    """Without repair as integers, to the last of them; with it as what they stand for."""
    made, values = QUANTIZED[case]
    network = allotrope.load(made, repair=False)
    plain = allotrope.load(made)
    expected = outputs(made, **values)
    for value, one in zip(network.outputs, expected, strict=True):
        y = network.run(values)[value.name]
        assert y.shape == one.shape and y.dtype == one.dtype
        step = step_of(one, "Dynamic" in case)
        np.testing.assert_allclose(y.astype(float), one.astype(float), rtol=0, atol=step + 1e-6)
        near = plain.run(values)[value.name]
        np.testing.assert_allclose(
            near.astype(float), one.astype(float), rtol=0, atol=step * 1.01 + 1e-6
        )


LEARNING = [
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "QAttention",
    "DynamicQuantizeLSTM",
    "QEmbedLayerNormalization",
    "QGemm of floats",
    "MatMulNBits of 4",
]


@pytest.mark.parametrize("case", LEARNING)
def test_their_weights_learn(case):
    made, _ = {**CASES, **QUANTIZED}[case]
    weights = allotrope.load(made).weights
    assert weights and all(array.dtype == F for array in weights.values())
