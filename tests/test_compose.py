"""Raw pixels in; class names in metadata."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from allotrope.errors import ModelError, UsageError
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import class_names, with_preprocessing
from softmaxed import with_probabilities

MEAN, STD = (120.0, 110.0, 90.0), (60.0, 50.0, 40.0)


def run(network, x):
    session = onnxruntime.InferenceSession(
        network.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.fixture(scope="module")
def network():
    return zoo.cnn(3, (3, 6, 8), channels=(4,), hidden=())


def images():
    return np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def test_preprocessing_is_the_normalization_written_out(network):
    x = ((images() - np.array(MEAN)) / np.array(STD)).transpose(0, 3, 1, 2).astype(np.float32)
    whole = with_preprocessing(network, MEAN, STD)
    assert [(v.name, v.dtype, v.shape) for v in whole.inputs] == [
        ("image", np.uint8, ("n", 6, 8, 3))
    ]
    assert whole.trainable == network.trainable and list(whole.weights) == list(network.weights)
    onnx.checker.check_model(whole.to_onnx(), full_check=True)
    np.testing.assert_allclose(run(whole, images()), run(network, x), rtol=1e-5, atol=1e-5)


def test_class_names_are_read_from_metadata(network):
    names = ["cat", "dög", "emu"]
    whole = with_probabilities(with_preprocessing(network, MEAN, STD), names)
    assert class_names(whole) == tuple(names)
    assert class_names(network) is None
    assert json.loads({p.key: p.value for p in whole.to_onnx().metadata_props}["classes"]) == names


def test_names_that_a_network_uses_already_are_left_alone():
    builder = Builder()
    x = builder.input("image", "float32", ("n", 1, 2, 2))
    x = builder.add("Add", [x, builder.constant(np.float32(1), "pixels.scale")], name="pixels")
    builder.output(builder.add("Flatten", [x], name="probabilities"))
    whole = with_probabilities(with_preprocessing(builder.network(), [0.0], [1.0]), list("abcd"))
    onnx.checker.check_model(whole.to_onnx(), full_check=True)
    np.testing.assert_allclose(run(whole, np.zeros((1, 2, 2, 1), np.uint8)), [[0.25] * 4])


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((1.0,), (1.0,), "1 means and 1 deviations were given for 3 channels"),
        (MEAN, (1.0, 0.0, 1.0), "deviations above 0"),
        ((1.0, float("nan"), 1.0), STD, "means must be finite"),
    ],
)
def test_wrong_mean_and_deviation_are_refused(network, mean, std, message):
    with pytest.raises(UsageError, match=message):
        with_preprocessing(network, mean, std)


def test_preprocessing_needs_one_image(network):
    with pytest.raises(UsageError, match=r"takes 'image' uint8"):
        with_preprocessing(with_preprocessing(network, MEAN, STD), MEAN, STD)


@pytest.mark.parametrize("classes", ["not json", "[1, 2]", '{"a": 1}'])
def test_class_names_that_are_no_list_are_refused(network, classes):
    broken = Network(network.graph, network.weights, network.trainable, {"classes": classes})
    with pytest.raises(ModelError, match="JSON list of class names"):
        class_names(broken)
