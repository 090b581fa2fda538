"""A small classifier of pictures with one layer that int8 ruins, for tests of mixed precision."""

from __future__ import annotations

import numpy as np

from allotrope.measure.candidates import Split
from allotrope.network.build import Builder
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from measured import CLASSES, IMAGE, images
from softmaxed import with_probabilities

HARMED = "conv2"
"""What takes one channel whose values are a thousand times as large as those of the others."""
LARGE = 1000.0
WIDTHS = {"conv1": (3, 8), "conv2": (8, 12), "conv3": (12, 16)}


def harmed(seed: int = 0) -> Network:
    """Three convolutions from raw pixels to probabilities.

    The first makes a channel that the second divides again: its one step for all channels is then
    too wide for the others. In float nothing is lost.
    """
    random = np.random.default_rng(seed)
    b = Builder("harmed")
    x = b.input("x", "float32", ("n", *IMAGE))
    for name, (wide, deep) in WIDTHS.items():
        weight = random.normal(size=(deep, wide, 3, 3)) * (2 / (9 * wide)) ** 0.5
        bias = random.normal(size=deep)
        if name == "conv1":
            weight[0] *= LARGE
            bias[0] = abs(bias[0]) * LARGE
        if name == HARMED:
            weight[:, 0] /= LARGE
        arrays = {"weight": weight, "bias": bias}
        names = [b.weight(f"{name}.{end}", x.astype("float32")) for end, x in arrays.items()]
        x = b.add("Conv", [x, *names], {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, name=name)
        x = b.add("Relu", [x], name=f"{name}.relu")
    x = b.add("Flatten", [b.add("GlobalAveragePool", [x], name="pool")], name="flat")
    head = random.normal(size=(16, len(CLASSES))).astype("float32")
    bias = b.weight("head.bias", np.zeros(len(CLASSES), np.float32))
    logits = b.add("Gemm", [x, b.weight("head.weight", head), bias], name="head")
    b.output(logits, "logits")
    network = with_probabilities(with_preprocessing(b.network(), [120.0] * 3, [60.0] * 3), CLASSES)
    picture = {"name": "image", "kind": "image", "height": 12, "width": 12, "channels": 3}
    task = {"name": "probabilities", "kind": "classification", "classes": CLASSES}
    return with_columns(network, inputs=[picture], tasks=[task])


def judged_by(network: Network, count: int, seed: int) -> Split:
    """Images and the labels that the network itself gives them in float64."""
    inputs = {"image": images(count, seed)}
    labels = network.run(inputs)["probabilities"].argmax(1)

    def judged(answers):
        return float((answers["probabilities"].argmax(1) == labels).mean())

    return Split(inputs, judged)
