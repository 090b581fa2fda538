"""Checks eight kinds of network in every framework that is installed, and writes the table of docs/agreement.md.

python benchmarks/agreement.py [--networks mlp cnn] [--frameworks pytorch,jax] [--steps 200] [--write docs/agreement.md]
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
        return self.weight(name, (self.random.standard_normal(shape) / np.sqrt(fan or shape[-1])).astype(np.float32))

    def filled(self, name, value, *shape, trainable=True):
        return self.weight(name, np.full(shape, value, np.float32), trainable=trainable)

    def dense(self, x, name, wide, deep):
        return self.add(
            "Add", [self.add("MatMul", [x, self.drawn(f"{name}.weight", wide, deep, fan=wide)]), self.filled(f"{name}.bias", 0, deep)]
        )

    def normalized(self, x, name, width):
        return self.add(
            "LayerNormalization", [x, self.filled(f"{name}.weight", 1, width), self.filled(f"{name}.bias", 0, width)], {"axis": -1}
        )

    def convolved(self, x, name, wide, deep, kernel, groups=1, stride=1):
        weight = self.drawn(f"{name}.weight", deep, wide // groups, kernel, kernel, fan=wide // groups * kernel**2 / 2)
        x = self.add("Conv", [x, weight], {"group": groups, "strides": (stride, stride), "pads": (kernel // 2,) * 4}, name=name)
        affine = [self.filled(f"{name}.bn.weight", 1, deep), self.drawn(f"{name}.bn.bias", deep, fan=100)]  # 0 would be on ReLU's kink
        state = [self.filled(f"{name}.bn.mean", 0, deep, trainable=False), self.filled(f"{name}.bn.variance", 1, deep, trainable=False)]
        return self.add("Relu", [self.add("BatchNormalization", [x, *affine, *state])])


def depthwise():
    """Depthwise-separable convolutions over spectrograms, as for keywords in speech (Zhang et al. 2017)."""
    b = Layers("depthwise")
    x = b.convolved(b.input("x", "float32", ("n", 1, 20, 10)), "conv1", 1, 24, 3, stride=2)
    for block in range(3):
        x = b.convolved(b.convolved(x, f"depthwise{block}", 24, 24, 3, groups=24), f"pointwise{block}", 24, 24, 1)
    x = b.add("Dropout", [b.add("Flatten", [b.add("GlobalAveragePool", [x])]), b.constant(np.float32(0.2))])
    b.output(b.dense(x, "fc", 24, 6), "logits")
    return b.network()


def recurrent(operator, gates):
    """A bidirectional recurrent layer over [n, t, 5], and a dense one over its last states."""
    b, hidden = Layers(operator.lower()), 7
    x = b.add("Transpose", [b.input("x", "float32", ("n", "t", 5))], {"perm": (1, 0, 2)})
    arrays = [b.drawn("W", 2, gates * hidden, 5), b.drawn("R", 2, gates * hidden, hidden), b.drawn("B", 2, 2 * gates * hidden, fan=4)]
    options = {"hidden_size": hidden, "direction": "bidirectional"}
    _, last, *_ = b.add(operator, [x, *arrays], options, outputs=3 if operator == "LSTM" else 2)
    x = b.add("Reshape", [b.add("Transpose", [last], {"perm": (1, 0, 2)}), b.constant(np.array([-1, 2 * hidden]))])
    b.output(b.dense(x, "fc", 2 * hidden, 3), "logits")
    return b.network()


def transformer():
    """Two pre-norm blocks with causal attention over tokens [n, t], masked with -1e9; the embedding is the last layer too."""
    b, width, heads, length = Layers("transformer"), 16, 2, 6
    table = b.drawn("embedding", 40, width)
    x = b.add("Gather", [table, b.input("tokens", "int64", ("n", length))])
    x = b.add("Add", [x, b.drawn("positions", length, width)])
    mask = b.constant(np.triu(np.full((length, length), -1e9, np.float32), 1))
    split, joined = b.constant(np.array([0, 0, heads, width // heads])), b.constant(np.array([0, 0, width]))
    for block in range(2):
        y = b.normalized(x, f"{block}.norm1", width)
        q, k, v = (b.add("Reshape", [b.dense(y, f"{block}.{part}", width, width), split]) for part in "qkv")
        q, k, v = (b.add("Transpose", [part], {"perm": perm}) for part, perm in ((q, (0, 2, 1, 3)), (k, (0, 2, 3, 1)), (v, (0, 2, 1, 3))))
        scores = b.add("Mul", [b.add("MatMul", [q, k]), b.constant(np.float32((width // heads) ** -0.5))])
        y = b.add("MatMul", [b.add("Softmax", [b.add("Add", [scores, mask])]), v])
        y = b.add("Reshape", [b.add("Transpose", [y], {"perm": (0, 2, 1, 3)}), joined])
        x = b.add("Add", [x, b.dense(y, f"{block}.out", width, width)])
        y = b.add("Gelu", [b.dense(b.normalized(x, f"{block}.norm2", width), f"{block}.mlp1", width, 32)])
        x = b.add("Add", [x, b.dense(y, f"{block}.mlp2", 32, width)])
    b.output(b.add("MatMul", [b.normalized(x, "norm", width), b.add("Transpose", [table], {"perm": (1, 0)})]), "logits")
    return b.network()


def pictures(name, side, **options):
    """A network of the zoo over raw pixels, as `fit` trains it."""
    return with_preprocessing(networks.network(name)(classes=10, image=(3, side, side), **options), [120.0] * 3, [60.0] * 3)


NETWORKS = {
    "mlp": (lambda: networks.mlp(10, (1, 8, 8)), {}),
    "cnn": (lambda: pictures("cnn", 16), {}),
    "resnet20": (lambda: pictures("resnet20", 16), {"batch": 16}),
    # At the default rate of 0.01 its trainings are chaotic: PyTorch parts from itself where weights begin 1e-15 off.
    "mobilenet_v2": (lambda: pictures("mobilenet_v2", 64, width=0.25), {"batch": 16, "directions": 8, "learning_rate": 1e-4}),
    "depthwise": (depthwise, {"batch": 16}),
    "gru": (lambda: recurrent("GRU", 3), {"dimensions": ["t=5"]}),
    "lstm": (lambda: recurrent("LSTM", 4), {"dimensions": ["t=5"]}),
    "transformer": (transformer, {}),
    # Two inputs, three tasks, a third of the labels missing.
    "several": (several, {"tasks": ["label=classification", "age=regression", "signs=multilabel"], "missing": 1 / 3, "batch": 16}),
}
PARTS = {
    "float64": ("outputs", "training outputs", "gradients", "slopes", "training slopes", "losses", "weights", "state"),
    "float32": ("outputs", "training outputs", "gradients"),
}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--frameworks", default=",".join(name for name in FRAMEWORKS if name != "reference" and missing(name) is None))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--write", type=Path, default=None, help="the document whose table is replaced")
    return parser.parse_args()


def cell(row, part):
    compared = row["parts"].get(part)
    return "" if compared is None else f"{compared['error']:.0e}" + ("" if compared["agrees"] else " **departs**")


def lines(name, proof):
    """A row of the table for each framework."""
    for framework in dict.fromkeys(row["framework"] for row in proof["rows"]):
        rows = {row["precision"]: row for row in proof["rows"] if row["framework"] == framework}
        cells = [cell(rows[precision], part) if precision in rows else "" for precision, parts in PARTS.items() for part in parts]
        first, step = proof["partings"].get(framework, (None, None))
        parted = "" if first is None else "no" if step is None else f"step {step}"
        yield f"| {name} | {framework} | {' | '.join(cells)} | {parted} |"


def main():
    asked = options()
    heads = [f"{part} ({precision})" for precision, parts in PARTS.items() for part in parts]
    table = [f"| network | framework | {' | '.join(heads)} | float32 losses part |", "|" + " --- |" * (len(heads) + 3)]
    agrees = True
    for name in asked.networks:
        build, arguments = NETWORKS[name]
        proof = check(build(), frameworks=asked.frameworks.split(","), steps=asked.steps, threads=asked.threads, **arguments)
        print(proof, flush=True)
        print(json.dumps({"network": name, "agrees": proof.agrees, "seconds": round(proof.json["seconds"], 1)}), flush=True)
        table += lines(name, proof.json)
        agrees &= proof.agrees
    print("\n".join(table))
    if asked.write is not None:
        before, rest = asked.write.read_text(encoding="utf-8").split(BEGIN)
        asked.write.write_text("\n".join([before + BEGIN, *table, END]) + rest.split(END)[1], encoding="utf-8")
    sys.exit(not agrees)


if __name__ == "__main__":
    main()
