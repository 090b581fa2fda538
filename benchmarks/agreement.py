"""Checks nine kinds of network in every framework that is installed.

It writes the table of docs/agreement.md.

    python benchmarks/agreement.py [--networks mlp cnn] [--frameworks pytorch,jax] [--steps 200]
        [--threads 2] [--write docs/agreement.md]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from allotrope import check, networks
from allotrope.frameworks import FRAMEWORKS, missing
from allotrope.network.build import Builder
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.testing.framework_cases import several

BEGIN, END = "<!-- agreement: begin -->", "<!-- agreement: end -->"


class Layers(Builder):
    """A builder that draws weights."""

    def __init__(self, name):
        super().__init__(name)
        self.random = np.random.default_rng(0)

    def drawn(self, name, *shape, fan=None):
        values = self.random.standard_normal(shape) / np.sqrt(fan or shape[-1])
        return self.weight(name, values.astype(np.float32))

    def filled(self, name, value, *shape, trainable=True):
        return self.weight(name, np.full(shape, value, np.float32), trainable=trainable)

    def dense(self, x, name, wide, deep):
        weight = self.drawn(f"{name}.weight", wide, deep, fan=wide)
        bias = self.filled(f"{name}.bias", 0, deep)
        return self.add("Add", [self.add("MatMul", [x, weight]), bias])

    def normalized(self, x, name, width):
        weight = self.filled(f"{name}.weight", 1, width)
        bias = self.filled(f"{name}.bias", 0, width)
        return self.add("LayerNormalization", [x, weight, bias], {"axis": -1})

    def reshaped(self, x, *shape):
        return self.add("Reshape", [x, self.constant(np.array(shape))])

    def transposed(self, x, *axes):
        return self.add("Transpose", [x], {"perm": axes})

    def convolved(self, x, name, wide, deep, kernel, groups=1, stride=1):
        fan = wide // groups * kernel**2 / 2
        weight = self.drawn(f"{name}.weight", deep, wide // groups, kernel, kernel, fan=fan)
        attributes = {
            "group": groups,
            "strides": (stride, stride),
            "pads": (kernel // 2,) * 4,
        }
        x = self.add("Conv", [x, weight], attributes, name=name)
        affine = [
            self.filled(f"{name}.bn.weight", 1, deep),
            self.drawn(f"{name}.bn.bias", deep, fan=100),  # 0 would be on ReLU's kink
        ]
        state = [
            self.filled(f"{name}.bn.mean", 0, deep, trainable=False),
            self.filled(f"{name}.bn.variance", 1, deep, trainable=False),
        ]
        return self.add("Relu", [self.add("BatchNormalization", [x, *affine, *state])])


def depthwise():
    """Depthwise-separable convolutions over spectrograms, as for keywords in speech.

    Zhang et al. 2017.
    """
    b = Layers("depthwise")
    x = b.convolved(b.input("x", "float32", ("n", 1, 20, 10)), "conv1", 1, 24, 3, stride=2)
    for block in range(3):
        x = b.convolved(x, f"depthwise{block}", 24, 24, 3, groups=24)
        x = b.convolved(x, f"pointwise{block}", 24, 24, 1)
    x = b.add("Flatten", [b.add("GlobalAveragePool", [x])])
    x = b.add("Dropout", [x, b.constant(np.float32(0.2))])
    b.output(b.dense(x, "fc", 24, 6), "logits")
    return b.network()


def recurrent(operator, gates):
    """A bidirectional recurrent layer over [n, t, 5], and a dense one over its last states."""
    b, hidden = Layers(operator.lower()), 7
    x = b.transposed(b.input("x", "float32", ("n", "t", 5)), 1, 0, 2)
    arrays = [
        b.drawn("W", 2, gates * hidden, 5),
        b.drawn("R", 2, gates * hidden, hidden),
        b.drawn("B", 2, 2 * gates * hidden, fan=4),
    ]
    attributes = {"hidden_size": hidden, "direction": "bidirectional"}
    outputs = {"GRU": 2, "LSTM": 3}[operator]
    _, last, *_ = b.add(operator, [x, *arrays], attributes, outputs=outputs)
    x = b.reshaped(b.transposed(last, 1, 0, 2), -1, 2 * hidden)
    b.output(b.dense(x, "fc", 2 * hidden, 3), "logits")
    return b.network()


HEADS, WIDTH, LENGTH = 2, 16, 6


def attention(b, x, name, mask):
    """Two heads of attention over x [n, LENGTH, WIDTH], spelled out; `mask` is added."""
    size = WIDTH // HEADS
    parts = [b.dense(x, f"{name}.{part}", WIDTH, WIDTH) for part in "qkv"]
    q, k, v = (b.reshaped(part, 0, 0, HEADS, size) for part in parts)
    q, k, v = b.transposed(q, 0, 2, 1, 3), b.transposed(k, 0, 2, 3, 1), b.transposed(v, 0, 2, 1, 3)
    scores = b.add("Mul", [b.add("MatMul", [q, k]), b.constant(np.float32(size**-0.5))])
    y = b.add("MatMul", [b.add("Softmax", [b.add("Add", [scores, mask])]), v])
    return b.dense(
        b.reshaped(b.transposed(y, 0, 2, 1, 3), 0, 0, WIDTH), f"{name}.out", WIDTH, WIDTH
    )


def transformer():
    """Two pre-norm blocks with causal attention over tokens [n, t], masked with -1e9.

    The embedding is the last layer too.
    """
    b = Layers("transformer")
    table = b.drawn("embedding", 40, WIDTH)
    x = b.add("Gather", [table, b.input("tokens", "int64", ("n", LENGTH))])
    x = b.add("Add", [x, b.drawn("positions", LENGTH, WIDTH)])
    mask = b.constant(np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1))
    for block in range(2):
        y = b.normalized(x, f"{block}.norm1", WIDTH)
        x = b.add("Add", [x, attention(b, y, f"{block}", mask)])
        y = b.normalized(x, f"{block}.norm2", WIDTH)
        y = b.add("Gelu", [b.dense(y, f"{block}.mlp1", WIDTH, 32)])
        x = b.add("Add", [x, b.dense(y, f"{block}.mlp2", 32, WIDTH)])
    x = b.normalized(x, "norm", WIDTH)
    b.output(b.add("MatMul", [x, b.transposed(table, 1, 0)]), "logits")
    return b.network()


def pictures(name, side, **options):
    """A network of the zoo over raw pixels, as `fit` trains it."""
    network = networks.network(name)(classes=10, image=(3, side, side), **options)
    return with_preprocessing(network, [120.0] * 3, [60.0] * 3)


THREE_TASKS = ["label=classification", "age=regression", "signs=multilabel"]
NETWORKS = {
    "mlp": (lambda: networks.mlp(10, (1, 8, 8)), {}),
    "cnn": (lambda: pictures("cnn", 16), {}),
    "resnet20": (lambda: pictures("resnet20", 16), {"batch": 16}),
    # At the default rate of 0.01 its trainings are chaotic:
    # PyTorch parts from itself if weights begin 1e-15 off.
    "mobilenet_v2": (
        lambda: pictures("mobilenet_v2", 64, width=0.25),
        {"batch": 16, "directions": 8, "learning_rate": 1e-4},
    ),
    "depthwise": (depthwise, {"batch": 16}),
    "gru": (lambda: recurrent("GRU", 3), {"dimensions": ["t=5"]}),
    "lstm": (lambda: recurrent("LSTM", 4), {"dimensions": ["t=5"]}),
    "transformer": (transformer, {}),
    # Two inputs, three tasks, a third of the labels missing.
    "several": (several, {"tasks": THREE_TASKS, "missing": 1 / 3, "batch": 16}),
}
PARTS = {
    "float64": (
        "outputs",
        "training outputs",
        "gradients",
        "slopes",
        "training slopes",
        "losses",
        "weights",
        "state",
    ),
    "float32": ("outputs", "training outputs", "gradients"),
}
COLUMNS = [(precision, part) for precision, parts in PARTS.items() for part in parts]


def installed():
    """The frameworks that can be asked, without the reference, which all are compared with."""
    return [name for name in FRAMEWORKS if name != "reference" and missing(name) is None]


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--frameworks", default=",".join(installed()))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument(
        "--write", type=Path, default=None, help="the document whose table is replaced"
    )
    return parser.parse_args()


def cell(row, part):
    """The largest difference; empty if the part was not compared."""
    if row is None or part not in row["parts"]:
        return ""
    compared = row["parts"][part]
    if compared["agrees"]:
        return f"{compared['error']:.0e}"
    return f"{compared['error']:.0e} **departs**"


def parting(framework, proof):
    """At which step the losses in float32 part, if at all."""
    if framework not in proof["partings"]:
        return ""
    first, step = proof["partings"][framework]
    if first is None:
        return ""
    return "no" if step is None else f"step {step}"


def lines(name, proof):
    """A row of the table for each framework."""
    for framework in dict.fromkeys(row["framework"] for row in proof["rows"]):
        rows = {row["precision"]: row for row in proof["rows"] if row["framework"] == framework}
        cells = [cell(rows.get(precision), part) for precision, part in COLUMNS]
        yield f"| {name} | {framework} | {' | '.join(cells)} | {parting(framework, proof)} |"


def heads():
    """The first two lines of the table."""
    names = [f"{part} ({precision})" for precision, part in COLUMNS]
    yield f"| network | framework | {' | '.join(names)} | float32 losses part |"
    yield "|" + " --- |" * (len(names) + 3)


def replaced(document, table):
    """Writes the table between the two marks of the document."""
    before, rest = document.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    text = "\n".join([before + BEGIN, *table, END]) + after
    document.write_text(text, encoding="utf-8")


def main():
    asked = options()
    frameworks = asked.frameworks.split(",")
    table = [*heads()]
    agrees = True
    for name in asked.networks:
        build, arguments = NETWORKS[name]
        proof = check(
            build(), frameworks=frameworks, steps=asked.steps, threads=asked.threads, **arguments
        )
        seconds = round(proof.json["seconds"], 1)
        print(proof, flush=True)
        print(json.dumps({"network": name, "agrees": proof.agrees, "seconds": seconds}), flush=True)
        table += lines(name, proof.json)
        agrees &= proof.agrees
    print("\n".join(table))
    if asked.write is not None:
        replaced(asked.write, table)
    sys.exit(not agrees)


if __name__ == "__main__":
    main()
