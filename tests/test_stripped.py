"""Files without what only people and training read: the same answers from fewer bytes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from allotrope.network.build import Builder
from allotrope.network.columns import columns_of, with_columns
from allotrope.network.reading.read import load
from allotrope.network.weights import RECORD
from allotrope.runtimes import runtime
from allotrope.shrinking.quantize import quantize_with_onnxruntime
from allotrope.shrinking.stripped import strip, strip_model

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(16, 3, 8, 8)).astype(np.float32)
COLUMNS = {"inputs": [{"name": "picture", "kind": "image"}], "tasks": []}


def two_layers():
    """Two convolutions over a picture, with equal biases, and columns in the metadata."""
    build = Builder("two_layers")
    x, channels = build.input("picture", np.float32, ("n", 3, 8, 8)), 3
    for number in range(2):
        array = RANDOM.normal(0, 0.2, (8, channels, 3, 3)).astype(np.float32)
        w = build.weight(f"layers.{number}.convolution.weight", array)
        b = build.weight(f"layers.{number}.convolution.bias", np.zeros(8, np.float32))
        x = build.add("Relu", [build.add("Conv", [x, w, b], {"pads": [1] * 4})])
        channels = 8
    build.output(x, "maps")
    return with_columns(build.network(), inputs=COLUMNS["inputs"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stripped")
    two_layers().save(folder / "float32.onnx")
    quantize_with_onnxruntime(folder / "float32.onnx", {"picture": X}, folder / "int8.onnx")
    for name in ("float32", "int8"):
        strip(folder / f"{name}.onnx", folder / f"{name}-stripped.onnx")
    return folder


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_answers_are_the_same_bits(files, name, precision):
    reason = runtime(name).available()
    if reason is not None:
        pytest.skip(reason)
    paths = (files / f"{precision}.onnx", files / f"{precision}-stripped.onnx")
    whole, bare = (runtime(name).open(path, precision, 1).run({"picture": X}) for path in paths)
    assert whole.keys() == bare.keys() == {"maps"}
    assert np.array_equal(whole["maps"], bare["maps"])


def test_only_ends_and_metadata_keep_their_words(files):
    model = onnx.load(files / "int8-stripped.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("picture", "maps")
    assert columns_of({e.key: e.value for e in model.metadata_props}) == COLUMNS
    assert {e.key for e in model.metadata_props} == {"allotrope.columns"}
    assert [one.domain for one in model.opset_import] == [""]
    assert not model.graph.value_info
    assert {node.name for node in model.graph.node} == {""}
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    assert max(map(len, names - {"picture", "maps"})) <= 2
    sizes = [(files / f"int8{end}.onnx").stat().st_size for end in ("", "-stripped")]
    assert sizes[1] < 0.6 * sizes[0]


def test_equal_arrays_are_stored_once(files):
    arrays = onnx.load(files / "int8-stripped.onnx").graph.initializer
    contents = [onnx.numpy_helper.to_array(one) for one in arrays]
    kinds = [(array.dtype, array.shape, array.tobytes()) for array in contents]
    assert len(set(kinds)) == len(kinds)
    assert len(kinds) < len(onnx.load(files / "int8.onnx").graph.initializer)


def test_it_is_read_again_with_weights_that_learn_each_for_itself(files):
    whole, bare = (load(files / f"float32{end}.onnx") for end in ("", "-stripped"))
    shapes = [sorted(net.weights[name].shape for name in net.trainable) for net in (whole, bare)]
    assert shapes[0] == shapes[1]
    x = {"picture": X}
    assert np.array_equal(bare.run(x, "reference")["maps"], whole.run(x, "reference")["maps"])


def test_the_record_of_weights_has_their_new_names(files):
    model = onnx.load(files / "float32.onnx")
    weights = [array.name for array in model.graph.initializer if len(array.dims) > 1]
    record = {"trainable": [*weights[:1], "gone"], "state": weights[1:]}
    entry = model.metadata_props.add(key=RECORD, value=json.dumps(record))
    strip_model(model)
    entry = next(e for e in model.metadata_props if e.key == RECORD)
    renamed, arrays = json.loads(entry.value), {array.name for array in model.graph.initializer}
    assert {*renamed["trainable"], *renamed["state"]} <= arrays
    assert [len(renamed[role]) for role in record] == [1, 1]


def chosen_by_condition():
    """A graph with two inside: one takes a value from outside, one gives an array of outside."""
    text = """
        <ir_version: 10, opset_import: ["" : 21]>
        around (float[n] values, bool condition) => (float[n] result)
        <float[1] half = {0.5}, float[1] unused = {7}, float[1] third = {0.25}, float[1] b = {3}>
        {
            doubled = Add (values, values)
            chosen = If (condition) <
                then_branch = one () => (float[n] inner) { inner = Mul (doubled, half) },
                else_branch = other () => (float[1] third) { spare = Identity (b) }
            >
            result = Add (chosen, b)
        }
    """
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("condition", [True, False])
def test_graphs_inside_see_what_they_saw(condition):
    model, inputs = chosen_by_condition(), {"values": X[0, 0, 0], "condition": np.array(condition)}
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    strip_model(bare)
    assert len(bare.graph.initializer) == 3
    (expected,), (answer,) = (
        onnx.reference.ReferenceEvaluator(one).run(["result"], inputs) for one in (model, bare)
    )
    assert np.array_equal(answer, expected)


def test_weights_beside_a_file_lie_beside_the_stripped_one(tmp_path):
    two_layers().save(tmp_path / "whole.onnx")
    model = onnx.load(tmp_path / "whole.onnx")
    (tmp_path / "apart").mkdir()
    beside = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save_model(model, tmp_path / "apart.onnx", **beside)
    strip(tmp_path / "apart.onnx", tmp_path / "apart" / "stripped.onnx")
    expected = load(tmp_path / "whole.onnx").run({"picture": X}, "reference")["maps"]
    again = load(tmp_path / "apart" / "stripped.onnx").run({"picture": X}, "reference")["maps"]
    assert np.array_equal(again, expected)
