"""Each of ONNX Runtime's own operators against it, with attributes set and inputs left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

import allotrope
from foreign_models import (
    GROUPED,
    GROUPS,
    HIDDEN,
    IDS,
    IMAGE,
    KERNEL,
    NORM,
    PAST,
    PROJECTION,
    QUERY,
    RNG,
    ROWS,
    TABLES,
    TOTAL_5,
    TURNS,
    F,
    bits,
    f,
    foreign,
    q,
)
from onnx_models import outputs

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
    made, values = CASES[case]
    network = allotrope.load(made)
    assert not any(n.domain for n in network.graph.nodes)
    answers = [network.run(values)[value.name] for value in network.outputs]
    for one, expected in zip(answers, outputs(made, **values), strict=True):
        if expected is not None:
            assert one.dtype == expected.dtype and one.shape == expected.shape
            np.testing.assert_allclose(one, expected, rtol=2e-4, atol=2e-5)


def test_the_erfc_that_tf2onnx_leaves_in_onnxs_domain_is_read():
    made, values = foreign("Erfc", "x", ROWS, version=15, domain="")
    network = allotrope.load(made)
    y = network.run(values)[network.outputs[0].name]
    np.testing.assert_allclose(y, np.vectorize(math.erfc)(values["x"]), rtol=1e-5, atol=1e-6)
