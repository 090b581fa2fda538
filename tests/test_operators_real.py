"""Whole networks against ONNX Runtime: the nine of the onnx wheel, and three made elsewhere."""

import numpy as np
import pytest

import light_networks
from allotrope import load
from onnx_models import runtime
from tested import EVERYTHING, TESTED

LARGE = ("bvlc_alexnet", "vgg19", "zfnet512")
"""Of hundreds of megabytes: only if everything is run."""
SMALL = ("shufflenet", "squeezenet")
"""What frameworks other than PyTorch run if they do not run everything.

A narrow DenseNet runs in all of them in `test_zoo_further.py`.
"""
USUAL = (*SMALL, "densenet121", "inception_v1", "inception_v2", "resnet50")

ELSEWHERE = [
    ("mnist_koshlan", None),
    ("ppocr_mobile_v2_cls", (1, 3, 48, 192)),
    ("ultraface_slim-320_nopost", None),
]
"""Name, and the shape of the input if the file leaves it open."""


def tried(framework):
    if EVERYTHING:
        return (*USUAL, *LARGE)
    return USUAL if framework == "pytorch" else SMALL


def lengths(value):
    return [n if isinstance(n, int) and n > 0 else 2 for n in value.shape]


def assert_agrees(source, shape, framework):
    """The outputs for random inputs, equal to ONNX Runtime's within 1e-4 of their largest."""
    session, rng = runtime(source), np.random.default_rng(0)
    inputs = {
        value.name: rng.standard_normal(shape or lengths(value)).astype(np.float32)
        for value in session.get_inputs()
    }
    network = load(source)
    taken = {value.name: inputs[value.name] for value in network.inputs}
    outputs = network.run(taken, framework=framework)
    for one, other in zip(session.run(None, inputs), outputs.values(), strict=True):
        assert np.abs(other - one).max() <= 1e-4 * np.abs(one).max()


@pytest.mark.parametrize(("name", "where"), [(n, f) for f in TESTED for n in tried(f)])
def test_networks_of_the_onnx_wheel(name, where):
    assert_agrees(light_networks.with_weights(f"light_{name}"), None, where)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "shape"), ELSEWHERE)
def test_networks_made_elsewhere(shared, name, shape, framework):
    assert_agrees(str(shared / "data" / "onnx" / f"{name}.onnx"), shape, framework)
