"""`bench` on any ONNX file, in real processes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from allotrope.errors import ModelError, UsageError
from allotrope.measure.random_inputs import parse_lengths, random_inputs
from allotrope.network.graph import Value
from allotrope.runtimes import RUNTIMES
from allotrope.verbs.bench import BenchTable, bench
from measured import classifier


def text_model(path):
    """Two inputs, two free dimensions, integers: nothing like an image classifier."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["rows"]),
            helper.make_node("Mul", ["rows", "scale"], ["scaled"]),
            helper.make_node("ReduceMean", ["scaled", "axes"], ["mean"], keepdims=0),
        ],
        "text",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", "t"]),
            helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("scaled", TensorProto.FLOAT, ["n", "t", 5]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 5]),
        ],
        [
            helper.make_tensor("table", TensorProto.FLOAT, [7, 5], np.arange(35, dtype="float32")),
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "model.onnx"
    classifier().save(path)
    return bench(path, batch=[1, 8], threads=1, rounds=2)


def test_every_runtime_has_rows_that_agree(table):
    rows = table.json["rows"]
    assert {row["runtime"] for row in rows} == set(RUNTIMES)
    for row in rows:
        if "reason" in row:
            assert "no bfloat16 instructions" in row["reason"]
            continue
        assert row["agrees"], row
        assert list(row["batches"]) == ["1", "8"]
        assert row["batches"]["8"]["per_second"] == pytest.approx(
            8e3 / row["batches"]["8"]["median"]
        )


def test_table_prints_a_line_a_row_and_is_json(table):
    lines = str(table).splitlines()
    assert lines[:2] == [
        "'image' gets whole numbers from 0 to 255: it is uint8",
        "outputs compared with the float64 reference",
    ]
    assert len(lines) == 4 + len(table.json["rows"])
    assert "1 thread, 2 interleaved rounds" in lines[2]
    assert table.exit_code == 0
    assert json.loads(json.dumps(table.json))["measurement"]["batch"] == [1, 8]


def test_network_with_several_inputs_and_outputs(tmp_path):
    text_model(tmp_path / "text.onnx")
    table = bench(
        tmp_path / "text.onnx",
        runtimes=["onnxruntime"],
        batch=[2],
        threads=1,
        dimensions=["t=3"],
        rounds=1,
    )
    (row,) = table.json["rows"]
    assert row["batches"]["2"]["median"] > 0
    assert table.json["measurement"]["lengths"] == {"t": 3}
    assert "free lengths t=3: as --dimensions says" in str(table)


def test_missing_runtime_is_a_row_with_the_command_that_installs_it(tmp_path, monkeypatch):
    classifier().save(tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)  # Python's word for what is not there
    table = bench(
        tmp_path / "model.onnx",
        runtimes=["onnxruntime", "openvino"],
        batch=[1],
        threads=1,
        rounds=1,
    )
    reasons = [row.get("reason") for row in table.json["rows"]]
    assert reasons[0] is None
    reason = "openvino is not installed. Install it with: pip install 'allotrope[openvino]'"
    assert reasons[1:] == [reason, reason]
    assert "pip install 'allotrope[openvino]'" in str(table)


def test_disagreement_is_shown():
    row = {
        "runtime": "a",
        "precision": "float32",
        "load_seconds": 0.1,
        "difference": 0.5,
        "agrees": False,
    }
    row["batches"] = {"1": {"median": 1.0, "p90": 1.0, "spread": 0.0, "per_second": 1000.0}}
    how = {"threads": 1, "rounds": 1, "warmup": 1, "batch": [1]}
    assert "outputs differ by 0.5" in str(
        BenchTable({"file": "x.onnx", "measurement": how, "notes": [], "rows": [row]})
    )


def test_bad_input_is_named(tmp_path):
    classifier().save(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"nowhere\.onnx"):
        bench(tmp_path / "nowhere.onnx")
    with pytest.raises(UsageError, match="Did you mean 'openvino'"):
        bench(tmp_path / "model.onnx", runtimes=["openvin"])
    with pytest.raises(UsageError, match="batch is 0, expected more than 0; rounds is 0"):
        bench(tmp_path / "model.onnx", batch=[0, 1], rounds=0)
    with pytest.raises(
        UsageError, match=r"'t=x' is not a free dimension and its length.*Free here: n"
    ):
        bench(tmp_path / "model.onnx", dimensions=["t=x"])
    with pytest.raises(UsageError, match="how many dimensions"):
        random_inputs([Value("x", np.dtype("float32"), None)], 1, {})
    with pytest.raises(UsageError, match="random values are made"):
        random_inputs([Value("x", np.dtype(complex), (1,))], 1, {})
    assert parse_lengths(["t=3"], [Value("x", np.dtype("float32"), ("n", "t"))]) == {"t": 3}
