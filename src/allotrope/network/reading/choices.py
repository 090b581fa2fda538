"""Attributes that are one of a few words.

onnx's schemas do not say which, and a word that nobody knows would be taken for the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, NodeProto

Words = Mapping[str, tuple[str, ...]]
"""What an attribute may be, by its name."""

_PADDING: Words = {"auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")}
_DIRECTION: Words = {"direction": ("forward", "reverse", "bidirectional")}
_SCATTERED: Words = {"reduction": ("none", "add", "mul", "max", "min")}
_LOSS: Words = {"reduction": ("none", "sum", "mean")}

CHOICES: dict[str, Words] = {
    **dict.fromkeys(("Conv", "ConvInteger", "ConvTranspose", "QLinearConv"), _PADDING),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _PADDING),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _DIRECTION),
    **dict.fromkeys(("ScatterElements", "ScatterND"), _SCATTERED),
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), _LOSS),
    "BitShift": {"direction": ("LEFT", "RIGHT")},
    "DepthToSpace": {"mode": ("DCR", "CRD")},
    "Gelu": {"approximate": ("none", "tanh")},
    "GridSample": {
        "mode": ("bilinear", "linear", "nearest", "bicubic", "cubic"),
        "padding_mode": ("zeros", "border", "reflection"),
    },
    "Pad": {"mode": ("constant", "reflect", "edge", "wrap")},
    "Resize": {
        "mode": ("nearest", "linear", "cubic"),
        "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil", ""),
        "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    },
    "RoiAlign": {
        "mode": ("avg", "max"),
        "coordinate_transformation_mode": ("half_pixel", "output_half_pixel"),
    },
    "TfIdfVectorizer": {"mode": ("TF", "IDF", "TFIDF")},
}
"""The words by operator and attribute, those of older opsets among them (ONNX, docs/Operators.md
and docs/Changelog.md)."""


def unknown_words(node: NodeProto) -> Iterator[str]:
    """What is wrong with a node's words, for one of ONNX's own operators."""
    choices = CHOICES.get(node.op_type, {})
    for attribute in node.attribute:
        known = choices.get(attribute.name)
        if known and attribute.type == AttributeProto.STRING and not attribute.ref_attr_name:
            word = attribute.s.decode("utf-8", "replace")
            if word not in known:
                yield f"has {attribute.name} '{word}', not one of {', '.join(filter(None, known))}"
