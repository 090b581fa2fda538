"""`bench` on any ONNX file, in real processes."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from allotrope.errors import ModelError, UsageError
from allotrope.measure.declared import declared
from allotrope.measure.inputs import is_divisible, parse_lengths, random_inputs
from allotrope.measure.lengths import resolved
from allotrope.measure.plain import plain
from allotrope.measure.yardstick import Yardstick, read_arrays
from allotrope.network.graph import Value
from allotrope.runtimes import RUNTIMES, runtime
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
    assert "1 threads, 2 interleaved rounds" in lines[2]
    assert table.exit_code == 0
    assert json.loads(json.dumps(table.json))["measurement"]["batch"] == [1, 8]


def test_network_with_several_inputs_and_outputs(tmp_path):
    text_model(tmp_path / "text.onnx")
    found = bench(
        tmp_path / "text.onnx",
        runtimes=["onnxruntime"],
        batch=[2],
        threads=1,
        dimensions=["t=3"],
        rounds=1,
    )
    (row,) = found.json["rows"]
    assert row["batches"]["2"]["median"] > 0
    assert found.json["measurement"]["lengths"] == {"t": 3}
    assert "free lengths t=3: as --dimensions says" in str(found)


def test_missing_runtime_is_a_row_with_the_command_that_installs_it(tmp_path, monkeypatch):
    classifier().save(tmp_path / "model.onnx")
    monkeypatch.setattr(type(runtime("openvino")), "package", "allotrope_missing")
    found = bench(
        tmp_path / "model.onnx",
        runtimes=["onnxruntime", "openvino"],
        batch=[1],
        threads=1,
        rounds=1,
    )
    reasons = [row.get("reason") for row in found.json["rows"]]
    assert reasons[0] is None
    assert (
        reasons[1:]
        == [
            "allotrope_missing is not installed. Install it with: pip install 'allotrope[openvino]'"
        ]
        * 2
    )
    assert "pip install 'allotrope[openvino]'" in str(found)


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


def test_random_inputs_have_the_declared_shapes_and_kinds():
    values = [
        Value("a", np.dtype("uint8"), ("n", 4, None)),
        Value("b", np.dtype("int64"), ("n", "t")),
        Value("c", np.dtype("float16"), ()),
    ]
    found = random_inputs(values, 3, {"t": 5})
    assert {name: (array.shape, array.dtype.name) for name, array in found.items()} == {
        "a": ((3, 4, 1), "uint8"),
        "b": ((3, 5), "int64"),
        "c": ((), "float16"),
    }


def test_only_a_shared_free_batch_may_be_divided():
    image, other = (
        Value("x", np.dtype("float32"), ("n", 3)),
        Value("y", np.dtype("float32"), ("m", 3)),
    )
    assert is_divisible([image], [image])
    assert not is_divisible([image], [other])
    assert not is_divisible([image, image], [image])


def test_bad_input_is_named(tmp_path):
    classifier().save(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"nowhere\.onnx"):
        bench(tmp_path / "nowhere.onnx")
    with pytest.raises(UsageError, match="Did you mean 'openvino'"):
        bench(tmp_path / "model.onnx", runtimes=["openvin"])
    with pytest.raises(UsageError, match="at least 1"):
        bench(tmp_path / "model.onnx", batch=[0])
    with pytest.raises(
        UsageError, match=r"'t=x' is not a free dimension and its length.*Free here: n"
    ):
        bench(tmp_path / "model.onnx", dimensions=["t=x"])
    with pytest.raises(UsageError, match="how many dimensions"):
        random_inputs([Value("x", np.dtype("float32"), None)], 1, {})
    with pytest.raises(UsageError, match="random values are made"):
        random_inputs([Value("x", np.dtype(complex), (1,))], 1, {})
    assert parse_lengths(["t=3"], [Value("x", np.dtype("float32"), ("n", "t"))]) == {"t": 3}


# --- files that nobody but a runtime understands


def saved(path, nodes, inputs, outputs, arrays=None, domains=(), opset=17):
    initializers = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(name, version) for name, version in domains),
    ]
    save(helper.make_model(graph, opset_imports=imports, ir_version=9), path)
    return path


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def labelled(path):
    """What skl2onnx writes: texts, and a list of dicts, beside an operator of ONNX Runtime's own."""
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
    found = bench(
        labelled(tmp_path / "m.onnx"), runtimes=["onnxruntime"], batch=[2], threads=1, rounds=1
    )
    (row,) = found.json["rows"]
    assert row["batches"]["2"]["median"] > 0
    assert row["agrees"]
    (note,) = found.json["notes"]
    assert "the reference cannot compute this file (" in note
    assert note.endswith("outputs compared with ONNX Runtime without optimizations")


def test_where_nothing_runs_the_exit_code_says_so(tmp_path):
    node = helper.make_node("Gadget", ["x"], ["y"], domain="com.example")
    file = saved(
        tmp_path / "m.onnx",
        [node],
        [floats("x", "n", 3)],
        [floats("y", "n", 3)],
        domains=[("com.example", 1)],
    )
    found = bench(file, runtimes=["onnxruntime"], batch=[1], threads=1, rounds=1)
    assert found.exit_code == 1
    assert "Gadget" in found.json["rows"][0]["reason"]
    assert "nor can ONNX Runtime" in found.json["notes"][0]


def test_plain_arrays_of_everything_that_runtimes_give(tmp_path):
    row = [{"a": np.float32(1), "b": np.float32(2)}, {"a": np.float32(3), "b": np.float32(4)}]
    texts = np.array(["x", "yy"], dtype=object)
    found = plain(
        {
            "text": texts,
            "table": row,
            "sequence": [np.ones(2), np.ones(3)],
            "none": None,
            "low": np.ones(2, ml_dtypes.bfloat16),
        }
    )
    np.savez(tmp_path / "arrays.npz", *found)
    read = read_arrays(tmp_path / "arrays.npz")
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
    ("found", "expected", "far"),
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
def test_differences_from_the_yardstick(found, expected, far):
    assert Yardstick(expected, "").difference(found, "x") == far


def test_the_first_outputs_are_the_yardstick_where_there_is_no_other():
    expected = Yardstick(None, "nothing computes it")
    assert expected.difference([np.ones(2)], "openvino") == 0
    assert expected.difference([np.full(2, 1.5)], "pytorch") == 0.5
    assert expected.line == "nothing computes it; compared with openvino"


# --- free lengths


CONV = [helper.make_node("Conv", ["x", "w"], ["y"])]
LENGTHS = {
    "channels and sides": (
        CONV,
        [floats("x", "b", "c", "h", "w")],
        {"w": np.ones((8, 3, 4, 4), np.float32)},
        {"c": 3, "h": 224, "w": 224},
    ),
    "channels in groups": (
        [helper.make_node("Conv", ["x", "w"], ["y"], group=3)],
        [floats("x", "b", "c", "h", "w")],
        {"w": np.ones((6, 1, 4, 4), np.float32)},
        {"c": 3, "h": 224, "w": 224},
    ),
    "behind a scale": (
        [helper.make_node("Div", ["x", "s"], ["d"]), helper.make_node("Conv", ["d", "w"], ["y"])],
        [floats("x", "b", "c", 32, 32)],
        {"s": np.float32(255), "w": np.ones((8, 5, 4, 4), np.float32)},
        {"c": 5},
    ),
    "channels last, without names": (
        [helper.make_node("Transpose", ["x"], ["y"])],
        [floats("x", None, None, None, 3)],
        {},
        {"x:1": 224, "x:2": 224},
    ),
    "rows of a matrix": (
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        [floats("x", "b", "features")],
        {"w": np.ones((3, 7), np.float32)},
        {"features": 7},
    ),
    "ids": (
        [helper.make_node("Add", ["ids", "mask"], ["y"])],
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"])
            for name in ("ids", "mask")
        ],
        {},
        {"t": 128},
    ),
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_free_lengths_that_the_file_shows_are_taken_and_said(tmp_path, kind):
    nodes, inputs, arrays, expected = LENGTHS[kind]
    file = declared(saved(tmp_path / "m.onnx", nodes, inputs, [floats("y")], arrays))
    found = resolved(file, [])
    assert found.by_name == expected
    assert all(f"{name}={length}" in "".join(found.lines) for name, length in expected.items())
    assert "--dimensions" in found.lines[0]
    assert all(
        isinstance(length, int)
        for value in found.fixed(file.inputs)
        for length in (value.shape or ())[1:]
    )


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ([floats("x", "b", "t", 8)], "t=16"),
        ([floats("x", "b", "c", "h", "w")], "c=16,h=16,w=16"),
        ([floats("x", "b", 7, "h", "w")], "h=16,w=16"),
        (
            [
                floats("x", "b", 2, "past", 4),
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "t"]),
            ],
            "past=16,t=16",
        ),
        ([floats("x", None, None)], "x:1=16"),
    ],
)
def test_free_lengths_that_could_be_anything_are_asked_for(tmp_path, inputs, named):
    file = declared(
        saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [floats("y")])
    )
    with pytest.raises(UsageError, match=rf"cannot be told from the file.*--dimensions {named}$"):
        resolved(file, [])


def test_dimensions_overrule_what_would_be_taken_and_sums_follow(tmp_path):
    inputs = [
        floats("x", "b", 2, "past", 4),
        *(floats(name, "b", length) for name, length in (("m", "past + t"), ("u", "t"))),
    ]
    file = declared(
        saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [floats("y")])
    )
    assert resolved(file, ["past=7,t=2"]).by_name == {"past": 7, "t": 2, "past + t": 9}
    pictures = saved(
        tmp_path / "p.onnx",
        *LENGTHS["channels and sides"][:2],
        [floats("y")],
        LENGTHS["channels and sides"][2],
    )
    assert resolved(declared(pictures), ["h=32", "w=48"]).by_name == {"h": 32, "w": 48, "c": 3}


def test_inputs_that_are_no_tensors_are_named(tmp_path):
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    unranked = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    file = saved(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["r"], ["y"])],
        [sequence, unranked],
        [floats("y")],
    )
    with pytest.raises(UsageError, match="inputs 's', 'r'"):
        declared(file)


def test_inputs_are_filled_by_what_they_are_for_and_it_is_said(tmp_path):
    rows = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", 5])
        for name in ("tokens", "attention_mask")
    ]
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["taken"]),
        helper.make_node("Trilu", ["taken"], ["cut"], domain="com.microsoft"),
        helper.make_node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
    ]
    outputs = [floats("cut"), floats("seen")]
    file = saved(
        tmp_path / "m.onnx",
        nodes,
        rows,
        outputs,
        {"table": np.ones((7, 3), np.float32)},
        [("com.microsoft", 1)],
    )
    found = bench(file, runtimes=["onnxruntime"], batch=[2], threads=1, rounds=1)
    notes = "\n".join(found.json["notes"])
    assert (
        "'attention_mask' gets 1 for the beginning of each row and 0 for its end: its name says so"
        in notes
    )
    assert found.exit_code == 0
