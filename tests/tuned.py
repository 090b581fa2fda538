"""A classifier as an exporter writes it, linear ones, and images for them.

And how the tests of fine-tuning prepare networks for images.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper

import allotrope
from allotrope.architectures.fine_tune import prepared
from allotrope.config import FineTuning
from allotrope.data.reading import labelled, labelled_data
from onnx_models import model, node, tensor

F = np.float32


def drawn(*shape, scale=None):
    random = np.random.default_rng(sum(shape))
    return (random.standard_normal(shape) * (scale or np.sqrt(2 / np.prod(shape[1:])))).astype(F)


ARRAYS = {
    "c1.weight": drawn(12, 1, 3, 3),
    "c1.bias": np.zeros(12, F),
    "c2.weight": drawn(24, 12, 3, 3),
    "c2.bias": np.zeros(24, F),
    "bn.weight": np.ones(12, F),
    "bn.bias": np.zeros(12, F),
    "bn.mean": np.zeros(12, F),
    "bn.var": np.ones(12, F),
    "fc.weight": drawn(10, 96, scale=0.05),
    "fc.bias": np.zeros(10, F),
    "shape": np.array([1, 96]),
}
"""A classifier of grey 8x8 images."""

LAYERS = [
    helper.make_node("Conv", ["x", "c1.weight", "c1.bias"], ["a"], name="c1", pads=[1] * 4),
    node("BatchNormalization", "a bn.weight bn.bias bn.mean bn.var", "b", name="bn"),
    node("Sigmoid", "b", "s"),
    node("Mul", "b s", "d"),
    helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Conv", ["e", "c2.weight", "c2.bias"], ["f"], name="c2", pads=[1] * 4),
    node("Relu", "f", "g"),
    helper.make_node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Reshape", "h shape", "i"),
    helper.make_node("Gemm", ["i", "fc.weight", "fc.bias"], ["l"], name="fc", transB=1),
]


def classifier(*end, arrays=None, inputs=None, classes=10):
    """The classifier with a softmax, or another end, as an exporter writes it.

    It has a batch of 1, and SiLU in two nodes.
    """
    nodes = [*LAYERS, *(end or [node("Softmax", "l", "y")])]
    x = inputs or [tensor("x", shape=[1, 1, 8, 8])]
    y = [tensor("y", shape=[1, classes])]
    return model(nodes, x, y, {**ARRAYS, **(arrays or {})})


FIVE = {"fc.weight": drawn(5, 96, scale=0.05), "fc.bias": np.zeros(5, F)}


def linear(shape, dtype=TensorProto.FLOAT, before=(), features=None, **arrays):
    """Rows of the input times weights; `shape` without the first axis."""
    nodes = [*before, node("Flatten", "p" if before else "x", "f"), node("MatMul", "f w", "y")]
    arrays = {"w": drawn(features or int(np.prod(shape)), 10), **arrays}
    return model(nodes, [tensor("x", dtype, ["n", *shape])], arrays=arrays)


def taught(train, *before, **arrays):
    """A linear classifier of grey 8x8 images from 0 to 1 that knows their classes.

    `before` are nodes from x to p that change nothing.
    """
    x = train["image"].reshape(len(train), -1) / 255.0
    weight = np.linalg.lstsq(x, np.eye(10)[train["label"]], rcond=None)[0]
    return linear([1, 8, 8], before=before, w=weight.astype(F), **arrays)


def images(shape, classes=10):
    """Random data with images [h, w, c]."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
    split = labelled(pixels, np.arange(40) % classes)
    return labelled_data("data", tuple(map(str, range(classes))), split, split, split)


def ready(source, data, framework="pytorch", seed=0, **options):
    return prepared(allotrope.load(source), data, FineTuning(**options), framework, seed)


def first_of(data, **counts):
    """The data with so many examples of these splits."""
    parts = {name: data.splits[name].take(np.arange(count)) for name, count in counts.items()}
    return replace(data, splits={**data.splits, **parts})
