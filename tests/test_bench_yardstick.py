"""What the outputs of runtimes are compared with if only a runtime understands the file."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from allotrope.measure.plain import plain
from allotrope.measure.yardstick import Yardstick, read_outputs
from allotrope.verbs.bench import bench
from saved_models import floats, saved


def labelled(path):
    """What skl2onnx writes: texts and a list of dicts, beside ONNX Runtime's own operator."""
    label = helper.make_tensor_value_info("label", TensorProto.STRING, [2])
    row = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    table = helper.make_value_info("table", helper.make_sequence_type_proto(row))
    names = {"classlabels_strings": ["cat", "dog"], "domain": "ai.onnx.ml"}
    numbers = {
        "coefficients": [0.1, 0.2, 0.3, 0.4],
        "intercepts": [0.0, 0.1],
        "post_transform": "SOFTMAX",
    }
    nodes = [
        helper.make_node("Trilu", ["x"], ["g"], domain="com.microsoft"),
        helper.make_node("LinearClassifier", ["g"], ["label", "p"], **names, **numbers),
        helper.make_node("ZipMap", ["p"], ["table"], **names),
    ]
    return saved(
        path,
        nodes,
        [floats("x", 2, 2)],
        [label, table],
        domains=[("com.microsoft", 1), ("ai.onnx.ml", 1)],
    )


def test_a_file_that_only_a_runtime_understands_is_measured(tmp_path):
    table = bench(
        labelled(tmp_path / "m.onnx"), runtimes=["onnxruntime"], batch=[2], threads=1, rounds=1
    )
    (row,) = table.json["rows"]
    assert row["batches"]["2"]["median"] > 0
    assert row["agrees"]
    (note,) = table.json["notes"]
    assert "the reference cannot compute this file (" in note
    assert note.endswith("outputs compared with ONNX Runtime without optimizations")


def test_if_nothing_runs_the_exit_code_says_so(tmp_path):
    node = helper.make_node("Gadget", ["x"], ["y"], domain="com.example")
    file = saved(
        tmp_path / "m.onnx",
        [node],
        [floats("x", "n", 3)],
        [floats("y", "n", 3)],
        domains=[("com.example", 1)],
    )
    table = bench(file, runtimes=["onnxruntime"], batch=[1], threads=1, rounds=1)
    assert table.exit_code == 1
    assert "Gadget" in table.json["rows"][0]["reason"]
    assert "nor can ONNX Runtime" in table.json["notes"][0]


def test_plain_arrays_of_everything_that_runtimes_give(tmp_path):
    row = [{"a": np.float32(1), "b": np.float32(2)}, {"a": np.float32(3), "b": np.float32(4)}]
    texts = np.array(["x", "yy"], dtype=object)
    arrays = plain(
        {
            "text": texts,
            "table": row,
            "sequence": [np.ones(2), np.ones(3)],
            "none": None,
            "low": np.ones(2, ml_dtypes.bfloat16),
        }
    )
    np.savez(tmp_path / "arrays.npz", *arrays)
    read = read_outputs(tmp_path / "arrays.npz")
    assert [array.tolist() for array in read] == [
        ["x", "yy"],
        ["a", "b"],
        [[1, 2], [3, 4]],
        [1, 1],
        [1, 1, 1],
        [1, 1],
    ]
    assert read[-1].dtype == np.float32


@pytest.mark.parametrize(
    ("output", "expected", "far"),
    [
        ([np.ones(2)], [np.ones(2)], 0.0),
        ([np.ones(2)], [np.full(2, 2.0)], 0.5),
        ([np.ones(2)], [np.ones(3)], np.inf),
        ([np.ones(2)], [np.ones(2), np.ones(2)], np.inf),
        ([np.array(["a"])], [np.array(["b"])], np.inf),
        ([np.array([np.nan])], [np.ones(1)], np.inf),
        ([np.array([np.nan])], [np.array([np.nan])], 0.0),
    ],
)
def test_differences_from_the_yardstick(output, expected, far):
    assert Yardstick(expected, "").difference(output, "x") == far


def test_the_first_outputs_are_the_yardstick_if_there_is_no_other():
    expected = Yardstick(None, "nothing computes it")
    assert expected.difference([np.ones(2)], "openvino") == 0
    assert expected.difference([np.full(2, 1.5)], "pytorch") == 0.5
    assert expected.line == "nothing computes it; compared with openvino"
