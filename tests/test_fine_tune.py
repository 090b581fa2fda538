"""Fine-tuning: a network that was not made here is trained further on one's own data, whatever form it comes in."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope import fit
from allotrope.cli import main
from allotrope.config import DataOptions, FineTuning, Repair, Settings
from allotrope.data import load_images
from allotrope.data.images import ImageData, ImageSplit
from allotrope.errors import UnsupportedError, UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.measure import candidates
from allotrope.measure.candidates import FLOAT_FILE, Candidate
from allotrope.network.batchnorm import with_batchnorm, with_still_batchnorm
from allotrope.network.ends import to_logits
from allotrope.network.head import head_of, with_new_head
from allotrope.run import read_record
from allotrope.training.choose import choose_recipe
from allotrope.training.fine_tune import prepared
from allotrope.training.image_input import image_side
from allotrope.training.loop import train
from allotrope.training.plan import training_plan
from allotrope.verbs import stages
from onnx_models import model, node, outputs, tensor
from tested import TESTED

F = np.float32


def drawn(*shape, scale=None):
    random = np.random.default_rng(sum(shape))
    return (random.standard_normal(shape) * (scale or np.sqrt(2 / np.prod(shape[1:])))).astype(F)


ARRAYS = {
    "c1.weight": drawn(12, 1, 3, 3), "c1.bias": np.zeros(12, F), "c2.weight": drawn(24, 12, 3, 3), "c2.bias": np.zeros(24, F),
    "bn.weight": np.ones(12, F), "bn.bias": np.zeros(12, F), "bn.mean": np.zeros(12, F), "bn.var": np.ones(12, F),
    "fc.weight": drawn(10, 96, scale=0.05), "fc.bias": np.zeros(10, F), "shape": np.array([1, 96]),
}  # fmt: skip
"""A classifier of grey 8x8 images."""

LAYERS = [
    helper.make_node("Conv", ["x", "c1.weight", "c1.bias"], ["a"], name="c1", pads=[1] * 4),
    helper.make_node("BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.mean", "bn.var"], ["b"], name="bn"),
    node("Sigmoid", "b", "s"),
    node("Mul", "b s", "d"),
    helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Conv", ["e", "c2.weight", "c2.bias"], ["f"], name="c2", pads=[1] * 4),
    node("Relu", "f", "g"),
    helper.make_node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Reshape", "h shape", "i"),
    helper.make_node("Gemm", ["i", "fc.weight", "fc.bias"], ["l"], name="fc", transB=1),
]


def classifier(*end, arrays=None, inputs=None, classes=10):
    """The classifier with a softmax, or another end, as an exporter writes it: a batch of 1, SiLU in two nodes."""
    x = inputs or [tensor("x", shape=[1, 1, 8, 8])]
    return model([*LAYERS, *(end or [node("Softmax", "l", "y")])], x, [tensor("y", shape=[1, classes])], {**ARRAYS, **(arrays or {})})


FIVE = {"fc.weight": drawn(5, 96, scale=0.05), "fc.bias": np.zeros(5, F)}


@pytest.fixture(scope="module")
def digits():
    return load_images("digits", DataOptions())


@pytest.fixture(scope="module")
def few(digits):
    """A part of digits, for trainings that are short."""
    parts = {name: getattr(digits, name).take(np.arange(count)) for name, count in {"train": 600, "validation": 100, "test": 100}.items()}
    return replace(digits, **parts)


def images(shape, classes=10):
    """Random data with images [h, w, c]."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
    split = ImageSplit(pixels, np.arange(40) % classes)
    return ImageData("data", tuple(map(str, range(classes))), split, split, split, {})


def ready(source, data, framework="pytorch", seed=0, **options):
    return prepared(allotrope.load(source), data, FineTuning(**options), framework, seed)


# --- that it learns


@pytest.mark.parametrize("framework", TESTED)
@pytest.mark.parametrize("options", [{}, {"new_head": True, "freeze": ("c1.*", "bn.*")}], ids=["whole", "head"])
def test_it_learns_in_every_framework(few, framework, options):
    source = classifier(arrays=FIVE, classes=5) if options else classifier()
    tuned = ready(source, few, framework, **options)
    network = with_still_batchnorm(tuned.learning, tuned.frozen)
    recipe, _ = choose_recipe(few, tuned.learning, {"learning_rate": 0.01, "backbone_rate": 0.5}, epochs=4, new_head=tuned.replaced != ())
    trained = train(network, few, recipe, Settings(threads=1) if framework == "pytorch" else Settings(), framework)
    assert trained.best["validation_accuracy"] > accuracy(network, few.validation) + 0.3
    for name in tuned.frozen:
        if name in trained.network.weights:
            np.testing.assert_array_equal(trained.network.weights[name], network.weights[name])


def accuracy(network, split):
    (logits,) = network.run({network.inputs[0].name: split.images}).values()
    return float((logits.argmax(1) == split.labels).mean())


def test_fit_from_an_onnx_file_to_delivery(tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "candidates", lambda folder: [Candidate("onnxruntime", "float32", folder / FLOAT_FILE)])
    monkeypatch.setattr(stages, "_plausible", lambda options: [Settings(threads=1)])
    onnx.save(classifier(arrays=FIVE, classes=5), tmp_path / "theirs.onnx")
    command = ["fit", "digits", "--network", str(tmp_path / "theirs.onnx"), "--new-head", "--freeze", "c1.*", "--freeze", "bn.*"]
    assert main([*command, "--learning-rate", "0.01", "--epochs", "6", "--threads", "1", "--out", str(tmp_path), "--quiet"]) == 0
    record = read_record(tmp_path / "digits-1")
    assert record["network"] == "theirs" and record["test"]["accuracy"] > 0.8
    facts = record["fine_tuning"]
    assert facts["replaced"] == ["fc.bias", "fc.weight"] and len(facts["sha256"]) == 64
    assert facts["frozen"] == ["bn.bias", "bn.weight", "c1.bias", "c1.weight"]
    assert record["recipe"]["backbone_rate"] == 0.25 and record["arguments"]["freeze"] == ["c1.*", "bn.*"]
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


def test_a_run_goes_on_when_the_file_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "candidates", lambda folder: [Candidate("onnxruntime", "float32", folder / FLOAT_FILE)])
    monkeypatch.setattr(stages, "_plausible", lambda options: [Settings(threads=1)])
    file = tmp_path / "theirs.onnx"
    onnx.save(classifier(), file)
    options = {"network": str(file), "freeze": ["c1.*", "bn.*"], "epochs": 3, "threads": 1, "quiet": True}
    whole = fit("digits", out=tmp_path / "whole", **options)

    def stop(fitting):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages, "STAGES", (*stages.STAGES[:3], stop))
        with pytest.raises(KeyboardInterrupt):
            fit("digits", out=tmp_path / "stopped", **options)
    file.unlink()
    resumed = fit(resume=tmp_path / "stopped" / "digits-1", quiet=True)
    assert resumed.json["test"] == whole.json["test"] and resumed.json["fine_tuning"]["frozen"] == whole.json["fine_tuning"]["frozen"]


@pytest.mark.shared
def test_a_network_of_another_project_learns_other_data(shared):
    """A Keras MLP for handwritten digits that tf2onnx wrote, on Fashion-MNIST, which it has never seen: 28x28 grey, ten classes."""
    whole = load_images(shared / "data" / "fashion-mnist", DataOptions())
    parts = {name: getattr(whole, name).take(np.arange(count)) for name, count in {"train": 6000, "validation": 1000}.items()}
    data = replace(whole, **parts)
    network = allotrope.load(shared / "data" / "onnx" / "mnist_koshlan.onnx")
    tuned = prepared(network, data, FineTuning(mean=(0.0,), std=(255.0,)), "pytorch", 0)
    assert tuned.network.inputs[0].shape == ("n", 28, 28, 1) and len(tuned.network.trainable) == 4
    before = accuracy(tuned.network, data.validation)
    recipe, _ = choose_recipe(data, tuned.learning, {"flip": False, "learning_rate": 4e-3}, epochs=3)
    trained = train(tuned.learning, data, recipe, Settings(threads=1))
    assert before < 0.3 and trained.best["validation_accuracy"] > 0.6


@pytest.mark.shared
def test_a_classifier_of_paddle_takes_other_classes(shared):
    """Its input is free in height and width, its weights are in Constant nodes, and a Reshape of computed shape is before its head."""
    network, data = allotrope.load(shared / "data" / "onnx" / "ppocr_mobile_v2_cls.onnx"), images((48, 64, 3))
    tuned = prepared(network, data, FineTuning(new_head=True, freeze=("conv*",)), "pytorch", 0)
    assert len(tuned.replaced) == 2 and tuned.network.outputs[0].shape == ("n", 10)
    still = with_still_batchnorm(tuned.learning, tuned.frozen)
    assert "BatchNormalization" not in [n.operator for n in still.graph.nodes] and still.trainable == set(tuned.replaced)
    recipe, _ = choose_recipe(data, tuned.learning, {"flip": False}, epochs=1, new_head=True)
    assert np.isfinite(train(still, data, recipe, Settings(threads=1)).best["validation_loss"])


# --- ends


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_what_makes_probabilities_is_taken_off(end):
    network, taken_off = to_logits(allotrope.load(classifier(node(end, "l", "y"))))
    assert [n.operator for n in taken_off] == [end] and [y.name for y in network.outputs] == ["l"]


def test_a_label_beside_the_probabilities_is_taken_off():
    both = [tensor("y", shape=None), tensor("label", TensorProto.INT64, None)]
    made = model([*LAYERS, node("Softmax", "l", "y"), node("ArgMax", "y", "label", axis=1)], [tensor("x", shape=["n", 1, 8, 8])], both,
                 {**ARRAYS, "shape": np.array([-1, 96])})  # fmt: skip
    network, taken_off = to_logits(allotrope.load(made))
    assert [y.name for y in network.outputs] == ["l"] and {n.operator for n in taken_off} == {"Softmax", "ArgMax"}


def test_pooled_probabilities_become_rows_of_logits():
    nodes = [node("Conv", "x w", "a"), node("GlobalAveragePool", "a", "p"), node("Softmax", "p", "y", axis=1)]
    network, _ = to_logits(allotrope.load(model(nodes, [tensor("x", shape=["n", 3, 8, 8])], arrays={"w": drawn(4, 3, 1, 1)})))
    assert network.outputs[0].shape == ("n", 4)


def test_other_ends_stay():
    network = allotrope.load(classifier(node("Relu", "l", "y")))
    assert to_logits(network) == (network, ())


BIAS = drawn(4, 1)[:, 0]
HEADS = {
    "gemm": ([node("Flatten", "x", "f"), helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1)], {"w": drawn(4, 12), "b": BIAS}),
    "gemm untransposed": ([node("Flatten", "x", "f"), node("Gemm", "f w", "y")], {"w": drawn(12, 4)}),
    "matmul and add": ([node("Flatten", "x", "f"), node("MatMul", "f w", "m"), node("Add", "m b", "y")], {"w": drawn(12, 4), "b": BIAS}),
    "behind a transpose": ([node("Transpose", "t", "w", perm=[1, 0]), node("Flatten", "x", "f"), node("MatMul", "f w", "m"),
                            node("Add", "b m", "y")],
                           {"t": drawn(4, 12), "b": drawn(1, 4)}),
    "convolution": ([node("Conv", "x w b", "c"), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"), node("Flatten", "p", "y")],
                    {"w": drawn(4, 3, 1, 1), "b": BIAS}),
    "reshaped": ([node("Conv", "x w", "c"), node("GlobalAveragePool", "c", "p"), node("Reshape", "p s", "y")],
                 {"w": drawn(4, 3, 1, 1), "s": np.array([-1, 4])}),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_a_new_head_for_other_classes(case):
    nodes, arrays = HEADS[case]
    old = allotrope.load(model(nodes, [tensor("x", shape=["n", 3, 2, 2])], arrays=arrays))
    network, names = with_new_head(old, 7, seed=3)
    assert names <= network.trainable and names == head_of(network).weights
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(F)
    y = network.run({"x": x})["y"]
    assert y.shape == (2, 7) and np.isfinite(y).all() and len(np.unique(y.round(4))) > 4
    np.testing.assert_allclose(outputs(network.to_onnx(), x=x)[0], y, rtol=1e-4, atol=1e-5)
    again, _ = with_new_head(old, 7, seed=3)
    assert all(np.array_equal(again.weights[name], network.weights[name]) for name in names)
    assert not all(np.array_equal(with_new_head(old, 7, seed=4)[0].weights[name], network.weights[name]) for name in names)


def test_weights_that_the_head_shares_stay_with_the_others():
    nodes = [node("Flatten", "x", "f"), node("MatMul", "f w", "a"), node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "a t", "b"),
             node("MatMul", "b w", "y")]  # fmt: skip
    network, names = with_new_head(allotrope.load(model(nodes, [tensor("x", shape=["n", 3, 2, 2])], arrays={"w": drawn(12, 4)})), 7, 0)
    assert names == {"w.new"} and {"w", "w.new"} == network.trainable


def test_a_network_without_a_last_layer_is_refused():
    made = model([node("Flatten", "x", "f"), node("Mul", "f w", "y")], [tensor("x", shape=["n", 3, 2, 2])], arrays={"w": drawn(1, 12)})
    with pytest.raises(UnsupportedError, match=r"the network ends in Mul \(node 'y'\), expected a Gemm, MatMul or Conv"):
        with_new_head(allotrope.load(made), 7, 0)


# --- the input


def linear(shape, dtype=TensorProto.FLOAT, before=(), features=None, **arrays):
    """Rows of the input times weights; `shape` without the first axis."""
    nodes = [*before, node("Flatten", "p" if before else "x", "f"), node("MatMul", "f w", "y")]
    return model(nodes, [tensor("x", dtype, ["n", *shape])], arrays={"w": drawn(features or int(np.prod(shape)), 10), **arrays})


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((3, 4, 6), (4, 6, 3)),
        ((4, 6, 3), (4, 6, 3)),
        ((4, 6), (4, 6, 1)),
        ((24,), (4, 6, 1)),
        ((1, 4, 6), (4, 6, 1)),
        ((3, 4, 6), (4, 6, 1)),
    ],
)
def test_an_image_in_each_layout(shape, image):
    data = images(image)
    network = ready(linear(shape), data, mean=(10.0,), std=(20.0,)).network
    assert network.inputs[0].dtype == np.uint8 and network.inputs[0].shape == ("n", *image)
    pixels = (data.test.images[:3].astype(F) - 10) / 20
    pixels = np.broadcast_to(pixels, (3, 4, 6, 3)) if shape == (3, 4, 6) else pixels
    x = pixels if shape == (4, 6, 3) else np.moveaxis(pixels, 3, 1)
    expected = x.reshape(3, -1) @ drawn(int(np.prod(shape)), 10)
    np.testing.assert_allclose(network.run({network.inputs[0].name: data.test.images[:3]})["y"], expected, rtol=1e-4, atol=1e-3)


def test_raw_pixels_are_taken_as_they_are():
    made = linear((4, 6, 3), TensorProto.UINT8, [node("Cast", "x", "p", to=TensorProto.FLOAT)])
    tuned = ready(made, images((4, 6, 3)))
    assert [n.operator for n in tuned.network.graph.nodes] == ["Cast", "Flatten", "MatMul"]
    with pytest.raises(UsageError, match="--mean and --std are for a network that takes float32"):
        ready(made, images((4, 6, 3)), mean=(0.0,), std=(1.0,))
    with pytest.raises(UsageError, match="height 5 where it takes 4, width 7 where it takes 6"):
        ready(made, images((5, 7, 3)))


@pytest.mark.parametrize(("shift", "scale"), [(127.0, 1.0), (0.5, 255.0)])
def test_a_network_that_prepares_its_input_gets_what_its_constants_expect(shift, scale):
    made = linear((3, 4, 6), before=[node("Sub", "x m", "p")], m=np.full((3, 1, 1), shift, F))
    tuned = ready(made, images((4, 6, 3)))
    assert tuned.network.graph.constants["pixels.scale"] == pytest.approx(1 / scale)
    assert any("prepares its input itself" in note for note in tuned.notes) and tuned.network.trainable == {"w"}


@pytest.mark.parametrize(
    ("source", "image", "options", "message"),
    [
        (linear((3, 4, 6)), (8, 8, 3), {}, "height 8 where it takes 4, width 8 where it takes 6. Pictures in class folders"),
        (linear((1, 4, 6)), (4, 6, 3), {}, "channels 3 where it takes 1"),
        (linear((7,)), (4, 6, 1), {}, r"takes 'x' \['n', 7\], which is no image of 4x6x1; expected one of \[n, c, h, w\]"),
        (linear((3, 4, 6), TensorProto.DOUBLE, [node("Cast", "x", "p", to=1)]), (4, 6, 3), {}, "expected uint8 or float32. Export it"),
        (linear((3, 4, 6)), (4, 6, 3), {"mean": (1.0,)}, "--mean and --std belong together"),
        (linear((3, 4, 6)), (4, 6, 3), {"mean": (1.0, 2.0), "std": (1.0, 2.0)}, "2 means and 2 deviations were given for 3 channels"),
        (linear((3, "h", "w"), features=72), (9, 9, 3), {}, "cannot be computed for images of 9x9: .* Bring them to the size"),
        (model([node("Flatten", "x", "a"), node("Flatten", "z", "b"), node("Add", "a b", "y")],
               [tensor("x", shape=["n", 3, 4, 6]), tensor("z", shape=["n", 3, 4, 6])]), (4, 6, 3), {}, "tells 72 classes"),
        (model([node("Conv", "x w", "y")], [tensor("x", shape=["n", 3, 4, 6])], arrays={"w": drawn(10, 3, 1, 1)}), (4, 6, 3), {},
         "one row of logits an image"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_said(source, image, options, message):
    with pytest.raises((UsageError, allotrope.errors.ModelError), match=message):
        ready(source, images(image), **options)


def test_two_inputs_are_refused():
    nodes = [node("Flatten", "x", "a"), node("Flatten", "z", "b"), node("Add", "a b", "c"), node("MatMul", "c w", "y")]
    two = model(nodes, [tensor(name, shape=["n", 3, 4, 6]) for name in "xz"], arrays={"w": drawn(72, 10)})
    with pytest.raises(UsageError, match="fit trains networks that take one image; this one takes 'x' float32"):
        ready(two, images((4, 6, 3)))


def test_another_number_of_classes_needs_a_new_head(digits):
    with pytest.raises(UsageError, match="the network tells 5 classes apart, and digits has 10"):
        ready(classifier(arrays=FIVE, classes=5), digits)


@pytest.mark.parametrize(
    ("shape", "side"), [((3, 32, 32), 32), ((28, 28), 28), ((24, 24, 3), 24), ((3, 32, 16), None), ((3, "h", "w"), None)]
)
def test_the_side_that_a_network_is_fixed_to(shape, side):
    assert image_side(allotrope.load(linear(shape, features=9))) == side


# --- what learns


def test_frozen_weights_and_those_that_learn_slowly(digits):
    tuned = ready(classifier(), digits, freeze=("c1.*",))
    recipe, reasons = choose_recipe(digits, tuned.learning, {"backbone_rate": 0.2})
    plan = training_plan(tuned.learning, recipe, np.ones(10))
    assert tuned.frozen == ("c1.bias", "c1.weight") and not set(tuned.frozen) & tuned.learning.trainable
    assert plan.learning_rate_scale == dict.fromkeys(("bn.weight", "bn.bias", "c2.weight", "c2.bias"), 0.2)
    assert any("gentle recipe" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("c3.*", "fc.*"), r"--freeze 'c3\.\*' \(near: .*\) matches no trainable weight. They are called bn.bias, bn.weight, c1.bias"),
        (("*",), "leaves no weight to learn: all 8 are frozen"),
    ],
)
def test_patterns_that_freeze_nothing_or_all(digits, patterns, message):
    with pytest.raises(UsageError, match=message):
        ready(classifier(), digits, freeze=patterns)


def test_a_new_head_learns_where_all_is_frozen(digits):
    tuned = ready(classifier(), digits, new_head=True, freeze=("*",))
    assert tuned.learning.trainable == {"fc.weight", "fc.bias"} and len(tuned.frozen) == 6


def test_a_frozen_batch_normalization_stays_as_it_is_in_training(few):
    network = allotrope.load(classifier())
    network = network.with_weights({"bn.mean": drawn(12), "bn.var": np.abs(drawn(12)) + 0.5})
    still = with_still_batchnorm(network, {"bn.weight", "bn.bias"})
    assert "BatchNormalization" not in [n.operator for n in still.graph.nodes] and "bn.mean" not in still.weights
    x = {"x": np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(F)}
    run = find_framework("pytorch").run
    for training in (False, True):
        np.testing.assert_allclose(run(still, x, training)["y"], run(network, x)["y"], rtol=1e-4, atol=1e-5)
    assert with_still_batchnorm(network, {"bn.weight"}) is network


def test_a_batch_normalization_is_put_back_and_changes_nothing():
    network = allotrope.load(classifier())
    x = {"x": np.random.default_rng(0).standard_normal((16, 1, 8, 8)).astype(F) * 3}
    restored = with_batchnorm(network, x, "pytorch", without={"fc.weight"})
    norms = [n for n in restored.graph.nodes if n.operator == "BatchNormalization"]
    assert len(norms) == 2 and {"c2.norm.weight", "c2.norm.bias"} < restored.trainable
    np.testing.assert_allclose(restored.run(x)["y"], network.run(x)["y"], rtol=1e-5, atol=1e-6)
    moved = restored.with_weights({"c2.norm.running_mean": restored.weights["c2.norm.running_mean"] + 1})
    assert np.abs(moved.run(x)["y"] - network.run(x)["y"]).max() > 1e-3


def test_its_statistics_are_those_of_all_examples():
    made = model(
        [node("Conv", "x w", "c"), node("Relu", "c", "y")],
        [tensor("x", shape=["n", 2, 3, 3])],
        arrays={"w": np.eye(2, dtype=F)[..., None, None]},
    )
    x = np.random.default_rng(0).standard_normal((21, 2, 3, 3)).astype(F) * 2 + 5
    weights = with_batchnorm(allotrope.load(made), {"x": x}, "reference").weights
    np.testing.assert_allclose(weights["c.norm.running_mean"], x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(weights["c.norm.running_var"], x.var((0, 2, 3)), rtol=1e-5)


def test_it_can_be_asked_for_and_is_refused_where_there_is_nothing_to_restore(digits):
    tuned = ready(classifier(), digits, restore_batchnorm=True)
    assert [n.operator for n in tuned.network.graph.nodes].count("BatchNormalization") == 2
    assert any("put back behind 1 convolutions" in note for note in tuned.notes)
    with pytest.raises(UsageError, match="--restore-batchnorm found no Conv"):
        ready(linear((3, 4, 6)), images((4, 6, 3)), restore_batchnorm=True)


# --- the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "mlp", "--new-head"], "--new-head: for a network from an ONNX file, and mlp is none"),
        (["--network", "FILE", "--no-repair", "gelo"], "unknown repair 'gelo'. Did you mean 'gelu'?"),
        (["--network", "FILE", "--mean", "1,b", "--std", "1"], "--mean is '1,b', expected numbers in pixel units"),
        (["--network", "FILE", "--freeze", "nothing.*"], "matches no trainable weight"),
        (["--network", "FILE", "--backbone-rate", "0"], "backbone_rate is 0.0, expected more than 0"),
        (["--network", "FILE", "--image-size", "16"], "--image-size is 16, and"),
        (["--network", "missing.onnx"], "it cannot be opened"),
    ],
)
def test_wrong_usage_leaves_nothing_behind(tmp_path, capsys, arguments, message):
    onnx.save(classifier(), tmp_path / "theirs.onnx")
    words = [str(tmp_path / "theirs.onnx") if word == "FILE" else word for word in arguments]
    assert main(["fit", "digits", *words, "--out", str(tmp_path / "runs"), "--quiet"]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_repair_can_be_left_out(tmp_path):
    from allotrope.verbs.source import read_source

    onnx.save(classifier(), tmp_path / "theirs.onnx")
    assert any("Swish" in line for line in read_source(tmp_path / "theirs.onnx", Repair()).repairs)
    assert not any("Swish" in line for line in read_source(tmp_path / "theirs.onnx", Repair.without(["swish"])).repairs)
