"""Arrays and nodes of quantized files."""

from __future__ import annotations

import numpy as np

import allotrope
from onnx_models import node, tensor
from repaired import F

RNG = np.random.default_rng(6)
IMAGE = [tensor("x", shape=["n", 3, 6, 6])]
PIXELS = RNG.standard_normal((4, 3, 6, 6)).astype(F)
ROWS = [tensor("x", shape=["n", 6])]
X = RNG.standard_normal((4, 6)).astype(F)


def drawn(*shape):
    return (RNG.standard_normal(shape) * 0.3).astype(F)


def bytes_(*shape, dtype=np.int8):
    return RNG.integers(0 if dtype == np.uint8 else -127, 128, shape).astype(dtype)


def number(value, dtype=F):
    return np.array(value, dtype)


def loaded(made, **options):
    lines = []
    return allotrope.load(made, report=lines.append, **options), lines


W8 = bytes_(6, 4)
U8 = bytes_(6, 4, dtype=np.uint8)
FLOATS = drawn(6, 4)
COLUMNS = np.abs(drawn(4)) + F(0.01)
ROW_SCALES = np.arange(1, 7, dtype=F)
BLOCKS = np.abs(drawn(3, 4)) + F(0.01)
ZEROS = np.array([1, 2, 3, 4], np.int8)
SCALE = number(0.02)


def dequantize(names, **attributes):
    return [node("DequantizeLinear", names, "w", **attributes)]


def rounding(x, y, s="s", z="z", **attributes):
    return [
        node("QuantizeLinear", f"{x} {s} {z}", f"{y}/q", **attributes),
        node("DequantizeLinear", f"{y}/q {s} {z}", y, **attributes),
    ]
