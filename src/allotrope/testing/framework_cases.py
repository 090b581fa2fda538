"""A small network of what frameworks treat differently, batches, and traps done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.frameworks.contract import Batch, Loss
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.tasks import Classification, MultiLabel, Regression
from allotrope.tasks.several import joint_loss


def small() -> Network:
    """Convolution, normalization, dropout and a linear layer: x [n, 3, 6, 6] to logits [n, 4]."""
    rng, b = np.random.default_rng(3), Builder()

    def weight(label: str, *shape: int) -> str:
        return b.weight(label, (rng.standard_normal(shape) * 0.5).astype(np.float32))

    x = b.input("x", "float32", ("n", 3, 6, 6))
    y = b.add(
        "Conv", [x, weight("conv.weight", 8, 3, 3, 3)], {"strides": (2, 2), "pads": (1, 1, 1, 1)}
    )
    state = [
        b.weight(f"bn.{n}", np.full(8, v, np.float32), trainable=False)
        for n, v in (("running_mean", 0.5), ("running_var", 2.0))
    ]
    y = b.add(
        "BatchNormalization",
        [y, weight("bn.weight", 8), weight("bn.bias", 8), *state],
        {"momentum": 0.8, "epsilon": 1e-3},
    )
    y = b.add("Dropout", [b.add("Relu", [y]), b.constant(np.float32(0.25))])
    y = b.add("Flatten", [b.add("MaxPool", [y], {"kernel_shape": (2, 2), "strides": (2, 2)})])
    b.output(
        b.add("Gemm", [y, weight("fc.weight", 4, 8), weight("fc.bias", 4)], {"transB": 1}), "logits"
    )
    return b.network()


def several() -> Network:
    """Two inputs and three outputs: raw `image` and `numbers` to `label`, `age` and `signs`."""
    rng, b = np.random.default_rng(5), Builder("several")

    def dense(x: str, label: str, wide: int, deep: int) -> str:
        weight = (rng.standard_normal((deep, wide)) / np.sqrt(wide)).astype(np.float32)
        bias = b.weight(f"{label}.bias", np.full(deep, 0.1, np.float32))
        return b.add("Gemm", [x, b.weight(f"{label}.weight", weight), bias], {"transB": 1})

    pixels, numbers = (
        b.input("image", "uint8", ("n", 6, 6, 3)),
        b.input("numbers", "float32", ("n", 5)),
    )
    x = b.add("Div", [b.add("Cast", [pixels], {"to": 1}), b.constant(np.float32(128))])
    x = b.add("Transpose", [x], {"perm": (0, 3, 1, 2)})
    filters = (rng.standard_normal((8, 3, 3, 3)) / 5).astype(np.float32)
    x = b.add("Conv", [x, b.weight("conv.weight", filters)], {"strides": (2, 2)})
    scale = [
        b.weight(f"bn.{n}", np.full(8, v, np.float32)) for n, v in (("weight", 1.0), ("bias", 0.2))
    ]
    state = [
        b.weight(f"bn.{n}", np.full(8, v, np.float32), trainable=False)
        for n, v in (("mean", 0.1), ("variance", 1.0))
    ]
    x = b.add("Tanh", [b.add("BatchNormalization", [x, *scale, *state])])
    x = b.add(
        "Concat", [b.add("Flatten", [x]), b.add("Tanh", [dense(numbers, "fc", 5, 8)])], {"axis": 1}
    )
    trunk = b.add(
        "Dropout", [b.add("Tanh", [dense(x, "trunk", 40, 16)]), b.constant(np.float32(0.2))]
    )
    for name, size in SEVERAL.items():
        b.output(dense(trunk, f"{name}.head", 16, size), name)
    return b.network()


SEVERAL = {"label": 4, "age": 1, "signs": 3}
"""The tasks of `several` (one of four classes, a number, three flags) and their sizes."""


def several_tasks() -> Loss:
    """The loss of all three, one of them counted half."""
    label = Classification(name="label", classes=("a", "b", "c", "d"))
    signs = MultiLabel(name="signs", labels=("x", "y", "z"), weight=0.5)
    return joint_loss([label, Regression(name="age"), signs])


def several_batch(step: int, count: int = 8) -> Batch:
    """Examples for `several`; a third of the labels of each task is missing."""
    rng = np.random.default_rng((7, step))
    inputs = {
        "image": rng.integers(0, 256, (count, 6, 6, 3), np.uint8),
        "numbers": rng.standard_normal((count, 5)).astype(np.float32),
    }
    targets = {
        "label": np.eye(4, dtype=np.float32)[rng.integers(0, 4, count)],
        "age": rng.standard_normal((count, 1)).astype(np.float32),
        "signs": rng.integers(0, 2, (count, 3)).astype(np.float32),
    }
    weights = {name: (rng.permutation(count) >= count // 3).astype(np.float32) for name in targets}
    return Batch(inputs, targets, weights)


def _batch(step: int) -> Batch:
    x = np.random.default_rng(step).standard_normal((6, 3, 6, 6)).astype(np.float32)
    return Batch({"x": x}, {"logits": np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]})


BATCHES = [_batch(step) for step in range(20)]

RAMP = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
CORNER = RAMP[:, :, :2, :2]
TRAPS: dict[str, tuple[str, list[Any], dict[str, Any], Any]] = {
    "epsilon is inside of the root": (
        "BatchNormalization",
        [RAMP[:, 0, 0, :1] * 3, *(np.full(1, v, np.float32) for v in (1, 0, 1, 0))],
        {"epsilon": 0.25},
        [[4.0]],
    ),
    "an even kernel pads the end": (
        "Conv",
        [CORNER, np.ones((1, 1, 2, 2), np.float32)],
        {"auto_pad": "SAME_UPPER"},
        [[[[14, 8], [11, 6]]]],
    ),
    "padding does not count in a mean": (
        "AveragePool",
        [CORNER],
        {"kernel_shape": (2, 2), "pads": (1, 1, 0, 0)},
        [[[[1, 1.5], [3, 3.5]]]],
    ),
    "padding counts in a mean where asked": (
        "AveragePool",
        [CORNER],
        {"kernel_shape": (2, 2), "pads": (1, 1, 0, 0), "count_include_pad": 1},
        [[[[0.25, 0.75], [1.5, 3.5]]]],
    ),
    "ceil mode keeps the partial window": (
        "MaxPool",
        [RAMP],
        {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1},
        [[[[11, 12], [15, 16]]]],
    ),
    "gelu is exact": ("Gelu", [np.array([1.0], np.float32)], {}, [0.8413447]),
    "gelu by tanh": ("Gelu", [np.array([1.0], np.float32)], {"approximate": "tanh"}, [0.841192]),
    "integers divide toward zero": ("Div", [np.array([-7, 7]), np.array([2, -2])], {}, [-3, -3]),
    "modulo has the divisor's sign": ("Mod", [np.array([-7, 7]), np.array([3, -3])], {}, [2, -2]),
    "fmod has the dividend's sign": (
        "Mod",
        [np.array([-7, 7]), np.array([3, -3])],
        {"fmod": 1},
        [-1, 1],
    ),
    "the first of equals is the largest": (
        "ArgMax",
        [np.array([[1, 3, 3], [2, 2, 1]], np.float32)],
        {"keepdims": 0, "axis": 1},
        [1, 0],
    ),
    "the last of equals where asked": (
        "ArgMax",
        [np.array([[1, 3, 3], [2, 2, 1]], np.float32)],
        {"keepdims": 0, "axis": 1, "select_last_index": 1},
        [2, 1],
    ),
    "64-bit integers keep every bit": (
        "Add",
        [np.array([2**40 + 1]), np.array([2**52])],
        {},
        [2**40 + 1 + 2**52],
    ),
}  # fmt: skip
"""What is shown: operator, inputs, attributes, the output worked out by hand."""

CORNERS: dict[str, tuple[list[float], list[float]]] = {
    "align_corners": ([0, 3], [0, 1, 2, 3]),
    "half_pixel": ([0, 3], [0, 0.75, 2.25, 3]),
    "asymmetric": ([0, 2], [0, 1, 2, 2]),
}
"""How a line of two becomes one of four, by the mode of `Resize`."""
