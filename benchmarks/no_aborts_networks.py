"""What `no_aborts.py` trains, each by a name of one kind.

`file:`, `light:`, `zoo:`, `random:` and `case:`.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import _normalize_tensor

from allotrope import load
from allotrope.measure.random_inputs import random_inputs
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.rewriting.compose import with_preprocessing

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import light_networks

BATCH = 2
LENGTH = 64
"""Of free lengths other than the batch."""
SIDE = 32
"""Of the pictures for networks of the zoo."""
WORDS = 50
"""That networks for texts know."""


def names(kind, files=(), randoms=0):
    """The names of all networks of a kind."""
    if kind == "file":
        return [f"file:{path}" for path in files]
    if kind == "light":
        return [f"light:{name}" for name in light_networks.FILES]
    if kind == "zoo":
        every = zoo.NETWORKS, zoo.VOLUMETRIC, zoo.TEXT_NETWORKS, ["table_mlp"]
        return [f"zoo:{name}" for group in every for name in group]
    if kind == "random":
        return [f"random:{seed}" for seed in range(randoms)]
    return [f"case:{name}" for name, case in cases().items() if has_floats(case)]


def made(name):
    """The network of this name, and its inputs."""
    kind, _, rest = name.partition(":")
    if kind == "case":
        return of_case(rest)
    network = {"file": load, "light": light, "zoo": of_zoo, "random": random_detector}[kind](rest)
    if rest in zoo.TEXT_NETWORKS:
        return network, {value.name: numbers_of_words() for value in network.inputs}
    free = {d for value in network.inputs for d in value.shape[1:] if isinstance(d, str)}
    if kind == "random" and int(rest) % 2:
        batch = 1
    else:
        batch = BATCH
    return network, random_inputs(network.inputs, batch, dict.fromkeys(free, LENGTH))


def light(name):
    """One of the wheel's networks, with weights drawn for it."""
    return load(light_networks.with_weights(name))


def of_zoo(name):
    """A network of the zoo as `fit` trains it; those for pictures over raw pixels."""
    if name in zoo.VOLUMETRIC:
        return zoo.VOLUMETRIC[name](10, (1, SIDE, SIDE, SIDE))
    if name == "table_mlp":
        edges = [np.linspace(-2, 2, 9, dtype=np.float32)] * 3
        return zoo.table_mlp({"price": 1, "city": 3}, 3, 2, edges)
    if name == "ngram":
        return zoo.ngram(10, of_terms())
    if name in zoo.TEXT_NETWORKS:
        return zoo.TEXT_NETWORKS[name](10, np.arange(WORDS, dtype=np.int32), terms=of_terms())
    return with_preprocessing(zoo.network(name)(10, (3, SIDE, SIDE)), [127.0] * 3, [64.0] * 3)


def of_terms():
    """What a linear model knows of `WORDS` terms, drawn at random."""
    draw = np.random.default_rng(0)
    scores = draw.standard_normal((WORDS, 10)).astype(np.float32)
    scores[0] = 0.0
    squares = np.ones(WORDS, np.float32)
    squares[0] = 0.0
    return zoo.Terms(np.arange(WORDS, dtype=np.int32), squares, scores, np.zeros(10, np.float32))


def numbers_of_words():
    """Texts of several lengths: int32 [n, w], then zeros."""
    words = np.random.default_rng(0).integers(1, WORDS, (BATCH, 12), np.int32)
    words[0, 7:] = 0
    return words


# --- ONNX's own cases


@functools.cache
def cases():
    """Every node case of the onnx wheel by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx computes expected values that overflow on purpose
        return {case.name: case for case in load_model_tests(kind="node")}


def has_floats(case):
    """Whether float32 arrays go in and come out, and nothing but arrays."""
    inputs, outputs = case.data_sets[0]
    kinds = [
        {getattr(array(value), "dtype", None) for value in values} for values in (inputs, outputs)
    ]
    return all(np.dtype(np.float32) in kind for kind in kinds) and None not in kinds[0] | kinds[1]


def array(value):
    value = _normalize_tensor(value)
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    return value


def of_case(name, every=True):
    """A case whose float inputs each have a weight of their own added.

    Its other inputs are constants. `every` False is for cases in which floats must be known
    beforehand: only the first float is an input then.
    """
    case = cases()[name]
    network = load(case.model, repair=False)
    arrays = [array(value) for value in case.data_sets[0][0]]
    arrays = {value.name: a for value, a in zip(network.inputs, arrays, strict=False)}
    floats = [n for n, a in arrays.items() if a.dtype == np.float32]
    inputs = {n: arrays[n] for n in (floats if every else floats[:1])}
    constants = {n: a for n, a in arrays.items() if n not in inputs}
    moved = {n: f"{n}.moved" for n in inputs}
    weights = {f"{n}.weight": np.zeros_like(a) for n, a in inputs.items()}
    adds = [Node("Add", (n, f"{n}.weight"), (moved[n],), {}, moved[n]) for n in inputs]
    nodes = [
        replace(n, inputs=tuple(moved.get(i, i) for i in n.inputs)) for n in network.graph.nodes
    ]
    graph = replace(
        network.graph,
        inputs=tuple(
            replace(v, shape=inputs[v.name].shape) for v in network.inputs if v.name in inputs
        ),
        nodes=(*adds, *nodes),
        constants={**network.graph.constants, **constants},
    )
    weights |= network.weights
    trainable = {f"{n}.weight" for n in inputs} | network.trainable
    return Network(infer_shapes(graph, weights), weights, trainable), inputs


# --- small networks as detectors are, at random


class Detector:
    """Convolutions of every form, joined and pooled, and heads, transposed and flattened."""

    def __init__(self, seed):
        self.random, self.b = np.random.default_rng(seed), Builder()
        self.ends = []

    def pick(self, *choices):
        return choices[self.random.integers(len(choices))]

    def weight(self, *shape, scale=None):
        values = self.random.normal(size=shape) * (scale or 1 / math.sqrt(math.prod(shape[1:])))
        return self.b.weight(f"w{len(self.b._weights)}", values.astype(np.float32))

    def convolution(self, x, c, h, w):
        """A convolution behind x [n, c, h, w]; what it gives and its shape."""
        kernel, stride = self.pick(1, 3, 3, 5), self.pick(1, 1, 2, 2, 3)
        depthwise = self.pick(True, False)
        if depthwise:
            group = c
        else:
            group = self.pick(1, 1, 2)
        if depthwise:
            m = c * self.pick(1, 1, 2)
        else:
            m = self.pick(4, 8, 12)
        pads = self.pick((kernel // 2,) * 4, (0, 0, 0, 0), (kernel // 2, 0, 0, kernel // 2))
        lengths = [(n + pads[i] + pads[i + 2] - kernel) // stride + 1 for i, n in enumerate((h, w))]
        if min(lengths) < 2 or m % group or c % group:
            return x, c, h, w
        inputs = [x, self.weight(m, c // group, kernel, kernel)]
        if self.pick(True, True, False):
            inputs.append(self.weight(m, scale=0.1))
        options = {
            "group": group,
            "strides": (stride, stride),
            "pads": pads,
            "kernel_shape": (kernel, kernel),
        }
        return self.after(self.b.add("Conv", inputs, options), m), m, *lengths

    def after(self, x, c):
        """Normalization and activation, or neither."""
        if self.pick(True, False):
            ones, zeros = np.ones(c, np.float32), np.zeros(c, np.float32)
            count = len(self.b._weights)
            state = [
                self.b.weight(f"s{count}.{i}", a, trainable=False)
                for i, a in enumerate((zeros, ones))
            ]
            x = self.b.add(
                "BatchNormalization", [x, self.weight(c, scale=1), self.weight(c, scale=1), *state]
            )
        activation = self.pick(
            "Relu", "Relu", "Clip", "LeakyRelu", "Elu", "Tanh", "PRelu", "Sigmoid", "Swish", ""
        )
        if activation == "Clip":
            return self.b.add(
                "Clip", [x, self.b.constant(np.float32(0)), self.b.constant(np.float32(6))]
            )
        if activation == "PRelu":
            return self.b.add("PRelu", [x, self.weight(c, 1, 1)])
        if activation:
            return self.b.add(activation, [x])
        return x

    def pooled(self, x, c, h, w):
        """A pooling that keeps the lengths, or none."""
        kind = self.pick("MaxPool", "AveragePool", "")
        if not kind:
            return x
        return self.b.add(
            kind, [x], {"kernel_shape": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1)}
        )

    def head(self, x, c, h, w):
        """x as rows of 4 or 2 numbers, by way of a transpose as detectors have it, or of a mean."""
        if self.pick(True, True, False):
            count, group = self.pick((2, 1), (4, 1), (8, 1))
            x = self.b.add(
                "Conv",
                [x, self.weight(count, c // group, 3, 3), self.weight(count)],
                {"pads": (1, 1, 1, 1)},
            )
            last = self.b.add("Transpose", [x], {"perm": (0, 2, 3, 1)})
            rows = self.b.add("Reshape", [last, self.b.constant(np.array([0, -1, 2]))])
            self.ends.append(
                self.b.add("Softmax", [rows], {"axis": -1}) if self.pick(True, False) else rows
            )
            return
        mean = self.b.add("ReduceMean", [x, self.b.constant(np.array([2, 3]))], {"keepdims": 0})
        rows = None
        if c % 2 == 0:
            rows = self.b.add("Reshape", [mean, self.b.constant(np.array([0, -1, 2]))])
        if rows:
            self.ends += [rows]
        else:
            self.ends += []

    def network(self):
        x, c, h, w = self.b.input("image", "float32", ("n", 3, 24, 32)), 3, 24, 32
        for _ in range(self.random.integers(3, 7)):
            before, shape = x, (c, h, w)
            x, c, h, w = self.convolution(x, c, h, w)
            x = self.pooled(x, c, h, w)
            if (c, h, w) == shape and before != x:
                x = self.b.add(self.pick("Add", "Mul"), [before, x])
            if self.pick(True, False):
                x, c = self.b.add("Concat", [x, self.b.add("Relu", [x])], {"axis": 1}), 2 * c
            if self.pick(True, False):
                self.head(x, c, h, w)
        self.head(x, c, h, w)
        flat = [self.b.add("Flatten", [x]) for x in self.ends or [x]]
        self.b.output(self.b.add("Concat", flat, {"axis": 1}), "boxes")
        return self.b.network()


def random_detector(seed):
    """A small network that is another one for each seed."""
    return Detector(int(seed)).network()
