"""Control flow, sequences, recurrent layers and quantized operators against ONNX Runtime.

In every framework that is checked.
"""

import itertools

import numpy as np
import pytest
from onnx import TensorProto, helper

from allotrope import load
from allotrope.errors import ModelError, UnsupportedError, UsageError
from onnx_models import model, node, runtime, tensor
from tested import EVERYTHING, TESTED

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def assert_same_as_onnxruntime(source, inputs, framework, tolerance=1e-5):
    """The outputs in a framework, equal to ONNX Runtime's."""
    expected = runtime(source).run(None, inputs)
    outputs = load(source).run(inputs, framework=framework)
    for one, other in zip(expected, outputs.values(), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)


def body(nodes, inputs, outputs, arrays=None):
    return model(nodes, inputs, outputs, arrays).graph


def counting(condition):
    """A Loop that adds x to its state and gives the state of every iteration."""
    inside = body(
        [node("Add", "state x", "next"), node("Identity", "next", "row"), *condition],
        [tensor("i", INT64, ()), tensor("going", BOOL, ()), tensor("state")],
        [tensor("again", BOOL, ()), tensor("next"), tensor("row")],
        {"three": np.array(3, np.int64)},
    )
    return node("Loop", "count first x", "last rows", body=inside)


@pytest.mark.parametrize(
    "condition", [[node("Identity", "going", "again")], [node("Less", "i three", "again")]]
)
def test_loop_runs_as_often_as_count_and_condition_say(framework, condition):
    arrays = {"count": np.array(6, np.int64), "first": np.array(True)}
    source = model(
        [counting(condition)], None, [tensor("last"), tensor("rows", shape=None)], arrays
    )
    assert_same_as_onnxruntime(
        source,
        {"x": np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)},
        framework,
    )


def test_loop_without_end_or_iterations_is_refused(framework, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_LONGEST_LOOP", "5")
    x = np.ones((2, 3), np.float32)
    for count, message in ((2**62, "no end"), (0, "no iteration")):
        arrays = {"count": np.array(count, np.int64), "first": np.array(True)}
        source = model(
            [counting([node("Identity", "going", "again")])],
            None,
            [tensor("last"), tensor("rows", shape=None)],
            arrays,
        )
        with pytest.raises(UnsupportedError, match=message):
            load(source).run({"x": x}, framework=framework)


def test_if_takes_one_branch_by_shape_or_value(framework):
    branches = {
        "then_branch": body([node("Neg", "x", "a")], [], [tensor("a")]),
        "else_branch": body([node("Exp", "x", "b")], [], [tensor("b")]),
    }
    nodes = [
        node("ReduceSum", "x", "total", keepdims=0),
        node("Greater", "total zero", "yes"),
        node("If", "yes", "y", **branches),
    ]
    source = model(nodes, arrays={"zero": np.array(0, np.float32)})
    for sign in (1, -1):
        assert_same_as_onnxruntime(source, {"x": sign * np.ones((2, 3), np.float32)}, framework)


@pytest.mark.parametrize("backward", [0, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_scan_along_axes_in_both_directions(framework, backward, axis):
    inside = body(
        [node("Add", "state slice", "next"), node("Mul", "next next", "row")],
        [tensor("state", shape=None), tensor("slice", shape=None)],
        [tensor("next", shape=None), tensor("row", shape=None)],
    )
    directions = {"scan_output_directions": [backward], "scan_input_directions": [backward]}
    scan = node(
        "Scan",
        "first x",
        "last rows",
        body=inside,
        num_scan_inputs=1,
        scan_input_axes=[axis],
        scan_output_axes=[1],
        **directions,
    )
    nodes = [node("ReduceMin", "x axis", "first", keepdims=0), scan]
    outputs = [tensor("last", shape=None), tensor("rows", shape=None)]
    source = model(nodes, [tensor("x", shape=(4, 3))], outputs, {"axis": np.array([axis])})
    assert_same_as_onnxruntime(
        source,
        {"x": np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)},
        framework,
    )


def test_sequences_are_lists(framework):
    nodes = [
        node("SplitToSequence", "x", "s", axis=1, keepdims=0),
        node("SequenceAt", "s zero", "first"),
        node("Exp", "first", "e"),
        node("SequenceErase", "s one", "t"),
        node("SequenceInsert", "t e", "u"),
        node("ConcatFromSequence", "u", "y", axis=1, new_axis=1),
    ]
    arrays = {"one": np.array(1, np.int64), "zero": np.array(0, np.int64)}
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    assert_same_as_onnxruntime(model(nodes, arrays=arrays), {"x": x}, framework)
    beyond = model(nodes, arrays=arrays | {"one": np.array(7, np.int64)})
    with pytest.raises(ModelError, match="place 7 is not in a sequence of 3"):
        load(beyond).run({"x": x}, framework=framework)


LAYERS = {"RNN": 1, "GRU": 3, "LSTM": 4}
FORMS = {
    "fused": {},
    "clipped": {"clip": 0.3},
    "own activations": {
        "activations": ["HardSigmoid", "ScaledTanh", "LeakyRelu"],
        "activation_alpha": [0.3, 0.9, 0.1],
        "activation_beta": [0.4, 0.8],
    },
}


def directions_of(direction):
    """How many layers there are in one."""
    return 2 if direction == "bidirectional" else 1


def recurrent(operator, direction, lengths, **attributes):
    """A layer with every input that ONNX has for it.

    It takes 5 steps of 3 sequences with 4 channels; its hidden size is 6. Without `lengths` of the
    sequences there is no such input.
    """
    rng = np.random.default_rng(1)
    rows = LAYERS[operator] * 6
    shapes = {"w": (rows, 4), "r": (rows, 6), "b": (2 * rows,), "h": (3, 6), "c": (3, 6)}
    arrays = {
        name: rng.standard_normal((directions_of(direction), *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    arrays["lengths"] = np.array(lengths, np.int32)
    names = ["x", "w", "r", "b", "lengths" if lengths else "", "h"] + ["c"] * (operator == "LSTM")
    results = ["y", "last"] + ["cell"] * (operator == "LSTM")
    made = helper.make_node(
        operator, names, results, direction=direction, hidden_size=6, **attributes
    )
    used = {name: arrays[name] for name in names[1:] if name}
    return model(
        [made], [tensor("x", shape=(5, 3, 4))], [tensor(name, shape=None) for name in results], used
    )


DIRECTIONS = ("forward", "reverse", "bidirectional")
ALL_FORMS = list(itertools.product(LAYERS, DIRECTIONS, ((), (5, 2, 4)), FORMS))
A_FEW_FORMS = ALL_FORMS[::7]


def forms(name):
    """Every form in the reference and PyTorch, a few in frameworks that compile each."""
    return ALL_FORMS if EVERYTHING or name in ("reference", "pytorch") else A_FEW_FORMS


WHERE = [(name, *form) for name in ("reference", *TESTED) for form in forms(name)]


@pytest.mark.parametrize(("where", "operator", "direction", "lengths", "form"), WHERE)
def test_recurrent_layers(where, operator, direction, lengths, form):
    attributes = dict(FORMS[form])
    if "activations" in attributes:
        count = {"RNN": 1, "GRU": 2, "LSTM": 3}[operator]
        directions = directions_of(direction)
        attributes["activations"] = attributes["activations"][:count] * directions
        attributes["activation_alpha"] = attributes["activation_alpha"][:count] * directions
        attributes["activation_beta"] = attributes["activation_beta"][: min(count, 2)] * directions
    if operator == "GRU":
        attributes["linear_before_reset"] = int(form == "fused")
    x = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    assert_same_as_onnxruntime(
        recurrent(operator, direction, lengths, **attributes), {"x": x}, where, 1e-4
    )


@pytest.mark.parametrize("lengths", [(), (5, 2, 4), (0, 1, 5)])
@pytest.mark.parametrize("operator", LAYERS)
def test_fused_and_scanned_layers_have_the_same_gradients(operator, lengths):
    """PyTorch's kernels do not clip, be it at what is never reached; nor tell they last cells."""
    attributes = {"GRU": {"linear_before_reset": 1}}.get(operator, {})
    layer = recurrent(operator, "bidirectional", lengths, **attributes)
    clipped = recurrent(operator, "bidirectional", lengths, clip=1e6, **attributes)
    for each in (layer, clipped):
        del each.graph.node[0].output[2:], each.graph.output[2:]
    fusing, scanning = load(layer), load(clipped)
    x = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    rng = np.random.default_rng(2)
    shapes = {"y": (5, 2, 3, 6), "last": (2, 3, 6)}
    seeds = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    fused = fusing.gradients({"x": x}, seeds, framework="pytorch")
    scanned = scanning.gradients({"x": x}, seeds, framework="pytorch")
    assert set(fused) >= {"x", "w", "r", "b"}
    for name in fused:
        np.testing.assert_allclose(fused[name], scanned[name], rtol=1e-4, atol=1e-5)


def test_unknown_activation_is_named(framework):
    network = load(recurrent("RNN", "forward", (), activations=["Tahn"]))
    with pytest.raises(UsageError, match=r"Tahn.*Tanh"):
        network.run({"x": np.ones((5, 3, 4), np.float32)}, framework=framework)


def test_quantize_saturates_what_is_far_outside(framework):
    x = np.array([[np.inf, -np.inf, 1e30], [0.5, 1.5, 2.5]], np.float32)
    arrays = {"scale": np.array(1, np.float32), "zero": np.array(3, np.uint8)}
    network = load(
        model(
            [node("QuantizeLinear", "x scale zero", "y")],
            outputs=[tensor("y", TensorProto.UINT8, None)],
            arrays=arrays,
        )
    )
    assert network.run({"x": x}, framework=framework)["y"].tolist() == [[255, 0, 255], [3, 5, 5]]


def test_quantized_convolution_by_channel_with_bias(framework):
    rng = np.random.default_rng(0)
    arrays = {
        "xs": np.float32(0.02),
        "xz": np.uint8(120),
        "w": rng.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.01, 0.02, 4).astype(np.float32),
        "wz": np.zeros(4, np.int8),
        "ys": np.float32(0.3),
        "yz": np.uint8(130),
        "b": rng.integers(-900, 900, 4).astype(np.int32),
    }
    nodes = [node("QLinearConv", "x xs xz w ws wz ys yz b", "y", pads=[1, 1, 1, 1], strides=[2, 2])]
    source = model(
        nodes,
        [tensor("x", TensorProto.UINT8, (2, 3, 8, 8))],
        [tensor("y", TensorProto.UINT8, None)],
        arrays,
    )
    assert_same_as_onnxruntime(
        source, {"x": rng.integers(0, 255, (2, 3, 8, 8)).astype(np.uint8)}, framework
    )
