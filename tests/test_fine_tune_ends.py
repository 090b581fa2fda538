"""Networks in other types, with one output for two classes, several outputs, open lengths.

What is read as what, and what is said.
"""

from __future__ import annotations

import json
from dataclasses import replace

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

import allotrope
from allotrope.architectures.choose import choose_recipe
from allotrope.config import DataOptions, Repair, Settings
from allotrope.errors import UsageError
from allotrope.inputs.image.pretrained.picture_size import side_inside
from allotrope.network.rewriting.classifier import in_rows
from allotrope.training.loop import train
from allotrope.verbs.network_file import read_source
from onnx_models import model, node, nodes, outputs, tensor
from planned import batch_for, planned
from quick import main
from tested import TESTED
from tuned import F, drawn, images, ready

THREE = {"mean": (0.0,), "std": (255.0,)}
"""Most tests here are not about ranges."""


def small(
    end=(),
    classes=3,
    dtype=F,
    kind=TensorProto.FLOAT,
    shape=("n", 3, 8, 8),
    out=None,
    declared=None,
):
    """A convolution, pooling and a last layer, with `end` behind it; z are its logits."""
    layers = [
        node("Conv", "x w", "c", pads=[1] * 4),
        *nodes("Relu c -> r", "GlobalAveragePool r -> g", "Flatten g -> f"),
        node("Gemm", "f v b", "z", transB=1),
        *end,
    ]
    arrays = {"w": drawn(8, 3, 3, 3), "v": drawn(classes, 8), "b": drawn(classes, 1)[:, 0]}
    ends = [tensor(name, kind, declared) for name in (out or ["y" if end else "z"])]
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    return model(layers, [tensor("x", kind, shape)], ends, arrays)


# --- types


@pytest.mark.parametrize(
    ("dtype", "kind", "name"),
    [
        (np.float16, TensorProto.FLOAT16, "float16"),
        (np.float64, TensorProto.DOUBLE, "float64"),
        (ml_dtypes.bfloat16, TensorProto.BFLOAT16, "bfloat16"),
    ],
)
def test_other_floats_are_read_as_float32(dtype, kind, name):
    tuned = ready(small(dtype=dtype, kind=kind), images((8, 8, 3), 3), **THREE)
    assert f"The network is in {name}; it is read, trained and delivered as float32." in tuned.notes
    assert {array.dtype for array in tuned.network.weights.values()} == {np.dtype(F)}
    same = ready(small(), images((8, 8, 3), 3), **THREE)
    answer, wanted = (
        network.run({"image": images((8, 8, 3), 3).test["image"]})["label"]
        for network in (tuned.network, same.network)
    )
    np.testing.assert_allclose(answer, wanted, rtol=0.05, atol=0.05)


def test_a_float16_network_between_casts_is_read_as_float32_too():
    """As converters write it that keep the types of inputs and outputs."""
    inner = small(dtype=np.float16, kind=TensorProto.FLOAT16)
    nodes = [node("Cast", "image", "x", to=10), *inner.graph.node, node("Cast", "z", "y", to=1)]
    inner = model(
        nodes,
        [tensor("image", shape=["n", 3, 8, 8])],
        arrays={t.name: onnx.numpy_helper.to_array(t) for t in inner.graph.initializer},
    )
    tuned = ready(inner, images((8, 8, 3), 3), **THREE)
    assert {array.dtype for array in tuned.network.weights.values()} == {np.dtype(F)}
    casts = [n.attributes["to"] for n in tuned.network.graph.nodes if n.operator == "Cast"]
    assert set(casts) == {int(TensorProto.FLOAT)}


# --- one output for two classes

ENDS = {
    "sigmoid": ([node("Sigmoid", "z", "y")], 1),
    "logit": ([], 1),
    "squeezed": ([node("Sigmoid", "z", "p"), node("Squeeze", "p ax", "y")], 1),
    "in reverse": ([node("Squeeze", "z ax", "p"), node("Sigmoid", "p", "y")], 1),
}


def one_output(case):
    end, _ = ENDS[case]
    made = small(end, classes=1)
    if any("ax" in n.input for n in end):
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "ax"))
    return made


@pytest.mark.parametrize("case", ENDS)
def test_one_output_for_two_classes_is_kept_as_one(case):
    data = images((8, 8, 3), 2)
    tuned = ready(one_output(case), data, **THREE)
    assert tuned.network.weights["v"].shape == (1, 8)
    assert any("the logit of '1' against '0'" in note for note in tuned.notes)
    (logits,) = tuned.network.run({"image": data.test["image"]}).values()
    (z,) = outputs(
        one_output("logit"), x=(data.test["image"] / 255).astype(F).transpose(0, 3, 1, 2)
    )
    np.testing.assert_array_equal(logits[:, 0], 0)
    np.testing.assert_allclose(logits[:, 1:], z, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("framework", TESTED)
def test_its_loss_is_the_binary_cross_entropy_in_every_framework(framework):
    data = images((8, 8, 3), 2)
    tuned = ready(one_output("sigmoid"), data, framework, **THREE)
    recipe, _ = choose_recipe(
        data, tuned.learning, {"flip": False, "augmentation": "none"}, epochs=1
    )
    from allotrope.frameworks import framework as find

    plan = planned(
        tuned.learning, replace(recipe, label_smoothing=0.0), np.bincount(data.train["label"])
    )
    trainer = find(framework).trainer(tuned.learning, plan, find(framework).settings()[0])
    target = np.eye(2, dtype=F)[data.train["label"]]
    loss = float(trainer.step(batch_for(tuned.network, data.train["image"], target), 0.0, 1))
    (z,) = outputs(
        one_output("logit"), x=(data.train["image"] / 255).astype(F).transpose(0, 3, 1, 2)
    )
    signs = 1 - 2 * data.train["label"]
    assert loss == pytest.approx(float(np.log1p(np.exp(signs * z[:, 0])).mean()), rel=1e-4)


def test_the_file_that_fit_writes_gives_both_probabilities(tmp_path, capsys):
    onnx.save(one_output("sigmoid"), tmp_path / "one.onnx")
    data = images((8, 8, 3), 2)
    arrays = {
        f"{kind}_{part}": array
        for part in ("train", "val", "test")
        for kind, array in (("x", data.train["image"]), ("y", data.train["label"]))
    }
    np.savez(tmp_path / "two.npz", **arrays)
    words = [
        "fit",
        str(tmp_path / "two.npz"),
        "--network",
        str(tmp_path / "one.onnx"),
        "--epochs",
        "1",
        "--threads",
        "1",
        "--max-drop",
        "100",
    ]
    settings = ["--precision", "float32", "--memory-layout", "default", "--no-compile"]
    assert main([*words, *settings, "--out", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 <= record["test"]["auc"] <= 1
    (probabilities,) = outputs(
        onnx.load(tmp_path / "two-1" / "model.onnx"), image=data.test["image"]
    )
    assert probabilities.shape == (40, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_one_output_for_three_classes_needs_a_new_head():
    with pytest.raises(UsageError, match=r"tells 1 class apart, and data has 3. Add --new-head"):
        ready(one_output("sigmoid"), images((8, 8, 3), 3), **THREE)
    tuned = ready(one_output("sigmoid"), images((8, 8, 3), 3), new_head=True, **THREE)
    assert tuned.network.outputs[0].shape == ("n", 3)


def test_sigmoids_of_several_classes_become_logits():
    tuned = ready(small([node("Sigmoid", "z", "y")]), images((8, 8, 3), 3), **THREE)
    assert tuned.network.outputs[0].shape == ("n", 3)
    assert any("Sigmoid taken off" in note for note in tuned.notes)


# --- shapes


@pytest.mark.parametrize("declared", [["n", "classes"], [None, None], ["batch", 3]])
def test_a_symbolic_number_of_classes_is_found_inside(declared):
    tuned = ready(small(declared=declared), images((8, 8, 3), 3), **THREE)
    assert tuned.network.outputs[0].shape == ("n", 3)
    with pytest.raises(UsageError, match="tells 3 classes apart, and data has 4"):
        ready(small(declared=declared), images((8, 8, 3), 4), **THREE)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_classes_before_axes_of_one_become_rows(softmax, channels_last):
    nodes = [node("Conv", "x w", "a"), node("GlobalAveragePool", "a", "p")]
    if channels_last:
        nodes.append(node("Transpose", "p", "q", perm=[0, 2, 3, 1]))
    if softmax:
        axis = -1 if channels_last else 1
        nodes.append(node("Softmax", nodes[-1].output[0], "y", axis=axis))
    ends = [tensor(nodes[-1].output[0], shape=None)]
    made = model(nodes, [tensor("x", shape=["n", 3, 8, 8])], ends, arrays={"w": drawn(4, 3, 1, 1)})
    tuned = ready(made, images((8, 8, 3), 4), **THREE)
    assert tuned.network.outputs[0].shape == ("n", 4)
    assert ready(made, images((8, 8, 3), 6), new_head=True, **THREE).network.outputs[0].shape == (
        "n",
        6,
    )


def test_what_is_no_row_stays_as_it_is():
    made = model(
        [node("Conv", "x w", "y")],
        [tensor("x", shape=["n", 3, 8, 8])],
        arrays={"w": drawn(4, 3, 1, 1)},
    )
    assert in_rows(allotrope.load(made)).outputs[0].shape == ("n", 4, 8, 8)


# --- several outputs


def test_of_features_and_classes_the_classes_are_taken():
    tuned = ready(small(out=["f", "z"]), images((8, 8, 3), 3), **THREE)
    assert [value.shape for value in tuned.network.outputs] == [("n", 3)]
    assert [value.name for value in tuned.network.outputs] == ["label"]
    said = (
        "'z' tells the classes apart: it alone tells 3 classes apart. Left out: f. For another: "
        "--classifier f."
    )
    assert any(said in note for note in tuned.notes)
    headed = ready(small(out=["f", "z"]), images((8, 8, 3), 5), new_head=True, **THREE)
    assert any("it is what the others go into" in note for note in headed.notes)


def heads(*extra, counts=(3, 3)):
    """An auxiliary head behind the first layer and the main one behind two more: GoogLeNet's."""
    layers = nodes(
        *("Conv x w -> c", "Relu c -> r"),
        *("GlobalAveragePool r -> g", "Flatten g -> f", "Gemm f v -> aux"),
        *("Conv r w2 -> c2", "Relu c2 -> r2"),
        *("GlobalAveragePool r2 -> g2", "Flatten g2 -> f2", "Gemm f2 v2 -> main"),
    )
    arrays = {
        "w": drawn(8, 3, 3, 3),
        "w2": drawn(8, 8, 3, 3),
        "v": drawn(8, counts[0]),
        "v2": drawn(8, counts[1]),
    }
    return model(
        [*layers, *extra],
        [tensor("x", shape=["n", 3, 8, 8])],
        [tensor(name, shape=None) for name in ("aux", "main")],
        arrays,
    )


@pytest.mark.parametrize("options", [{}, {"new_head": True}])
def test_auxiliary_heads_are_left_out_and_said(options):
    tuned = ready(heads(), images((8, 8, 3), 3 if not options else 5), **options, **THREE)
    assert any(
        "'main' tells the classes apart: it is computed by the most nodes" in note
        for note in tuned.notes
    )
    assert set(tuned.network.weights) == {"w", "w2", "v2"}
    asked = ready(
        heads(), images((8, 8, 3), 3 if not options else 5), classifier="aux", **options, **THREE
    )
    assert set(asked.network.weights) == {"w", "v"}


def test_of_several_tasks_the_one_with_as_many_classes_is_taken_and_else_asked_for():
    tuned = ready(heads(counts=(4, 9)), images((8, 8, 3), 4), **THREE)
    assert any(
        "'aux' tells the classes apart: it alone tells 4 classes apart" in note
        for note in tuned.notes
    )
    with pytest.raises(
        UsageError,
        match=r"several outputs that may tell classes apart: 'aux'.*, 'main'.*--classifier aux",
    ):
        ready(heads(counts=(4, 9)), images((8, 8, 3), 5), new_head=True, **THREE)
    with pytest.raises(
        UsageError,
        match=r"--classifier is 'logits', which is no output of the network. It has 'aux', 'main'",
    ):
        ready(heads(), images((8, 8, 3), 3), classifier="logits", **THREE)


# --- open lengths


@pytest.mark.parametrize("inside", [1, 3])
def test_grey_pictures_reach_channels_that_the_input_leaves_open(inside):
    """As Hugging Face's exporter names them: ['batch', 'num_channels', 'height', 'width']."""
    nodes = [
        node("Conv", "x w", "c"),
        node("GlobalAveragePool", "c", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f v", "y"),
    ]
    x = tensor("x", shape=["batch", "num_channels", "height", "width"])
    made = model(nodes, [x], arrays={"w": drawn(8, inside, 3, 3), "v": drawn(8, 3)})
    tuned = ready(made, images((8, 8, 1), 3), **THREE)
    assert tuned.network.inputs[0].shape == ("n", 8, 8, 1)
    assert tuned.network.outputs[0].shape == (
        "n",
        3,
    )
    assert any("sees them" in note for note in tuned.notes) == (inside == 3)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_layout_that_lengths_leave_open_is_seen_by_what_is_done_first(layout):
    moved = (
        [node("Transpose", "x", "t", perm=[0, 3, 1, 2])]
        if layout == "nhwc"
        else [node("Identity", "x", "t")]
    )
    nodes = [
        *moved,
        node("Conv", "t w", "c"),
        node("GlobalAveragePool", "c", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f v", "y"),
    ]
    made = model(
        nodes,
        [tensor("x", shape=["n", "a", "b", "c"])],
        arrays={"w": drawn(8, 3, 3, 3), "v": drawn(8, 3)},
    )
    data = images((8, 10, 3), 3)
    assert ready(made, data, **THREE).network.inputs[0].shape == ("n", 8, 10, 3)


def flattened(side):
    """Free height and width, and a last layer for one size alone."""
    nodes = [
        node("Conv", "x w", "c", strides=[2, 2], pads=[1] * 4),
        node("Flatten", "c", "f"),
        node("Gemm", "f v", "y"),
    ]
    half = (side - 1) // 2 + 1
    arrays = {"w": drawn(2, 3, 3, 3), "v": drawn(2 * half * half, 3)}
    return model(nodes, [tensor("x", shape=["n", 3, "height", "width"])], arrays=arrays)


def test_the_size_that_only_the_inside_fixes_is_found_said_and_can_be_asked_for(tmp_path):
    onnx.save(flattened(28), tmp_path / "m.onnx")
    source = read_source(tmp_path / "m.onnx", Repair())
    assert source.sized(DataOptions()).image_size == 28
    assert any("brought to 28x28" in line and "--image-size" in line for line in source.repairs)
    assert source.sized(DataOptions(image_size=27)).image_size == 27  # half of it is as large
    with pytest.raises(
        UsageError, match=r"--image-size is 64, and the inside of '.*' does not take it: 28x28 fits"
    ):
        source.sized(DataOptions(image_size=64))


def test_a_network_for_any_size_is_left_to_the_data(tmp_path):
    assert side_inside(allotrope.load(small(shape=("n", 3, "h", "w")))) is None
    onnx.save(small(shape=("n", 3, "h", "w")), tmp_path / "m.onnx")
    assert read_source(tmp_path / "m.onnx", Repair()).sized(DataOptions()).image_size is None


def test_it_trains(tmp_path):
    data = images((8, 8, 1), 2)
    tuned = ready(one_output("sigmoid"), data, **THREE)
    recipe, _ = choose_recipe(data, tuned.learning, {"flip": False}, epochs=2)
    trained = train(tuned.learning, data, recipe, Settings(threads=1))
    assert trained.network.weights["v"].shape == (1, 8)
    assert np.isfinite(trained.best["validation_loss"])
