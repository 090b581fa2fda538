"""Fine-tuning: a network that was not made here is trained further on one's own data."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

import allotrope
from allotrope.architectures.choose import choose_recipe
from allotrope.architectures.fine_tune import prepared
from allotrope.config import DataOptions, FineTuning, Repair, Settings
from allotrope.data import read_data
from allotrope.network.rewriting.batchnorm import with_still_batchnorm
from allotrope.progress import Progress
from allotrope.run import read_record
from allotrope.training.loop import train
from quick import ONE, fit, fit_with, main
from tested import TESTED
from tuned import ARRAYS, FIVE, classifier, first_of, images, ready, taught


@pytest.fixture(scope="module")
def few(digits):
    """A part of digits, for trainings that are short."""
    return first_of(digits, train=600, validation=100, test=100)


@pytest.mark.parametrize("framework", TESTED)
@pytest.mark.parametrize(
    ("source", "options"),
    [
        (classifier(), {}),
        (classifier(arrays=FIVE, classes=5), {"new_head": True, "freeze": ("c1.*", "bn.*")}),
    ],
    ids=["whole", "head"],
)
def test_it_learns_in_every_framework(few, framework, source, options):
    tuned = ready(source, few, framework, **options)
    network = with_still_batchnorm(tuned.learning, tuned.frozen)
    rates = {"learning_rate": 0.01, "backbone_rate": 0.5}
    recipe, _ = choose_recipe(few, tuned.learning, rates, epochs=4, new_head=tuned.replaced != ())
    settings = Settings()
    if framework == "pytorch":
        settings = Settings(threads=1)
    trained = train(network, few, recipe, settings, framework)
    assert trained.best["validation_accuracy"] > accuracy(network, few.validation) + 0.3
    for name in tuned.frozen:
        if name in trained.network.weights:
            np.testing.assert_array_equal(trained.network.weights[name], network.weights[name])


def accuracy(network, split):
    (logits,) = network.run({network.inputs[0].name: split["image"]}).values()
    return float((logits.argmax(1) == split["label"]).mean())


def test_fit_from_an_onnx_file_to_delivery(tmp_path):
    onnx.save(classifier(arrays=FIVE, classes=5), tmp_path / "theirs.onnx")
    command = ["fit", "digits", "--network", str(tmp_path / "theirs.onnx"), "--new-head"]
    command += ["--freeze", "c1.*", "--freeze", "bn.*"]
    command += ["--learning-rate", "0.01", "--epochs", "6", "--threads", "1"]
    assert main([*command, "--out", str(tmp_path), "--quiet"]) == 0
    record = read_record(tmp_path / "digits-1")
    assert record["network"] == "theirs" and record["test"]["accuracy"] > 0.8
    facts = record["fine_tuning"]
    assert facts["replaced"] == ["fc.bias", "fc.weight"] and len(facts["sha256"]) == 64
    assert facts["frozen"] == ["bn.bias", "bn.weight", "c1.bias", "c1.weight"]
    assert record["recipe"]["backbone_rate"] == 0.25
    assert record["arguments"]["freeze"] == ["c1.*", "bn.*"]
    reasons = "\n".join(record["network_details"]["reasons"])
    for said in (
        "Swish recognized",
        "batch of 1",
        "Softmax taken off",
        "fresh weights for 10",
        "4 of 8 trainable weights are frozen",
        "all others at 0.25 of it",
    ):
        assert said in reasons
    delivered = allotrope.load(tmp_path / "digits-1" / "model.onnx")
    assert delivered.trainable == {n for n in ARRAYS if n not in ("shape", "bn.mean", "bn.var")}
    for name in ("c1.weight", "bn.weight", "bn.mean", "bn.var"):
        np.testing.assert_array_equal(delivered.weights[name], ARRAYS[name])
    assert not np.array_equal(delivered.weights["c2.weight"], ARRAYS["c2.weight"])
    assert json.loads(delivered.metadata["classes"]) == [str(digit) for digit in range(10)]


def test_a_classifier_that_training_only_spoils_stays_as_it_came(tmp_path, capsys):
    theirs = taught(read_data("digits", DataOptions()).train)
    onnx.save(theirs, tmp_path / "theirs.onnx")
    options = ["--mean", "0", "--std", "255", "--epochs", "1", "--learning-rate", "1000"]
    settings = ["--precision", "float32", "--memory-layout", "default", "--no-compile"]
    command = ["fit", "digits", "--network", str(tmp_path / "theirs.onnx"), *options, *settings]
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "No epoch was better on the validation data than the network" in capsys.readouterr().out
    record = read_record(tmp_path / "digits-1")
    assert record["training"]["best_epoch"] == 0 and record["test"]["accuracy"] > 0.8
    delivered = allotrope.load(tmp_path / "digits-1" / "model.onnx")
    np.testing.assert_array_equal(delivered.weights["w"], allotrope.load(theirs).weights["w"])


def test_a_run_goes_on_when_the_file_is_gone(tmp_path):
    file = tmp_path / "theirs.onnx"
    onnx.save(classifier(), file)
    options = {"network": str(file), "freeze": ["c1.*", "bn.*"], "epochs": 3, "threads": 1}
    options["quiet"] = True
    whole = fit("digits", out=tmp_path / "whole", **options)

    class Stopping(Progress):
        def step(self, tick):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_with(ONE, Stopping())("digits", out=tmp_path / "stopped", **options)
    assert "training" not in read_record(tmp_path / "stopped" / "digits-1")
    file.unlink()
    resumed = fit(resume=tmp_path / "stopped" / "digits-1", quiet=True)
    assert resumed.json["test"] == whole.json["test"]
    frozen = [run.json["fine_tuning"]["frozen"] for run in (resumed, whole)]
    assert frozen[0] == frozen[1]


@pytest.mark.shared
def test_a_network_of_another_project_learns_other_data(shared):
    """A Keras MLP for handwritten digits that tf2onnx wrote, on Fashion-MNIST: new to it.

    28x28 grey, ten classes.
    """
    whole = read_data(shared / "data" / "fashion-mnist", DataOptions())
    data = first_of(whole, train=6000, validation=1000)
    network = allotrope.load(shared / "data" / "onnx" / "mnist_koshlan.onnx")
    tuned = prepared(network, data, FineTuning(mean=(0.0,), std=(255.0,)), "pytorch", 0)
    assert tuned.network.inputs[0].shape == ("n", 28, 28, 1) and len(tuned.network.trainable) == 4
    before = accuracy(tuned.network, data.validation)
    asked = {"flip": False, "learning_rate": 4e-3}
    recipe, _ = choose_recipe(data, tuned.learning, asked, epochs=3)
    trained = train(tuned.learning, data, recipe, Settings(threads=1))
    assert before < 0.3 and trained.best["validation_accuracy"] > 0.6


@pytest.mark.shared
def test_a_classifier_of_paddle_takes_other_classes(shared):
    """Its input is free in height and width, and its weights are in Constant nodes.

    A Reshape of computed shape is before its head.
    """
    network = allotrope.load(shared / "data" / "onnx" / "ppocr_mobile_v2_cls.onnx")
    data = images((48, 64, 3))
    tuned = prepared(network, data, FineTuning(new_head=True, freeze=("conv*",)), "pytorch", 0)
    assert len(tuned.replaced) == 2 and tuned.network.outputs[0].shape == ("n", 10)
    still = with_still_batchnorm(tuned.learning, tuned.frozen)
    assert "BatchNormalization" not in [n.operator for n in still.graph.nodes]
    assert still.trainable == set(tuned.replaced)
    recipe, _ = choose_recipe(data, tuned.learning, {"flip": False}, epochs=1, new_head=True)
    assert np.isfinite(train(still, data, recipe, Settings(threads=1)).best["validation_loss"])


# --- the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mlp --new-head", "--new-head: for a network from an ONNX file, and mlp is none"),
        ("FILE --no-repair gelo", "unknown repair 'gelo'. Did you mean 'gelu'?"),
        ("FILE --mean 1,b --std 1", "--mean is '1,b', expected numbers in pixel units"),
        ("FILE --freeze nothing.*", "matches no trainable weight"),
        ("FILE --backbone-rate 0", "backbone_rate is 0.0, expected more than 0"),
        ("FILE --image-size 16", "--image-size is 16, and"),
        ("missing.onnx", "it cannot be opened"),
    ],
)
def test_wrong_usage_leaves_nothing_behind(tmp_path, capsys, arguments, message):
    file = str(tmp_path / "theirs.onnx")
    onnx.save(classifier(), file)
    words = ["fit", "digits", "--network", *arguments.replace("FILE", file).split()]
    assert main([*words, "--out", str(tmp_path / "runs"), "--quiet"]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_repair_can_be_left_out(tmp_path):
    from allotrope.verbs.network_file import read_source

    onnx.save(classifier(), tmp_path / "theirs.onnx")
    whole = read_source(tmp_path / "theirs.onnx", Repair())
    assert any("Swish" in line for line in whole.repairs)
    without = read_source(tmp_path / "theirs.onnx", Repair.without(["swish"]))
    assert not any("Swish" in line for line in without.repairs)
