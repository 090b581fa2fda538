"""All candidates of one small classifier, measured once in real processes; and planted failures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from allotrope.config import Target
from allotrope.delivery.deliver import deliver
from allotrope.measure.candidates import Candidate, measure, measure_candidates
from allotrope.measure.choice import choose, judge, nearest_miss
from allotrope.measure.rounds import Timing, Turns, measurement
from allotrope.network.reading.read import load
from allotrope.network.rewriting.compose import class_names
from allotrope.tasks.metric import ACCURACY
from measured import CLASSES, classifier, images, labelled
from quick import BRIEF

TARGET = Target(max_drop=10.0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder and rows of one measuring, which the tests only read."""
    folder = tmp_path_factory.mktemp("measured")
    network = classifier()
    splits = {"validation": labelled(network, 80, 2), "test": labelled(network, 60, 3)}
    calibration = {"image": images(100, 1)}
    return folder, measure_candidates(
        network, calibration, splits, folder, TARGET, ACCURACY, threads=1, turns=BRIEF
    )


def by_name(rows):
    """Rows by runtime and precision; of two int8 forms in one runtime the last, NNCF's."""
    return {(row["runtime"], row["precision"]): row for row in rows}


def test_every_candidate_has_a_row(measured):
    _, rows = measured
    expected = {("pytorch", "float32"), ("onnxruntime", "float32"), ("onnxruntime", "int8")}
    expected |= {("openvino", precision) for precision in ("float32", "bfloat16", "int8")}
    assert set(by_name(rows)) == expected
    assert [row["runtime"] for row in rows if row["baseline"]] == ["pytorch"]
    assert [
        row["form"] for row in rows if (row["runtime"], row["precision"]) == ("openvino", "int8")
    ] == ["onnxruntime", "nncf"]


def test_rows_hold_what_a_run_records(measured):
    folder, rows = measured
    for row in rows:
        if row["precision"] == "bfloat16" and "latency_ms" not in row:
            assert "no bfloat16 instructions" in row["reason"]
            continue
        assert row["latency_ms"]["median"] > 0, row
        assert row["latency_ms"]["p90"] >= row["latency_ms"]["median"]
        assert row["latency_ms"]["spread"] >= 0
        assert row["throughput"] == pytest.approx(64e3 / row["batch_latency_ms"]["median"])
        assert row["load_seconds"] > 0
        assert row["peak_memory_bytes"] > 10e6
        assert (folder / row["file"]).is_file()
        assert row["passes"], row["reason"]
    json.dumps(rows)


def test_float32_is_exact_and_int8_near(measured):
    rows = by_name(measured[1])
    for name in ("pytorch", "onnxruntime", "openvino"):
        assert rows[name, "float32"]["validation_metric"] == 1.0
        assert rows[name, "float32"]["test_metric"] == 1.0
    for name in ("onnxruntime", "openvino"):
        assert rows[name, "int8"]["validation_metric"] >= 0.9


def test_int8_files_are_int8(measured):
    folder, rows = measured
    model = onnx.load(folder / by_name(rows)["onnxruntime", "int8"]["file"])
    int8 = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(int8) == 2
    assert by_name(rows)["openvino", "int8"]["form"] == "nncf"


def test_missing_target_gives_the_nearest_miss(measured):
    target = Target(max_latency=1e-6, max_drop=10.0)
    rows = judge(measured[1], target, ACCURACY)
    assert choose(rows, target, ACCURACY) is None
    nearest = nearest_miss(rows, target, ACCURACY)
    assert nearest is not None
    assert not nearest["baseline"]


@pytest.mark.parametrize(
    ("name", "precision"),
    [("onnxruntime", "float32"), ("onnxruntime", "int8"), ("openvino", "int8")],
)
def test_delivered_folder_works_without_allotrope(name, precision, measured, tmp_path):
    folder, rows = measured
    only = [row for row in rows if (row["runtime"], row["precision"]) == (name, precision)]
    best = choose(only, TARGET, ACCURACY)
    (tmp_path / best["file"]).parent.mkdir(exist_ok=True)
    shutil.copy(folder / best["file"], tmp_path / best["file"])
    row_delivered = deliver(best, tmp_path)
    delivered = tmp_path / "delivered"
    pixels = images(1, seed=9)
    Image.fromarray(pixels[0]).save(tmp_path / "picture.png")

    answer = run_predict(delivered, "--json", "--top", "2", str(tmp_path / "picture.png"))
    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads(answer.stdout)
    expected = classifier().run({"image": pixels})["probabilities"][0]
    assert row["top"][0]["class"] == CLASSES[expected.argmax()]
    assert len(row["top"]) == 2
    assert row["top"][0]["probability"] == pytest.approx(
        expected.max(), abs=1e-5 if precision == "float32" else 0.1
    )
    assert row_delivered["file"] == "delivered/model.onnx"
    assert class_names(load(delivered / "model.onnx")) == CLASSES
    assert (delivered / "labels.txt").read_text().splitlines() == list(CLASSES)

    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    answer = run_predict(delivered, str(tmp_path / "picture.png"), str(broken))
    assert answer.returncode == 1
    assert CLASSES[expected.argmax()] in answer.stdout
    assert "cannot be read" in answer.stdout
    assert "Traceback" not in answer.stderr


def validation_and_test(split):
    return {"validation": split, "test": split}


def run_predict(delivered, *arguments):
    """predict.py, with an import of Allotrope that fails."""
    program = str(delivered / "predict.py")
    blocked = (
        "import sys, runpy; sys.modules['allotrope'] = None; sys.argv = sys.argv[1:]; "
        f"runpy.run_path({program!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", blocked, "predict.py", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_planted_failures_are_rows_and_the_rest_goes_on(tmp_path):
    network = classifier()
    network.save(tmp_path / "right.onnx")
    shuffled = {"head.weight": np.ascontiguousarray(network.weights["head.weight"][:, ::-1])}
    network.with_weights(shuffled).save(tmp_path / "wrong.onnx")
    onnx.save(endless(), tmp_path / "endless.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    names = ("right", "wrong", "endless", "broken", "absent")
    planted = [
        Candidate(
            "onnxruntime", "float32" if name == "right" else "int8", tmp_path / f"{name}.onnx"
        )
        for name in names
    ]
    planted.append(
        Candidate(
            "onnxruntime",
            "int8",
            tmp_path / "int8.onnx",
            "onnxruntime",
            source=tmp_path / "broken.onnx",
        )
    )
    split = labelled(network, 40, 4)
    patience = 8

    rows = judge(
        measure(planted, split.inputs, validation_and_test(split), threads=1, patience=patience),
        Target(),
        ACCURACY,
    )

    assert [row["passes"] for row in rows] == [True, False, False, False, False, False]
    reasons = [row["reason"] for row in rows]
    assert "points under float32" in reasons[1]
    assert f"no answer to 'open' within {patience} s" in reasons[2]
    assert "protobuf" in reasons[3].lower()
    assert "absent.onnx" in reasons[4]
    assert reasons[5].startswith("not quantized")
    assert choose(rows, Target(), ACCURACY) is rows[0]


def endless():
    """A model that runs for years: a loop of 2**60 turns."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Mul", ["x", "x"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["x0"], to=1),
        helper.make_node("Loop", ["turns", "yes", "x0"], ["probabilities"], body=body),
    ]
    graph = helper.make_graph(
        nodes,
        "endless",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 12, 12, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        [
            helper.make_tensor("turns", TensorProto.INT64, [], [2**60]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_probabilities_that_are_not_numbers_are_rejected(tmp_path):
    network = classifier()
    broken = np.full_like(network.weights["head.weight"], np.nan)
    network.with_weights({"head.weight": broken}).save(tmp_path / "nan.onnx")
    split = labelled(network, 10, 4)
    planted = [Candidate("onnxruntime", "float32", tmp_path / "nan.onnx")]
    (row,) = judge(
        measure(planted, split.inputs, validation_and_test(split), threads=1), Target(), ACCURACY
    )
    assert not row["passes"]
    assert (
        "answers 'probabilities' that are not numbers on the validation examples" in row["reason"]
    )


def test_figures_of_rounds():
    timing = Timing([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 1.0, 10.0]])
    figures = timing.figures()
    assert figures["median"] == 1.0
    assert figures["spread"] == 1.0
    assert figures["p90"] == pytest.approx(np.percentile([1] * 5 + [2] * 3 + [10], 90))


def test_measurement_says_how(measured):
    how = measurement(3, Turns(rounds=2, seconds=0.5))
    said = {"threads": 3, "rounds": 2, "batch": 64, "seconds_per_round": 0.5}
    assert said.items() <= how.items()


def test_a_form_of_its_own_may_be_made_by_a_quantizer(tmp_path):
    whole, float32 = tmp_path / "whole.onnx", tmp_path / "float32.onnx"
    classifier().save(whole)
    split = labelled(classifier(), 40, seed=3)
    every = [
        Candidate("onnxruntime", "float32", float32, "several", source=whole, quantizer=""),
        Candidate(
            "onnxruntime",
            "int8",
            tmp_path / "int8.onnx",
            "several",
            source=whole,
            quantizer="onnxruntime",
        ),
    ]
    rows = measure(every, split.inputs, {"validation": split}, threads=1, turns=BRIEF)
    assert [row["form"] for row in rows] == ["several", "several"]
    assert rows[1]["size_bytes"] < 0.8 * rows[0]["size_bytes"]
    assert rows[0]["validation_metric"] == 1.0
