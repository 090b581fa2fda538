"""Operators that ONNX Runtime has for other processors alone, against NumPy."""

from __future__ import annotations

import math

import numpy as np
from onnx import numpy_helper

import allotrope
from foreign_models import F, f, foreign


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
    made, values = foreign(
        "GroupNorm", "x s h", {"x": f(2, 3, 5, 6)}, {"s": f(6), "h": f(6)}, groups=2, activation=1
    )
    arrays = arrays_of(made)
    expected = swish(normalized(values["x"], arrays["s"], arrays["h"], 2))
    np.testing.assert_allclose(
        allotrope.load(made).run(values)["y0"], expected, rtol=1e-4, atol=1e-5
    )


def test_group_normalization_of_a_sum():
    made, values = foreign(
        "SkipGroupNorm",
        "x s h r k",
        {"x": f(2, 3, 5, 6), "r": f(2, 6)},
        {"s": f(6), "h": f(6), "k": f(6)},
        groups=3,
        activation=0,
        count=2,
    )
    arrays = arrays_of(made)
    total = values["x"] + values["r"][:, None, None] + arrays["k"]
    outputs = allotrope.load(made).run(values)
    np.testing.assert_allclose(outputs["y1"], total, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        outputs["y0"], normalized(total, arrays["s"], arrays["h"], 3), rtol=1e-4, atol=1e-5
    )


def test_the_small_ones():
    x, b = f(2, 5, 6), f(6)
    for operator, names, values, fixed, attributes, expected in (
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
        made, inputs = foreign(operator, names, values, fixed, **attributes)
        y = allotrope.load(made).run(inputs)["y0"]
        if expected is None:
            expected = np.repeat(inputs["x"].sum(-1, keepdims=True) + 1, 2, -1)
        np.testing.assert_allclose(y, expected, rtol=2e-3, atol=2e-3, err_msg=operator)


def arrays_of(made):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
