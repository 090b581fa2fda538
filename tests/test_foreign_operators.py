"""Each of ONNX Runtime's own operators against it, with attributes set and inputs left out."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import allotrope
from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.reading.foreign import families  # noqa: F401 - fills the table
from allotrope.network.reading.foreign.table import FOREIGN, MICROSOFT
from onnx_models import model, outputs, tensor

F = np.float32
RNG = np.random.default_rng(5)


def f(*shape):
    return RNG.standard_normal(shape).astype(F)


def q(*shape, dtype=np.uint8):
    low, high = (0, 255) if dtype == np.uint8 else (-127, 127)
    return RNG.integers(low, high + 1, shape).astype(dtype)


def scale(number=0.05):
    return np.array(number, F)


def zero(number, dtype=np.uint8):
    return np.array(number, dtype)


def foreign(
    operator, names, given, fixed=None, *, count=1, version=17, domain=MICROSOFT, **attributes
):
    """A model of one operator, and what it is given. `names` are its inputs, `-` one left out.

    What is given when it is run has a free first axis; `fixed` are arrays of the file.
    """
    inputs = [name.replace("-", "") for name in names.split()]
    made = helper.make_node(
        operator, inputs, [f"y{i}" for i in range(count)], domain=domain, **attributes
    )
    begins = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), free(x.shape))
        for name, x in given.items()
    ]
    ends = [onnx.ValueInfoProto(name=f"y{i}") for i in range(count)]
    built = model([made], begins, ends, fixed, opset=version, ir_version=8)
    built.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return built, given


def free(shape):
    return ["n", *shape[1:]] if shape else []


ROWS = {"x": f(2, 5, 6)}
IMAGE = {"x": f(2, 4, 7, 6)}
KERNEL = {"w": f(6, 4, 3, 3), "b": f(6)}
NORM = {"s": f(6), "h": f(6), "k": f(6)}
QUERY = {"q": f(2, 5, 8), "k": f(2, 7, 8), "v": f(2, 7, 8)}
GROUPED = {"q": f(2, 5, 64), "k": f(2, 5, 32), "v": f(2, 5, 32), "l": np.array([4, 4], np.int32)}
GROUPS = {"num_heads": 4, "kv_num_heads": 2, "count": 3}
TURNS = {"c": f(16, 8), "s": f(16, 8)}
TOTAL_5 = {"t": np.array(5, np.int32)}
HIDDEN = np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)
PAST = f(2, 2, 2, 3, 4)
PROJECTION = {"w": f(6, 24), "b": f(24)}
TABLES = {"words": f(9, 6), "places": f(12, 6), "segments": f(2, 6), **NORM}
IDS = {
    "ids": RNG.integers(0, 9, (2, 5)).astype(np.int32),
    "kinds": RNG.integers(0, 2, (2, 5)).astype(np.int32),
}


def bits(number, columns=3, length=40, block=16, with_zeros=True):
    """Weights of a few bits: [columns, blocks, bytes], their scales and their zero points."""
    blocks = -(-length // block)
    arrays = {
        "w": RNG.integers(0, 256, (columns, blocks, block * number // 8)).astype(np.uint8),
        "s": np.abs(f(columns * blocks)),
        "z": RNG.integers(0, 256, (columns * -(-blocks * number // 8),)).astype(np.uint8),
    }
    made = foreign(
        "MatMulNBits",
        "x w s z" if with_zeros else "x w s",
        {"x": f(2, 3, length)},
        arrays if with_zeros else {"w": arrays["w"], "s": arrays["s"]},
        K=length,
        N=columns,
        bits=number,
        block_size=block,
    )
    return made


CASES = {
    # products
    "FusedMatMul": foreign("FusedMatMul", "x w", ROWS, {"w": f(6, 3)}),
    "FusedMatMul transposed": foreign(
        "FusedMatMul", "x w", {"x": f(2, 4, 5, 6)}, {"w": f(3, 5)}, transA=1, transB=1, alpha=0.5
    ),
    "FusedMatMul of two": foreign(
        "FusedMatMul", "x w", {"x": f(2, 4, 5, 6), "w": f(2, 4, 3, 6)}, transB=1, alpha=0.3
    ),
    "FusedMatMul by batches": foreign(
        "FusedMatMul", "x w", {"x": f(5, 4, 6)}, {"w": f(4, 6, 3)}, transBatchA=1
    ),
    "FusedMatMul by batches, transposed": foreign(
        "FusedMatMul",
        "x w",
        {"x": f(5, 4, 6)},
        {"w": f(3, 4, 5)},
        transBatchA=1,
        transA=1,
        transBatchB=1,
        transB=1,
    ),
    "TransposeMatMul": foreign(
        "TransposeMatMul", "x w", ROWS, {"w": f(2, 3, 6)}, transB=1, alpha=2.0
    ),
    "FusedGemm": foreign(
        "FusedGemm",
        "x w b",
        {"x": f(2, 6)},
        {"w": f(3, 6), "b": f(3)},
        transB=1,
        alpha=0.5,
        activation="Relu",
    ),
    "FusedGemm with parameters": foreign(
        "FusedGemm",
        "x w",
        {"x": f(2, 6)},
        {"w": f(6, 3)},
        activation="LeakyRelu",
        activation_alpha=0.2,
    ),
    "FusedConv": foreign("FusedConv", "x w b", IMAGE, KERNEL, activation="Relu", pads=[1, 1, 1, 1]),
    "FusedConv with a sum": foreign(
        "FusedConv",
        "x w b z",
        {**IMAGE, "z": f(2, 6, 7, 6)},
        KERNEL,
        activation="Relu",
        pads=[1, 1, 1, 1],
    ),
    "FusedConv clipped": foreign(
        "FusedConv",
        "x w",
        IMAGE,
        {"w": KERNEL["w"]},
        activation="Clip",
        activation_params=[0.0, 0.5],
        strides=[2, 1],
    ),
    "FusedConv with HardSigmoid": foreign(
        "FusedConv",
        "x w",
        IMAGE,
        {"w": f(4, 1, 3, 3)},
        activation="HardSigmoid",
        activation_params=[0.3, 0.4],
        group=4,
    ),
    "FusedConv with Sigmoid": foreign(
        "FusedConv", "x w", IMAGE, {"w": KERNEL["w"]}, activation="Sigmoid", auto_pad="SAME_UPPER"
    ),
    "ConvTransposeWithDynamicPads": foreign(
        "ConvTransposeWithDynamicPads",
        "x w p b",
        IMAGE,
        {"w": f(4, 3, 3, 3), "p": np.array([1, 0, 1, 1]), "b": f(3)},
        strides=[2, 2],
        output_padding=[1, 1],
    ),
    "CDist": foreign("CDist", "x c", {"x": f(4, 6)}, {"c": f(3, 6)}, metric="euclidean"),
    "CDist squared": foreign("CDist", "x c", {"x": f(4, 6)}, {"c": f(3, 6)}, metric="sqeuclidean"),
    "MatMulNBits of 4": bits(4),
    "MatMulNBits of 8": bits(8),
    "MatMulNBits without zero points": bits(4, with_zeros=False),
    # activations
    "Gelu": foreign("Gelu", "x", ROWS),
    "BiasGelu": foreign("BiasGelu", "x b", ROWS, {"b": f(6)}),
    "FastGelu": foreign("FastGelu", "x", ROWS),
    "FastGelu with a bias": foreign("FastGelu", "x b", ROWS, {"b": f(6)}),
    "QuickGelu": foreign("QuickGelu", "x", ROWS),
    "QuickGelu with another factor": foreign("QuickGelu", "x", ROWS, alpha=1.0),
    # normalizations
    "LayerNormalization before its opset": foreign(
        "LayerNormalization", "x s h", ROWS, {"s": f(6), "h": f(6)}, version=12, domain=""
    ),
    "LayerNormalization from the second axis": foreign(
        "LayerNormalization",
        "x s",
        ROWS,
        {"s": f(5, 6)},
        version=11,
        domain="",
        axis=1,
        epsilon=0.1,
    ),
    "SimplifiedLayerNormalization": foreign(
        "SimplifiedLayerNormalization", "x s", ROWS, {"s": f(6)}, version=14, domain=""
    ),
    "SkipLayerNormalization": foreign(
        "SkipLayerNormalization", "x r s h k", {**ROWS, "r": f(2, 5, 6)}, NORM, epsilon=1e-5
    ),
    "SkipLayerNormalization without biases": foreign(
        "SkipLayerNormalization", "x r s", {**ROWS, "r": f(2, 5, 6)}, {"s": f(6)}
    ),
    "SkipLayerNormalization with its sum": foreign(
        "SkipLayerNormalization",
        "x r s h",
        {**ROWS, "r": f(2, 5, 6)},
        {"s": f(6), "h": f(6)},
        count=4,
    ),
    "SkipLayerNormalization of one row": foreign(
        "SkipLayerNormalization", "x r s h", ROWS, {"r": f(5, 6), "s": f(6), "h": f(6)}
    ),
    "SkipSimplifiedLayerNormalization": foreign(
        "SkipSimplifiedLayerNormalization",
        "x r s k",
        {**ROWS, "r": f(2, 5, 6)},
        {"s": f(6), "k": f(6)},
        epsilon=1e-6,
    ),
    # embeddings
    "EmbedLayerNormalization": foreign(
        "EmbedLayerNormalization",
        "ids kinds words places segments s h mask",
        {**IDS, "mask": HIDDEN},
        {name: TABLES[name] for name in ("words", "places", "segments", "s", "h")},
        count=2,
        mask_index_type=1,
    ),
    "EmbedLayerNormalization without segments": foreign(
        "EmbedLayerNormalization",
        "ids - words places - s h - at",
        {"ids": IDS["ids"], "at": np.array([[4, 3, 2, 1, 0]] * 2, np.int32)},
        {name: TABLES[name] for name in ("words", "places", "s", "h")},
        epsilon=1e-3,
        count=2,
    ),
    # attention
    "Attention": foreign("Attention", "x w b", ROWS, PROJECTION, num_heads=2),
    "Attention with a mask": foreign(
        "Attention", "x w b m", {**ROWS, "m": HIDDEN}, PROJECTION, num_heads=2
    ),
    "Attention with lengths": foreign(
        "Attention", "x w b m", {**ROWS, "m": np.array([5, 3], np.int32)}, PROJECTION, num_heads=2
    ),
    "Attention with a mask for each query": foreign(
        "Attention",
        "x w b m",
        {**ROWS, "m": RNG.integers(0, 2, (2, 5, 5)).astype(np.int32)},
        PROJECTION,
        num_heads=2,
        mask_filter_value=-50.0,
    ),
    "Attention one way": foreign(
        "Attention", "x w b", ROWS, PROJECTION, num_heads=4, unidirectional=1, scale=0.7
    ),
    "Attention one way, with a mask": foreign(
        "Attention", "x w b m", {**ROWS, "m": HIDDEN}, PROJECTION, num_heads=2, unidirectional=1
    ),
    "Attention with a bias on its scores": foreign(
        "Attention", "x w b - - a", {**ROWS, "a": f(2, 2, 5, 5)}, PROJECTION, num_heads=2
    ),
    "Attention of several sizes": foreign(
        "Attention",
        "x w b",
        ROWS,
        {"w": f(6, 20), "b": f(20)},
        num_heads=2,
        qkv_hidden_sizes=[8, 8, 4],
    ),
    "Attention without a bias": foreign("Attention", "x w", ROWS, {"w": f(6, 24)}, num_heads=2),
    "Attention with a past": foreign(
        "Attention",
        "x w b - p",
        {**ROWS, "p": PAST},
        PROJECTION,
        num_heads=2,
        unidirectional=1,
        count=2,
    ),
    "MultiHeadAttention": foreign("MultiHeadAttention", "q k v", QUERY, num_heads=2),
    "MultiHeadAttention with biases": foreign(
        "MultiHeadAttention",
        "q k v b m",
        {**QUERY, "m": np.array([[1] * 7, [1] * 4 + [0] * 3], np.int32)},
        {"b": f(24)},
        num_heads=2,
        scale=0.4,
    ),
    "MultiHeadAttention with lengths and a bias": foreign(
        "MultiHeadAttention",
        "q k v - m a",
        {**QUERY, "m": np.array([7, 4], np.int32), "a": f(2, 2, 5, 7)},
        num_heads=2,
    ),
    "MultiHeadAttention with a past": foreign(
        "MultiHeadAttention",
        "q q2 q3 - - - pk pv",
        {
            "q": f(2, 5, 8),
            "q2": f(2, 5, 8),
            "q3": f(2, 5, 8),
            "pk": f(2, 2, 3, 4),
            "pv": f(2, 2, 3, 4),
        },
        num_heads=2,
        count=3,
    ),
    "MultiHeadAttention one way": foreign(
        "MultiHeadAttention",
        "q q2 q3",
        {"q": f(2, 5, 8), "q2": f(2, 5, 8), "q3": f(2, 5, 8)},
        num_heads=2,
        unidirectional=1,
    ),
    "MultiHeadAttention in heads": foreign(
        "MultiHeadAttention",
        "q k v",
        {"q": f(2, 5, 8), "k": f(2, 2, 7, 4), "v": f(2, 2, 7, 4)},
        num_heads=2,
    ),
    "RotaryEmbedding": foreign(
        "RotaryEmbedding",
        "x at c s",
        {"x": f(2, 2, 5, 4), "at": RNG.integers(0, 8, (2, 5))},
        {"c": f(8, 2), "s": f(8, 2)},
    ),
    "RotaryEmbedding from a place on": foreign(
        "RotaryEmbedding",
        "x at c s",
        {"x": f(2, 5, 8)},
        {"at": np.array([2]), "c": f(8, 2), "s": f(8, 2)},
        interleaved=1,
    ),
    "RotaryEmbedding in part": foreign(
        "RotaryEmbedding",
        "x at c s",
        {"x": f(2, 5, 8)},
        {"at": np.array([0]), "c": f(8, 1), "s": f(8, 1)},
        num_heads=2,
        rotary_embedding_dim=2,
    ),
    "GroupQueryAttention": foreign(
        "GroupQueryAttention", "q k v - - l t", GROUPED, TOTAL_5, **GROUPS
    ),
    "GroupQueryAttention side by side, capped": foreign(
        "GroupQueryAttention",
        "q - - - - l t",
        {"q": f(2, 5, 128), "l": GROUPED["l"]},
        TOTAL_5,
        **GROUPS,
        scale=0.3,
        softcap=2.0,
    ),
    "GroupQueryAttention with places": foreign(
        "GroupQueryAttention",
        "q k v - - l t c s",
        GROUPED,
        {**TOTAL_5, **TURNS},
        **GROUPS,
        do_rotary=1,
    ),
    "GroupQueryAttention with a past and a window": foreign(
        "GroupQueryAttention",
        "q k v pk pv l t c s",
        {
            "q": f(2, 1, 64),
            "k": f(2, 1, 32),
            "v": f(2, 1, 32),
            "pk": f(2, 2, 6, 16),
            "pv": f(2, 2, 6, 16),
            "l": np.array([6, 6], np.int32),
        },
        {"t": np.array(7, np.int32), **TURNS},
        **GROUPS,
        do_rotary=1,
        rotary_interleaved=1,
        local_window_size=3,
    ),
    "GroupQueryAttention with a window": foreign(
        "GroupQueryAttention", "q k v - - l t", GROUPED, TOTAL_5, **GROUPS, local_window_size=2
    ),
    # shapes
    "ExpandDims": foreign("ExpandDims", "x a", ROWS, {"a": np.array(1, np.int32)}),
    "GatherND": foreign("GatherND", "x i", ROWS, {"i": np.array([[0, 1], [1, 2]])}),
    "GridSample": foreign(
        "GridSample",
        "x g",
        {**IMAGE, "g": f(2, 3, 5, 2)},
        align_corners=1,
        mode="bilinear",
        padding_mode="border",
    ),
    "Pad": foreign(
        "Pad", "x p v", ROWS, {"p": np.array([0, 1, 2, 0, 0, 1]), "v": np.array([0.5], F)}
    ),
    "Range": foreign(
        "Range", "a b c", {}, {"a": np.array(1.0, F), "b": np.array(4.0, F), "c": np.array(0.5, F)}
    ),
    "Range by 1": foreign("Range", "a b", {}, {"a": np.array(2), "b": np.array(6)}),
    "Trilu": foreign("Trilu", "x k", ROWS, {"k": np.array(1)}, upper=0),
    "NhwcMaxPool": foreign(
        "NhwcMaxPool",
        "x",
        {"x": q(2, 7, 6, 4)},
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 0, 1, 1],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_onnxruntime_does(case):
    made, given = CASES[case]
    network = allotrope.load(made)
    assert not any(n.domain for n in network.graph.nodes)
    found = [network.run(given)[value.name] for value in network.outputs]
    for one, expected in zip(found, outputs(made, **given), strict=True):
        if expected is not None:
            assert one.dtype == expected.dtype and one.shape == expected.shape
            np.testing.assert_allclose(one, expected, rtol=2e-4, atol=2e-5)


# --- quantized


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


@pytest.mark.parametrize("case", QUANTIZED)
def test_quantized_operators_compute_what_onnxruntime_does(case):
    """Without repair as integers, to the last of them; with it as what they stand for."""
    made, given = QUANTIZED[case]
    network = allotrope.load(made, repair=False)
    plain = allotrope.load(made)
    expected = outputs(made, **given)
    dynamic = "Dynamic" in case
    for value, one in zip(network.outputs, expected, strict=True):
        found = network.run(given)[value.name]
        assert found.shape == one.shape and found.dtype == one.dtype
        step = 1 if one.dtype.kind in "iu" else 0.02 * np.abs(one).max() if dynamic else 1e-3
        np.testing.assert_allclose(found.astype(float), one.astype(float), rtol=0, atol=step + 1e-6)
        near = plain.run(given)[value.name]
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


# --- operators that ONNX Runtime has for other processors alone


def swish(x):
    return x / (1 + np.exp(-x))


def normalized(x, scale, shift, groups):
    parts = x.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), -1)
    parts = (parts - parts.mean(axes, keepdims=True)) / np.sqrt(
        parts.var(axes, keepdims=True) + 1e-5
    )
    return parts.reshape(x.shape) * scale + shift


def gelu(x):
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.reshape(-1)], F).reshape(
        x.shape
    )


def test_group_normalization_with_the_channels_last():
    made, given = foreign(
        "GroupNorm", "x s h", {"x": f(2, 3, 5, 6)}, {"s": f(6), "h": f(6)}, groups=2, activation=1
    )
    arrays = arrays_of(made)
    expected = swish(normalized(given["x"], arrays["s"], arrays["h"], 2))
    np.testing.assert_allclose(
        allotrope.load(made).run(given)["y0"], expected, rtol=1e-4, atol=1e-5
    )


def test_group_normalization_of_a_sum():
    made, given = foreign(
        "SkipGroupNorm",
        "x s h r k",
        {"x": f(2, 3, 5, 6), "r": f(2, 6)},
        {"s": f(6), "h": f(6), "k": f(6)},
        groups=3,
        activation=0,
        count=2,
    )
    arrays = arrays_of(made)
    total = given["x"] + given["r"][:, None, None] + arrays["k"]
    found = allotrope.load(made).run(given)
    np.testing.assert_allclose(found["y1"], total, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found["y0"], normalized(total, arrays["s"], arrays["h"], 3), rtol=1e-4, atol=1e-5
    )


def test_the_small_ones():
    x, b = f(2, 5, 6), f(6)
    for operator, names, given, fixed, attributes, expected in (
        ("BiasSplitGelu", "x b", {"x": x}, {"b": b}, {}, (x + b)[..., :3] * gelu((x + b)[..., 3:])),
        ("BiasAdd", "x b r", {"x": x, "r": x}, {"b": b}, {}, 2 * x + b),
        ("BiasDropout", "x b r", {"x": x, "r": x}, {"b": b}, {}, 2 * x + b),
        ("GemmFastGelu", "x w", {"x": x}, {"w": np.eye(6, dtype=F)}, {}, gelu(x)),
        (
            "BiasSoftmax",
            "x b",
            {"x": x},
            {"b": b},
            {"axis": 1, "is_inner_broadcast": 1},
            (np.exp(x + b) / np.exp(x + b).sum((1, 2), keepdims=True)),
        ),
        (
            "ScaledTanh",
            "x",
            {"x": x},
            {},
            {"alpha": 2.0, "beta": 0.5, "domain": ""},
            2 * np.tanh(x / 2),
        ),
        (
            "NhwcConv",
            "x w b",
            {"x": f(1, 4, 4, 3)},
            {"w": np.ones((2, 1, 1, 3), F), "b": np.ones(2, F)},
            {},
            None,
        ),
    ):
        made, inputs = foreign(operator, names, given, fixed, **attributes)
        found = allotrope.load(made).run(inputs)["y0"]
        if expected is None:
            expected = np.repeat(inputs["x"].sum(-1, keepdims=True) + 1, 2, -1)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3, err_msg=operator)


def arrays_of(made):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}


# --- the table


def schemas():
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return {(one.domain, one.name): one for one in state.get_all_operator_schema()}


def test_every_signature_is_onnxruntimes():
    """The number of its inputs and the names of its attributes: none is overlooked."""
    known = schemas()
    for (domain, operator), entry in FOREIGN.items():
        schema = known.get((domain, operator))
        if schema is None or entry.refusal or domain != MICROSOFT:
            continue
        assert set(entry.attributes) == set(schema.attributes), operator
        if not any(q.kind is q.VAR_POSITIONAL for q in entry.inputs):
            assert len(entry.inputs) == len(schema.inputs), operator


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            foreign("FusedMatMul", "x w", ROWS, {"w": f(6, 3)}, gamma=1.0),
            "unknown attribute|'gamma', which is not known here",
        ),
        (foreign("FusedMatMul", "x w", ROWS, {"w": f(6, 3)}, alpha=1), "attribute 'alpha' of type"),
        (foreign("FusedMatMul", "x", ROWS), "lacks the inputs b"),
        (foreign("Gelu", "x x x", ROWS), "has 3 inputs, at most 1 are known"),
        (foreign("Attention", "x w", ROWS, {"w": f(6, 24)}), "lacks attribute 'num_heads'"),
        (
            foreign(
                "MatMulNBits", "x w s", ROWS, {"w": q(1, 1, 8), "s": f(1)}, K=6, N=3, block_size=16
            ),
            "does not fit",
        ),
        (
            foreign("QLinearConcat", "s z x", U, {"s": scale(), "z": zero(0)}, axis=0),
            "expected three for each array",
        ),
    ],
)
def test_what_does_not_fit_is_named(made, message):
    with pytest.raises(ModelError, match=message):
        allotrope.load(made[0])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (foreign("Inverse", "x", ROWS), "com.microsoft.Inverse .* inverts matrices"),
        (
            foreign("NoSuchThing", "x", ROWS),
            "is no operator of ONNX and not understood. Save the file without",
        ),
        (
            foreign("FusedConv", "x w", IMAGE, {"w": KERNEL["w"]}, activation="Cube"),
            "its activation 'Cube' is not known",
        ),
        (
            foreign("CDist", "x c", {"x": f(4, 6)}, {"c": f(3, 6)}, metric="cosine"),
            "its metric 'cosine'",
        ),
        (
            foreign("Attention", "x w", ROWS, {"w": f(6, 24)}, num_heads=2, do_rotary=1),
            "are not understood",
        ),
        (
            foreign("SimplifiedLayerNormalization", "x s", ROWS, {"s": f(6)}, domain="", count=2),
            "its output y1 is used",
        ),
        (
            foreign("GridSample", "x g", {**IMAGE, "g": f(2, 3, 5, 2)}, mode="other"),
            "its mode 'other'",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(made, message):
    with pytest.raises(UnsupportedError, match=message):
        allotrope.load(made[0])


def test_the_layout_of_one_processor_says_how_to_save_without_it():
    made, _ = foreign("ReorderInput", "x", IMAGE, domain="com.microsoft.nchwc", channels_last=0)
    made.opset_import.append(helper.make_opsetid("com.microsoft.nchwc", 1))
    with pytest.raises(UnsupportedError, match="Save the file with ORT_ENABLE_EXTENDED"):
        allotrope.load(made)


def test_a_rank_behind_other_foreign_operators_is_found():
    nodes = [
        helper.make_node("BiasGelu", ["x", "b"], ["g"], domain=MICROSOFT),
        helper.make_node("FusedMatMul", ["g", "x"], ["m"], domain=MICROSOFT, transB=1),
        helper.make_node("FusedMatMul", ["m", "x"], ["y"], domain=MICROSOFT, transA=1),
    ]
    made = model(
        nodes, [tensor("x", shape=["n", 5, 6])], arrays={"b": f(6)}, opset=17, ir_version=8
    )
    made.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    lines = []
    network = allotrope.load(made, report=lines.append)
    np.testing.assert_allclose(
        network.run(ROWS)["y"], outputs(made, **ROWS)[0], rtol=1e-4, atol=1e-4
    )
    assert lines == [
        "reading: 1 com.microsoft.BiasGelu, 2 com.microsoft.FusedMatMul read as what they stand for "
        "in ONNX's own operators"
    ]


def test_what_is_assumed_of_a_past_is_said():
    lines = []
    allotrope.load(CASES["GroupQueryAttention with a past and a window"][0], report=lines.append)
    assert "reading: GroupQueryAttention takes the pasts of all rows as equally long" in lines


def test_inside_of_a_branch():
    def branch(name, operator):
        inner = helper.make_node(operator, ["x"], [name], domain=MICROSOFT)
        return helper.make_graph([inner], name, [], [tensor(name, shape=None)])

    choose = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a", "Gelu"), else_branch=branch("b", "FastGelu")
    )
    made = model(
        [choose],
        [tensor("x", shape=["n", 5, 6])],
        arrays={"c": np.array(True)},
        opset=17,
        ir_version=8,
    )
    made.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    np.testing.assert_allclose(
        allotrope.load(made).run(ROWS)["y"], outputs(made, **ROWS)[0], rtol=1e-4, atol=1e-5
    )
