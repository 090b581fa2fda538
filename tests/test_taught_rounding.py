"""Quantization in training: the file that comes out is the network that learned."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.lowering import lowered
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.runtimes import runtime
from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.shrinking.rounded_training import held_still, integer_weights, rounded, steps_of
from allotrope.shrinking.taught_rounding import with_taught_rounding
from allotrope.training.loop import train
from coarse_quantizer import coarse
from planned import of_digits
from tested import TESTED

RECIPE = Recipe(learning_rate=0.1, batch_size=64, epochs=8, augmentation="none")
SETTINGS = Settings()


@pytest.fixture(scope="module")
def learned(digits):
    inner = zoo.cnn(10, (1, 8, 8), channels=(8, 16), hidden=(), normalization="batch")
    network = of_digits(inner)
    return train(network, digits, RECIPE, SETTINGS).network


@pytest.fixture(scope="module")
def calibration(digits):
    return {name: x[:100] for name, x in digits.taken("train").items()}


@pytest.fixture(scope="module")
def images(digits):
    return digits.taken("test")


def file_of(quantizer, network, calibration, folder):
    network.save(folder / "float.onnx")
    quantizer(folder / "float.onnx", calibration, folder / "int8.onnx")
    return folder / "int8.onnx"


def answers(file, inputs, by="onnxruntime"):
    return runtime(by).open(file, "float32", 1).run(inputs)["label"]


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_it_computes_what_the_file_does_and_is_the_file_again(
    quantizer, learned, calibration, images, tmp_path
):
    file = file_of(QUANTIZERS[quantizer], learned, calibration, tmp_path)
    network = rounded(learned, calibration, QUANTIZERS[quantizer])
    assert steps_of(network) <= network.trainable
    integer_weights(network).save(tmp_path / "again.onnx")
    # NNCF's files are for OpenVINO, and ONNX Runtime 1.32 does not open all of them.
    by = {"nncf": "openvino"}.get(quantizer, quantizer)
    expected = answers(file, images, by)
    assert np.array_equal(answers(tmp_path / "again.onnx", images, by), expected)
    integers = integer_weights(network).graph.constants.values()
    assert sum(x.dtype == np.int8 and x.ndim == 4 for x in integers) == 2
    for form in (network, held_still(network)):
        close = np.isclose(form.run(images, "reference")["label"], expected, atol=0.05)
        assert close.mean() > 0.99


def test_what_learns_is_what_the_file_holds(learned, calibration):
    network = rounded(learned, calibration, QUANTIZERS["nncf"])
    still = held_still(network)
    assert not any(node.operator == "BatchNormalization" for node in still.graph.nodes)
    assert still.trainable <= network.weights.keys()
    assert not any("running" in name for name in network.trainable)


def test_biases_are_rounded_as_the_file_has_them(learned, calibration, images, tmp_path):
    """Of coarse steps a bias that is not rounded shows in every answer."""
    network = rounded(learned, calibration, coarse)
    biases = [name for name in network.trainable if name.endswith(".bias")]
    assert biases
    # In between two steps a bias is worth neither.
    moved = network.with_weights({name: network.weights[name] * 1.37 for name in biases})
    integer_weights(moved).save(tmp_path / "moved.onnx")
    expected = answers(tmp_path / "moved.onnx", images)
    apart = {
        form: float(np.abs(each.run(images, "reference")["label"] - expected).mean())
        for form, each in {"as it trains": held_still(moved), "with floats": moved}.items()
    }
    assert apart["as it trains"] < 0.1 * apart["with floats"], apart


@pytest.mark.parametrize("framework", TESTED)
def test_it_learns_to_be_rounded(framework, learned, calibration, images, digits, tmp_path):
    """Weights of three levels lose what comes back for the most part."""
    taught = with_taught_rounding(
        learned,
        digits,
        RECIPE,
        SETTINGS,
        framework,
        calibration,
        coarse,
        learning_rate=3e-3,
    )
    start = rounded(learned, calibration, coarse)
    wrong = [_wrong(each, images, digits, tmp_path) for each in (start, taught.learned)]
    assert wrong[1] < 0.6 * wrong[0], wrong
    own = taught.training.network.run(images, framework)["label"].argmax(1)
    taught.integers.save(tmp_path / "taught.onnx")
    assert (own == answers(tmp_path / "taught.onnx", images).argmax(1)).mean() > 0.995
    assert all((taught.learned.weights[name] > 0).all() for name in steps_of(taught.learned))


def _wrong(network, images, digits, folder):
    """The share of wrong answers of its file."""
    integer_weights(network).save(folder / "judged.onnx")
    (task,) = digits.tasks
    labels, _ = task.encode(digits.splits["test"].columns["label"])
    return (answers(folder / "judged.onnx", images).argmax(1) != labels.argmax(1)).mean()


def test_steps_of_nothing_are_named(learned, calibration):
    network = rounded(learned, calibration, QUANTIZERS["nncf"])
    name = sorted(steps_of(network))[0]
    wrong = network.with_weights({name: -network.weights[name]})
    with pytest.raises(UnsupportedError, match=r"steps of 0 or less: .*--learning-rate"):
        integer_weights(wrong)


def test_a_network_without_a_layer_is_not_rounded():
    b = Builder("no layer")
    b.output(b.add("Relu", [b.input("x", "float32", ("n", 3))], name="y"), "y")
    x = {"x": np.ones((10, 3), np.float32)}
    with pytest.raises(UnsupportedError, match="nothing that the quantizer rounds"):
        rounded(b.network(), x, QUANTIZERS["onnxruntime"])


def test_each_rounding_is_one_step_in_training(learned, calibration):
    network = held_still(rounded(learned, calibration, QUANTIZERS["nncf"]))
    operators = [node.operator for node in lowered(network).nodes]
    assert "QuantizeLinear" not in operators
    assert operators.count("QuantizeDequantize") > 4
