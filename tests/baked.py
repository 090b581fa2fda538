"""Networks with a batch that is baked in, and whether their examples stay apart."""

from functools import partial

import numpy as np

import allotrope
from onnx_models import drawn_from, model, node, outputs, tensor

F = np.float32
RNG = np.random.default_rng(0)
IMAGE = [tensor("x", shape=[1, 3, 4, 4])]
CONV = node("Conv", "x w", "c")
W = {"w": RNG.standard_normal((2, 3, 1, 1)).astype(F)}

floats = partial(drawn_from, RNG)


def made(nodes, arrays, inputs=None):
    return model(
        [CONV, *nodes], inputs or IMAGE, [tensor("y", shape=None)], {**W, **arrays}, opset=23
    )


def load(nodes, inputs=None, repair=True, report=None, **arrays):
    report = report or (lambda line: None)
    return allotrope.load(made(nodes, arrays, inputs), repair=repair, report=report)


def assert_examples_apart(network, old, inputs, counts=(2, 3)):
    """What the network answers for several examples is what the old model answers for each."""
    for count in counts:
        parts = [inputs(index) for index in range(count)]
        together = network.run(
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )
        for index, part in enumerate(parts):
            for (name, answer), alone in zip(together.items(), outputs(old, **part), strict=True):
                one = np.split(answer, count)[index].reshape(alone.shape)
                np.testing.assert_allclose(one, alone, rtol=1e-4, atol=1e-5, err_msg=name)
