"""Foreign operators that have no spelling here, and what to do about each."""

from __future__ import annotations

from allotrope.network.reading.foreign.operator_table import refused

BLOCKED = "com.microsoft.nchwc"
"""ONNX Runtime's images in blocks of channels, as wide as a register of its processor."""

refused(
    "ReorderInput",
    "ReorderOutput",
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "GlobalAveragePool",
    "Upsample",
    domain=BLOCKED,
    why="is laid out for one kind of processor (ONNX Runtime's level ORT_ENABLE_ALL). "
    "Save the file with ORT_ENABLE_EXTENDED, or give the "
    "file that was optimized",
)
refused(
    "Inverse", why="inverts matrices, for which ONNX has no operator. Export the network without it"
)
refused(
    "SparseAttention",
    "PagedAttention",
    "DecoderMaskedMultiHeadAttention",
    "DecoderMaskedSelfAttention",
    "PackedAttention",
    "PackedMultiHeadAttention",
    "LongformerAttention",
    "DecoderAttention",
    why="keeps its past in buffers that are laid out for one engine. "
    "Export the network with plain attention",
)
refused(
    "BeamSearch",
    "GreedySearch",
    "Sampling",
    "WhisperBeamSearch",
    why="searches for a text with a network inside. Give that network's own file",
)
refused(
    "MoE",
    "QMoE",
    "MatMulBnb4",
    "MatMulFpQ4",
    "GatherBlockQuantized",
    "QOrderedMatMul",
    "QOrderedAttention",
    "QOrderedGelu",
    "QOrderedLayerNormalization",
    "QOrderedLongformerAttention",
    why="holds its weights in a form that is not understood. Give the file before it was quantized",
)
_SERVED = "It can be measured (bench) and served, not trained or converted"
refused(
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    domain="ai.onnx.ml",
    why=f"is made of trees, which have no gradients. {_SERVED}",
)
refused(
    "SVMClassifier",
    "SVMRegressor",
    domain="ai.onnx.ml",
    why=f"is a support vector machine, which is not understood. {_SERVED}",
)
