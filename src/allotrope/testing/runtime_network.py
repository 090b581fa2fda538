"""A network of several inputs and outputs of several dtypes, by which runtimes are tested."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.network import Network


def two_inputs_three_outputs() -> Network:
    """Bytes [n, 6, 6, 3] and numbers [n, 3] in.

    Probabilities [n, 4], one number [n, 1] and flags [n, 2] out.
    """
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> str:
        values = random.normal(size=shape) / np.sqrt(np.prod(shape[:-1]) + 1)
        return b.weight(name, values.astype(np.float32))

    b = Builder("contract")
    view = b.input("front view", "uint8", ("n", 6, 6, 3))
    row = b.input("row", "float32", ("n", 3))
    scale = b.constant(np.float32(1 / 255), "scale")
    x = b.add("Mul", [b.add("Cast", [view], {"to": 1}), scale])
    x = b.add("Transpose", [x], {"perm": (0, 3, 1, 2)})
    x = b.add("Conv", [x, weight("conv", 5, 3, 3, 3)], {"kernel_shape": (3, 3)})
    x = b.add("Flatten", [b.add("Relu", [x])])
    # Missing numbers are told apart in the graph, as tables need it.
    row = b.add("Where", [b.add("IsNaN", [row]), b.constant(np.float32(0.5), "usual"), row])
    y = b.add("Relu", [b.add("MatMul", [row, weight("dense", 3, 7)])])
    joined = b.add("Concat", [x, y], {"axis": 1})
    heads = {"which": 4, "how much": 1, "flags": 2}
    raw = {
        name: b.add("MatMul", [joined, weight(f"{name} head", 87, size)])
        for name, size in heads.items()
    }
    b.output(b.add("Softmax", [raw["which"]], {"axis": -1}), "which")
    b.output(b.add("Identity", [raw["how much"]]), "how much")
    b.output(b.add("Sigmoid", [raw["flags"]]), "flags")
    return b.network()


def examples(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random inputs for `two_inputs_three_outputs`."""
    random = np.random.default_rng(seed)
    row = random.normal(size=(count, 3)).astype(np.float32)
    row[random.random(row.shape) < 0.1] = np.nan
    return {
        "row": row,
        "front view": random.integers(0, 256, (count, 6, 6, 3), np.uint8),
    }
