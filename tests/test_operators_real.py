"""Whole networks against ONNX Runtime: the nine that come with the onnx wheel, and three made elsewhere."""

import pathlib

import numpy as np
import onnx
import pytest

from allotrope import load
from onnx_models import runtime
from tested import EVERYTHING, TESTED

LIGHT = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
REAL = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512")
SMALL = ("densenet121", "shufflenet", "squeezenet")
"""What the other frameworks run of these where they do not run everything."""
ELSEWHERE = [("mnist_koshlan", None), ("ppocr_mobile_v2_cls", (1, 3, 48, 192)), ("ultraface_slim-320_nopost", None)]
"""Name, and the shape of the input where the file leaves it open."""


def assert_agrees(path, shapes, framework):
    """The outputs for random inputs, equal to ONNX Runtime's within 1e-4 of their largest."""
    session, rng = runtime(str(path)), np.random.default_rng(0)
    sizes = {i.name: shapes or [n if isinstance(n, int) and n > 0 else 2 for n in i.shape] for i in session.get_inputs()}
    inputs = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}
    network = load(path)
    found = network.run({value.name: inputs[value.name] for value in network.inputs}, framework=framework)
    for one, other in zip(session.run(None, inputs), found.values(), strict=True):
        assert np.abs(other - one).max() <= 1e-4 * np.abs(one).max()


@pytest.mark.parametrize(("name", "where"), [(n, f) for f in TESTED for n in (REAL if EVERYTHING or f == "pytorch" else SMALL)])
def test_networks_of_the_onnx_wheel(name, where):
    assert_agrees(LIGHT / f"light_{name}.onnx", None, where)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "shape"), ELSEWHERE)
def test_networks_made_elsewhere(shared, name, shape, framework):
    assert_agrees(shared / "data" / "onnx" / f"{name}.onnx", shape, framework)
