"""A small classifier and labelled images for it, for the tests of runtimes and measuring."""

from __future__ import annotations

import numpy as np

from allotrope.measure.candidates import Split
from allotrope.network.build import Builder
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from softmaxed import with_probabilities

CLASSES = ("zero", "one", "two", "three")
IMAGE = (3, 12, 12)


def classifier(seed: int = 0) -> Network:
    """Two convolutions over 12x12 images, from raw pixels to the probabilities of four classes."""
    random = np.random.default_rng(seed)
    b = Builder("small")
    x = b.input("x", "float32", ("n", *IMAGE))
    for name, (wide, deep) in {"conv1": (3, 8), "conv2": (8, 16)}.items():
        weight = b.weight(
            f"{name}.weight",
            random.normal(size=(deep, wide, 3, 3)).astype("float32") * (2 / (9 * wide)) ** 0.5,
        )
        bias = b.weight(f"{name}.bias", random.normal(size=deep).astype("float32"))
        x = b.add(
            "Conv", [x, weight, bias], {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, name=name
        )
        x = b.add("Relu", [x], name=f"{name}.relu")
    x = b.add("Flatten", [b.add("GlobalAveragePool", [x])])
    head = random.normal(size=(16, len(CLASSES))).astype("float32")
    b.output(b.add("MatMul", [x, b.weight("head.weight", head)]), "logits")
    network = with_probabilities(with_preprocessing(b.network(), [120.0] * 3, [60.0] * 3), CLASSES)
    picture = {"name": "image", "kind": "image", "height": 12, "width": 12, "channels": 3}
    task = {"name": "probabilities", "kind": "classification", "classes": CLASSES}
    return with_columns(network, inputs=[picture], tasks=[task])


def images(count: int, seed: int = 1) -> np.ndarray:
    """Plain coloured images with noise, uint8 [n, 12, 12, 3], which the classifier tells apart."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (count, 1, 1, 3))
    return (colours + random.normal(0, 20, (count, 12, 12, 3))).clip(0, 255).astype(np.uint8)


def labelled(network: Network, count: int, seed: int) -> Split:
    """Images and the labels that the network itself gives them in float64: its accuracy is 1."""
    inputs = {"image": images(count, seed)}
    labels = network.run(inputs)["probabilities"].argmax(1)
    return Split(
        inputs, lambda answers: float((answers["probabilities"].argmax(1) == labels).mean())
    )
