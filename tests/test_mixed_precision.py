"""Mixed precision: which layers rounding harms, and int8 files that keep these in float."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from allotrope.config import Repair, Target
from allotrope.errors import UnsupportedError
from allotrope.measure.candidates import Bench, Candidate, candidates, measure_candidates
from allotrope.measure.choice import DECIDING, choose
from allotrope.measure.left_in_float import LeavingInFloat, fewest
from allotrope.network.reading.read import load
from allotrope.runtimes import runtime
from allotrope.shrinking.mixed_precision import rounded_in, rounded_layers
from allotrope.shrinking.quantize import FLOAT_FORMS, QUANTIZERS
from allotrope.shrinking.sensitivity import relative_error, sensitivities
from allotrope.tasks.metric import ACCURACY
from harmed import HARMED, harmed, judged_by
from measured import images
from quick import BRIEF

CALIBRATION = {"image": images(100, 1)}
TARGET = Target(max_drop=8.0)
BY = {"nncf": "openvino", "onnxruntime": "onnxruntime"}
"""NNCF's files are for OpenVINO, and ONNX Runtime 1.32 does not open all of them."""


def answers(network, form, folder):
    network.save(folder / "network.onnx")
    session = runtime(BY[form]).open(folder / "network.onnx", "int8", 1)
    return session.run(CALIBRATION)


@pytest.fixture(scope="module", params=QUANTIZERS)
def quantized(request, tmp_path_factory):
    """A quantizer, the layers that it rounds, and its file."""
    form, folder = request.param, tmp_path_factory.mktemp(request.param)
    source, plain, target = (folder / f"{name}.onnx" for name in ("source", "plain", "int8"))
    harmed().save(source)
    FLOAT_FORMS[form](source, plain)
    QUANTIZERS[form](source, CALIBRATION, target)
    return form, rounded_layers(*(load(file, repair=Repair.none()) for file in (plain, target)))


def test_all_layers_are_the_file_and_none_the_float_network(quantized, tmp_path):
    form, known = quantized
    assert known.layers == ("conv1", HARMED, "conv3", "head")
    assert known.followed_by["flat"] == known.followed_by["pool"] == {"head"}
    for layers, expected in ((known.layers, known.rounded), ((), known.plain)):
        own = answers(rounded_in(known, layers), form, tmp_path)
        other = answers(expected, form, tmp_path)
        assert np.array_equal(own["probabilities"], other["probabilities"])


def test_what_is_left_in_float_has_its_own_weights(quantized):
    _, known = quantized
    mixed = rounded_in(known, [name for name in known.layers if name != HARMED])
    nodes = {node.label: node for node in mixed.graph.nodes}
    arrays = {**mixed.weights, **mixed.graph.constants}
    source = {node.label: node for node in known.plain.graph.nodes}[HARMED]
    own = arrays[nodes[HARMED].inputs[1]]
    expected = {**known.plain.weights, **known.plain.graph.constants}[source.inputs[1]]
    assert np.array_equal(own, expected)
    makers = {name: node for node in nodes.values() for name in node.outputs}
    assert makers[nodes["conv3"].inputs[1]].operator == "DequantizeLinear"
    assert makers[nodes[HARMED].inputs[0]].operator == "Relu"


def points_lost(expected, own):
    lost = expected["probabilities"].argmax(1) != own["probabilities"].argmax(1)
    return 100 * float(lost.mean())


def test_the_harmed_layer_is_first_and_another_order_takes_more(quantized, tmp_path):
    form, known = quantized
    order = sensitivities(known, lambda network: answers(network, form, tmp_path), points_lost)
    assert [each.operator for each in order].count("Conv") == 3
    assert order[0].layer == HARMED
    assert order[0].error > 20 * order[1].error
    assert order[0].drop > 3
    assert {each.layer for each in order} == set(known.layers)
    expected = answers(known.plain, form, tmp_path)

    def keeps(names):
        mixed = rounded_in(known, [name for name in known.layers if name not in names])
        return relative_error(answers(mixed, form, tmp_path), expected) < 0.1

    names = [each.layer for each in order]
    assert not keeps([])
    assert fewest(lambda count: keeps(names[:count]), len(names)) == 1
    others = [name for name in names if name != HARMED]
    assert fewest(lambda count: keeps([*others, HARMED][:count]), len(names)) is None


def test_errors_are_shares_of_the_variance():
    expected = {"a": np.array([[1.0], [2.0], [3.0]]), "b": np.array([[5.0], [5.0], [5.0]])}
    assert relative_error(expected, expected) == 0
    # Squares of 1 for a variance sum of 2, and of 1 for a sum of squares of 75.
    wrong = {"a": expected["a"] + [[1], [0], [0]], "b": expected["b"] + [[0], [0], [1]]}
    assert relative_error(wrong, expected) == pytest.approx((1 / 2 + 1 / 75) / 2)
    assert relative_error({**expected, "a": expected["a"] * np.nan}, expected) == np.inf


@pytest.mark.parametrize("needed", [1, 2, 3, 7, 11])
def test_the_fewest_are_found_with_few_trials(needed):
    tried = []

    def keeps(count):
        tried.append(count)
        return count >= needed

    assert fewest(keeps, 12) == needed
    assert len(tried) == len(set(tried)) <= 7
    assert max(tried) < 12


@pytest.mark.parametrize("count", [1, 2, 12])
def test_all_layers_in_float_is_no_mixed_precision(count):
    assert fewest(lambda floats: False, count) is None


def split_of(count):
    return judged_by(harmed(), count, 4)


def measured_in(folder, among, target=TARGET, examples=split_of):
    """The rows of candidates, as `fit` measures them."""
    network = harmed()
    splits = {"validation": judged_by(network, 100, 2), "test": judged_by(network, 50, 3)}
    return measure_candidates(
        network,
        CALIBRATION,
        splits,
        folder,
        target,
        ACCURACY,
        threads=1,
        among=among,
        further=LeavingInFloat(target, ACCURACY, examples),
        turns=BRIEF,
    )


PAIRS = [("onnxruntime", "onnxruntime"), ("openvino", "nncf")]


def only(*pairs):
    """Float32 and these int8 files: runtimes and quantizers."""

    def among(folder):
        int8 = [one for one in candidates(folder) if (one.runtime, one.form) in pairs]
        assert len(int8) == len(pairs)
        return [Candidate("onnxruntime", "float32", folder / "model.onnx"), *int8]

    return among


ONE = only(PAIRS[0])


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    measured = measured_in(folder, only(*PAIRS))
    return folder, {(row["runtime"], row["form"]): row for row in measured}


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_just_the_harmed_layer_is_left_in_float(rows, name, form):
    folder, by_form = rows
    row, plain = by_form[name, f"mixed-{form}"], by_form[name, form]
    assert not plain["passes"]
    assert row["passes"], row["reason"]
    assert [each["layer"] for each in row["sensitivity"] if each["float"]] == [HARMED]
    assert row["sensitivity"][0]["layer"] == HARMED
    assert row["validation_metric"] > plain["validation_metric"]
    assert row["latency_ms"]["median"] > 0
    json.dumps(row)
    operators = [node.op_type for node in onnx.load(folder / row["file"]).graph.node]
    assert operators.count("DequantizeLinear") > 4


def test_it_is_chosen_among_all(rows):
    passing = [row for row in rows[1].values() if row["passes"] and row["precision"] == "int8"]
    assert choose(passing, TARGET, ACCURACY)["form"].startswith("mixed-")
    assert all(row["form"].startswith("mixed-") for row in passing)


def test_nothing_is_mixed_if_int8_keeps_the_metric(tmp_path):
    def never(count):
        raise AssertionError("training examples were asked for")

    rows = measured_in(tmp_path, ONE, Target(max_drop=60.0), never)
    assert [row["form"] for row in rows] == ["", "onnxruntime"]


def test_nothing_is_mixed_if_float_loses_too_much_as_well(tmp_path):
    """Against trees, which answer better than the network."""

    def never(line):
        raise AssertionError(line)

    def at(value, **differs):
        candidate = Candidate("onnxruntime", file=tmp_path / "one.onnx", **differs)
        return candidate, {**candidate.row, DECIDING: value}

    trees = at(1.0, precision="float32", form="trees")
    network = at(0.8, precision="float32")
    int8 = at(0.7, precision="int8", form="onnxruntime", source=tmp_path / "model.onnx")
    bench = Bench(tmp_path, {}, split_of(1), 1, 1.0, never)
    mixing = LeavingInFloat(TARGET, ACCURACY, never)
    candidates, rows = zip(trees, network, int8, strict=True)
    assert mixing(candidates, rows, bench) == []
    candidates, rows = zip(network, int8, strict=True)
    with pytest.raises(AssertionError, match="every int8 file loses more than is allowed"):
        mixing(candidates, rows, bench)


def test_a_file_of_others_is_not_mixed(tmp_path):
    """Nobody knows of what it was made."""

    def among(folder):
        *others, int8 = ONE(folder)
        QUANTIZERS["onnxruntime"](folder / "model.onnx", CALIBRATION, int8.file)
        return [*others, replace(int8, source=None)]

    rows = measured_in(tmp_path, among)
    assert [row["form"] for row in rows] == ["", "onnxruntime"]


def test_a_file_that_cannot_be_mixed_is_a_row_with_the_reason(tmp_path):
    def strange(count):
        raise UnsupportedError("these layers are strange")

    *_, row = measured_in(tmp_path, ONE, examples=strange)
    assert row["form"] == "mixed-onnxruntime"
    assert row["reason"] == "not mixed: these layers are strange"
    assert not row["passes"]


def test_rounded_nodes_that_the_float_network_lacks_are_named(quantized):
    _, known = quantized
    nodes = [replace(each, name=f"other {each.label}") for each in known.plain.graph.nodes]
    other = known.plain.changed(graph=replace(known.plain.graph, nodes=tuple(nodes)))
    with pytest.raises(UnsupportedError, match=r"not in the float network.*conv1"):
        rounded_layers(other, known.rounded)
    with pytest.raises(UnsupportedError, match="rounds no layer"):
        rounded_layers(known.plain, known.plain)
