"""What no answer needs is not computed in a delivered file: the same answers, by fewer nodes."""

import numpy as np
import pytest

from allotrope.inputs.text.text_input import Text
from allotrope.measure.candidates import candidates
from allotrope.measure.network_files import FLOAT_FILE, INFERENCE_FILE, write_network
from allotrope.network.build import Builder
from allotrope.network.reading.read import load
from allotrope.network.rewriting.inference.inference_form import inference_form
from allotrope.network.zoo.recurrent_text import gru
from allotrope.runtimes import runtime

PARTS = {"first": 3, "second": 4, "third": 2}
X = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)


def branches(weightless, layer="Gemm", dropped=False, seen=False, axis=1):
    """A dense layer over three parts, of which some weigh nothing."""
    rng = np.random.default_rng(1)
    builder = Builder("branches")
    x = builder.input("x", np.float32, ("n", 6))
    parts, rows = [], []
    for name, size in PARTS.items():
        kernel = builder.weight(f"{name}.kernel", rng.normal(size=(6, size)).astype(np.float32))
        parts.append(builder.add("MatMul", [x, kernel], name=name))
        row = rng.normal(size=(size, 2)).astype(np.float32)
        rows.append(np.zeros_like(row) if name in weightless else row)
    features = builder.add("Concat", parts, {"axis": axis}, name="features")
    if dropped:
        ratio = builder.constant(np.float32(0.5), "ratio")
        features = builder.add("Dropout", [features, ratio], name="dropped")
    array = np.concatenate(rows)
    if layer == "Gemm":
        weight, bias = (
            builder.weight("head", array.T.copy()),
            builder.weight("bias", np.ones(2, "f")),
        )
        answer = builder.add("Gemm", [features, weight, bias], {"transB": 1}, name="answer")
    else:
        answer = builder.add("MatMul", [features, builder.weight("head", array)], name="answer")
    builder.output(answer, "y")
    if seen:
        builder.output("second", "seen")
    return builder.network()


def answers(network, x):
    return network.run({network.inputs[0].name: x})


def assert_same(network, form, x):
    expected, actual = answers(network, x), answers(form, x)
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layer", ["Gemm", "MatMul"])
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("weightless", [{"first"}, {"second"}, {"first", "third"}])
def test_parts_that_weigh_nothing_are_left_out(weightless, axis, layer):
    network = branches(weightless, layer, axis=axis)
    form = inference_form(network)
    assert_same(network, form, X)
    assert not weightless & {node.outputs[0] for node in form.graph.nodes}
    assert not {f"{name}.kernel" for name in weightless} & set(form.weights)
    joined = [node for node in form.graph.nodes if node.operator == "Concat"]
    assert len(joined) == (1 if len(weightless) == 1 else 0)


def test_what_is_dropped_in_training_is_passed_on():
    network = branches({"second"}, dropped=True)
    form = inference_form(network)
    assert_same(network, form, X)
    assert "second" not in {node.outputs[0] for node in form.graph.nodes}


def test_what_else_is_answered_stays():
    network = branches({"second"}, seen=True)
    form = inference_form(network)
    assert_same(network, form, X)
    assert "second.kernel" in form.weights


@pytest.mark.parametrize("weightless", [set(), set(PARTS)])
def test_a_network_without_such_parts_is_itself(weightless):
    network = branches(weightless)
    assert inference_form(network) is network


def texts(*said):
    return Text.of("text", list(said))


@pytest.fixture(scope="module")
def recurrent():
    """A GRU over the words of texts, and texts of several lengths."""
    text = texts("a film of great beauty and no plot", "no", "", "one two three")
    vocabulary = np.arange(2**18, dtype=np.int32) % 50
    network = text.prepare(gru(3, vocabulary, dimension=8, hidden=5))
    x = text.column(["a film of great beauty", "no", "", "one two three four five six"])
    return network, x


def test_places_are_reversed_in_place_of_rows(recurrent):
    network, x = recurrent
    form = inference_form(network)
    assert_same(network, form, x)
    (reverse,) = [node for node in form.graph.nodes if node.operator == "ReverseSequence"]
    assert form.graph.values[reverse.outputs[0]].dtype == np.int32


def test_rows_that_are_computed_are_reversed_as_they_are():
    builder = Builder("computed")
    x = builder.input("x", np.float32, (4, "n", 3))
    lengths = builder.constant(np.array([2], np.int64), "lengths")
    axes = {"time_axis": 0, "batch_axis": 1}
    builder.output(builder.add("ReverseSequence", [x, lengths], axes, name="reversed"), "y")
    network = builder.network()
    assert inference_form(network) is network


def test_rows_of_a_single_list_are_reversed_as_they_are():
    """Its places have one axis, so that the other one that is worked on is the table's."""
    builder = Builder("list")
    places = builder.input("places", np.int64, (4,))
    table = builder.weight("table", np.arange(15, dtype=np.float32).reshape(5, 3))
    rows = builder.add("Gather", [table, places], name="rows")
    lengths = builder.constant(np.array([2, 3, 4], np.int64), "lengths")
    axes = {"time_axis": 0, "batch_axis": 1}
    builder.output(builder.add("ReverseSequence", [rows, lengths], axes, name="reversed"), "y")
    network = builder.network()
    assert inference_form(network) is network


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_runtimes_answer_by_the_form_as_by_the_network(recurrent, name, tmp_path):
    network, x = recurrent
    expected = answers(network, x)
    write_network(network, inference_form(network), tmp_path)
    (tried,) = [
        each for each in candidates(tmp_path) if (each.runtime, each.precision) == (name, "float32")
    ]
    actual = runtime(name).open(tried.source, "float32", 1).run({"text": x})
    for output, array in expected.items():
        np.testing.assert_allclose(actual[output], array, rtol=0, atol=1e-5)


def test_candidates_are_made_of_the_form_and_the_network_stays_whole(tmp_path):
    network = branches({"second"})
    write_network(network, inference_form(network), tmp_path)
    baseline, *others = candidates(tmp_path)
    assert "second.kernel" in load(baseline.file).weights
    assert {each.source.name for each in others} == {INFERENCE_FILE}
    assert "second.kernel" not in load(others[0].source).weights


def test_a_form_of_another_network_is_not_taken(tmp_path):
    for weightless in ({"second"}, set()):
        network = branches(weightless)
        write_network(network, inference_form(network), tmp_path)
    assert {each.source.name for each in candidates(tmp_path)[1:]} == {FLOAT_FILE}
