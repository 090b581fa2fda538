"""Small networks to be repaired, and how the tests of repair load and compare them."""

from __future__ import annotations

import numpy as np

import allotrope
from onnx_models import model, tensor

F = np.float32
RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 6)).astype(F) * 3
INPUT = [tensor("x", shape=["n", 4, 6])]
IMAGE = [tensor("x", shape=["n", 3, 4, 4])]
PIXELS = RNG.standard_normal((5, 3, 4, 4)).astype(F)
KERNEL = {"w": RNG.standard_normal((3, 3, 1, 1)).astype(F)}


def operators(network):
    return [n.operator for n in network.graph.nodes]


def same(old, x, tolerance=1e-6, **options):
    """Loads with and without repair, and compares the outputs.

    Gives the repaired network and what was reported.
    """
    lines = []
    mended = allotrope.load(old, report=lines.append, **options)
    plain = allotrope.load(old, repair=False)
    inputs = x if isinstance(x, dict) else {"x": x}
    for one, other in zip(mended.run(inputs).values(), plain.run(inputs).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    return mended, lines


def of(nodes, arrays, inputs=None, outputs=None):
    return model(nodes, inputs or INPUT, outputs, arrays)
