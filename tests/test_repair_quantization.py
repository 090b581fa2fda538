"""Quantized files, as quantizers write them, are read as the float networks they stand for."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import allotrope
from allotrope.config import Repair
from allotrope.network.rewriting.quantized.grid import Grid
from onnx_models import model, node, outputs, tensor
from repaired import F, of, operators
from tested import TESTED

RNG = np.random.default_rng(6)
IMAGE = [tensor("x", shape=["n", 3, 6, 6])]
PIXELS = RNG.standard_normal((4, 3, 6, 6)).astype(F)
ROWS = [tensor("x", shape=["n", 6])]
X = RNG.standard_normal((4, 6)).astype(F)


def drawn(*shape):
    return (RNG.standard_normal(shape) * 0.3).astype(F)


def bytes_(*shape, dtype=np.int8):
    return RNG.integers(0 if dtype == np.uint8 else -127, 128, shape).astype(dtype)


def number(value, dtype=F):
    return np.array(value, dtype)


def loaded(made, **options):
    lines = []
    return allotrope.load(made, report=lines.append, **options), lines


# --- weights


W8 = bytes_(6, 4)
U8 = bytes_(6, 4, dtype=np.uint8)
FLOATS = drawn(6, 4)
COLUMNS = np.abs(drawn(4)) + F(0.01)
ROW_SCALES = np.arange(1, 7, dtype=F)
BLOCKS = np.abs(drawn(3, 4)) + F(0.01)
ZEROS = np.array([1, 2, 3, 4], np.int8)
SCALE = number(0.02)


def dequantize(names, **attributes):
    return [node("DequantizeLinear", names, "w", **attributes)]


def rounding(x, y, s="s", z="z", **attributes):
    return [
        node("QuantizeLinear", f"{x} {s} {z}", f"{y}/q", **attributes),
        node("DequantizeLinear", f"{y}/q {s} {z}", y, **attributes),
    ]


WEIGHTS = {
    "one scale": (
        dequantize("q s z"),
        {"q": W8, "s": SCALE, "z": number(3, np.int8)},
        (W8 - 3.0) * 0.02,
    ),
    "no zero point": (dequantize("q s"), {"q": W8, "s": SCALE}, W8 * 0.02),
    "a scale a column": (
        dequantize("q s z", axis=1),
        {"q": W8, "s": COLUMNS, "z": ZEROS},
        (W8 - 1.0 * ZEROS) * COLUMNS,
    ),
    "a scale a row, counted from the end": (
        dequantize("q s", axis=-2),
        {"q": W8, "s": ROW_SCALES},
        W8 * ROW_SCALES[:, None],
    ),
    "a scale a block": (
        dequantize("q s", axis=0, block_size=2),
        {"q": W8, "s": BLOCKS},
        W8 * np.repeat(BLOCKS, 2, 0),
    ),
    "bytes": (
        dequantize("q s z"),
        {"q": U8, "s": SCALE, "z": number(128, np.uint8)},
        (U8 - 128.0) * 0.02,
    ),
    "16 bits": (dequantize("q s"), {"q": W8.astype(np.int16) * 99, "s": number(1e-4)}, W8 * 99e-4),
    "32 bits": (
        dequantize("q s"),
        {"q": W8.astype(np.int32) * 999, "s": number(1e-5)},
        W8 * 999e-5,
    ),
    "floats that are rounded": (
        rounding("q", "w"),
        {"q": FLOATS, "s": SCALE, "z": number(0, np.int8)},
        FLOATS,
    ),
    "floats that are rounded by columns": (
        rounding("q", "w", axis=1),
        {"q": FLOATS, "s": COLUMNS, "z": np.zeros(4, np.int8)},
        FLOATS,
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_are_read_as_what_they_stand_for(case, framework):
    nodes, arrays, expected = WEIGHTS[case]
    network, lines = loaded(of([*nodes, node("MatMul", "x w", "y")], arrays, ROWS))
    assert network.trainable == {"q"} and operators(network) == ["MatMul"]
    assert network.weights["q"].dtype == F
    np.testing.assert_allclose(network.weights["q"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        network.run({"x": X}, framework)["y"], X @ expected, rtol=1e-3, atol=1e-3
    )
    said = [
        line for line in lines if "are read as the float numbers that they stand for: 'q'" in line
    ]
    assert bool(said) == ("rounded" not in case)


def test_weights_behind_a_transpose():
    nodes = [node("Transpose", "q", "t", perm=[1, 0]), node("DequantizeLinear", "t s", "w")]
    arrays = {"q": np.ascontiguousarray(W8.T), "s": SCALE}
    network, _ = loaded(of([*nodes, node("MatMul", "x w", "y")], arrays, ROWS))
    assert network.trainable == {"q"} and operators(network) == ["Transpose", "MatMul"]
    np.testing.assert_allclose(network.run({"x": X})["y"], X @ (W8 * 0.02), rtol=1e-3, atol=1e-3)


def test_an_embedding_of_integers():
    """ONNX Runtime looks up the integers and says afterwards what they stand for."""
    nodes = [
        node("Gather", "q i", "g"),
        node("DequantizeLinear", "g s z", "e"),
        node("Add", "x e", "y"),
    ]
    arrays = {"q": bytes_(9, 6), "i": np.array([1, 2, 8, 0]), "s": SCALE, "z": number(0, np.int8)}
    network, _ = loaded(of(nodes, arrays, ROWS))
    assert network.trainable == {"q"} and operators(network) == ["Gather", "Add"]
    expected = X + arrays["q"][arrays["i"]] * 0.02
    np.testing.assert_allclose(network.run({"x": X})["y"], expected, rtol=1e-4, atol=1e-4)


def test_four_bits():
    packed = helper.make_tensor("q", TensorProto.INT4, [6, 2], np.arange(-6, 6).tolist())
    made = of(
        [node("DequantizeLinear", "q s", "w"), node("MatMul", "x w", "y")], {"s": number(0.5)}, ROWS
    )
    made.graph.initializer.append(packed)
    network, _ = loaded(made)
    np.testing.assert_allclose(network.weights["q"], np.arange(-6, 6).reshape(6, 2) * 0.5)


def test_arrays_that_fit_no_scale_stay_and_are_named_when_run():
    made = of(
        [node("DequantizeLinear", "q s", "w", axis=1), node("MatMul", "x w", "y")],
        {"q": W8, "s": drawn(3)},
        ROWS,
    )
    network, lines = loaded(made)
    assert operators(network) == ["DequantizeLinear", "MatMul"] and not lines


def test_a_grid_knows_what_fits_it():
    one, columns, blocks = (
        Grid(number(1), number(0, np.int8)),
        Grid(COLUMNS, number(0, np.int8), 1),
        Grid(BLOCKS, number(0, np.int8), 0, 2),
    )
    assert one.fits((3, 5)) and one.fits(())
    assert columns.fits((9, 4)) and not columns.fits((4, 9)) and not columns.fits((4,))
    assert (
        blocks.fits((6, 4))
        and blocks.fits((5, 4))
        and not blocks.fits((8, 4))
        and not blocks.fits((6, 5))
    )
    assert (
        one.key
        != Grid(number(2), number(0, np.int8)).key
        == Grid(number([2]), number([0], np.int8)).key
    )


@pytest.mark.parametrize("order", [("c z", "m s"), ("c z", "s m")])
def test_integers_that_are_cast_moved_and_scaled(order):
    nodes = [
        node("Cast", "q", "c", to=TensorProto.FLOAT),
        node("Sub", order[0], "m"),
        node("Mul", order[1], "w"),
        node("MatMul", "x w", "y"),
    ]
    network, lines = loaded(of(nodes, {"q": U8, "z": number(128), "s": COLUMNS}, ROWS))
    assert network.trainable == {"q"} and operators(network) == ["MatMul"]
    assert "'s' would learn as the file is written" in lines[-1]
    np.testing.assert_allclose(network.weights["q"], (U8 - 128.0) * COLUMNS, rtol=1e-5, atol=1e-5)


def test_integers_that_are_cast_for_something_else_stay_what_they_are():
    nodes = [
        node("Cast", "q", "c", to=TensorProto.FLOAT),
        node("Mul", "c wide", "w"),
        node("Add", "w x", "y"),
    ]
    made = of(
        nodes, {"q": W8[:1, :1].repeat(2, 0), "wide": drawn(2, 6)}, [tensor("x", shape=[2, 6])]
    )
    network, _ = loaded(made)
    x = drawn(2, 6)
    np.testing.assert_allclose(network.run({"x": x})["y"], outputs(made, x=x)[0], rtol=1e-5)


def test_weights_inside_of_a_loop():
    ends = [helper.make_tensor_value_info(n, k, []) for n, k in (("i", 7), ("c", 9))]
    body = helper.make_graph(
        [
            node("Identity", "c", "go"),
            node("DequantizeLinear", "q s", "w"),
            node("MatMul", "h w", "m"),
            *rounding("m", "g"),
        ],
        "body",
        [*ends, tensor("h", shape=None)],
        [helper.make_tensor_value_info("go", 9, []), tensor("g", shape=None)],
    )
    made = of(
        [helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)],
        {
            "n": np.array(2),
            "yes": np.array(True),
            "q": bytes_(6, 6),
            "s": number(0.01),
            "z": number(0, np.int8),
        },
        ROWS,
    )
    network, lines = loaded(made)
    assert network.trainable == {"q"} and len(lines) == 2
    inner = [one.operator for one in network.graph.nodes[0].attributes["body"].nodes]
    assert "QuantizeLinear" not in inner and "DequantizeLinear" not in inner
    np.testing.assert_allclose(network.run({"x": X})["y"], outputs(made, x=X)[0], atol=0.1)


def test_a_block_of_any_length_takes_no_memory():
    network, _ = loaded(
        of(
            [*dequantize("q s", axis=0, block_size=2**40), node("MatMul", "x w", "y")],
            {"q": W8, "s": BLOCKS[:1]},
            ROWS,
        )
    )
    np.testing.assert_allclose(network.weights["q"], W8 * BLOCKS[:1], rtol=1e-5)


def test_weights_that_two_layers_share_stay_one():
    made = of(
        [
            node("DequantizeLinear", "q s", "w"),
            node("MatMul", "x w", "a"),
            node("MatMul", "a w", "y"),
        ],
        {"q": bytes_(6, 6), "s": number(0.02)},
        ROWS,
    )
    assert loaded(made)[0].trainable == {"q"}


# --- activations


KERNEL = {
    "w": drawn(4, 3, 3, 3),
    "v": drawn(2, 4, 3, 3),
    "s": number(0.02),
    "z": number(0, np.uint8),
    "m": number(128, np.uint8),
}


def test_the_limit_of_a_range_stays_for_it_may_be_a_relu():
    made = of(
        [node("Conv", "x w", "a"), *rounding("a", "b"), node("Conv", "b v", "y")], KERNEL, IMAGE
    )
    network, lines = loaded(made)
    assert operators(network) == ["Conv", "Clip", "Conv"]
    low, high = (network.graph.constants[name] for name in network.graph.nodes[1].inputs[1:])
    assert low == 0 and high == pytest.approx(255 * 0.02)
    np.testing.assert_allclose(
        network.run({"x": PIXELS})["y"], outputs(made, x=PIXELS)[0], atol=0.1
    )
    assert lines == [
        "repair: 1 nodes no longer round what they compute, so that there are gradients; "
        "the limits of their numbers stay, in 1 Clip; --no-repair quantization keeps the rounding"
    ]


@pytest.mark.parametrize(
    ("before", "clips"),
    [
        (node("Relu", "a", "b"), [("", 1)]),
        (node("Sigmoid", "a", "b"), []),
        (node("Clip", "a low high", "b"), []),
        (node("Identity", "a", "b"), [(0, 1)]),
    ],
)
def test_a_limit_that_changes_nothing_goes(before, clips):
    arrays = {**KERNEL, "low": number(0), "high": number(3)}
    made = of(
        [node("Conv", "x w", "a"), before, *rounding("b", "c"), node("Conv", "c v", "y")],
        arrays,
        IMAGE,
    )
    names = [
        n.inputs[1:]
        for n in loaded(made)[0].graph.nodes
        if n.operator == "Clip" and n.inputs[1:] != ("low", "high")
    ]
    assert len(names) == len(clips) and all(
        (one[0] == "") == (two[0] == "") for one, two in zip(names, clips, strict=True)
    )


@pytest.mark.parametrize(
    "end", [[], [node("Flatten", "e", "g"), node("Softmax", "g", "y", axis=1)]]
)
def test_the_limits_of_what_goes_in_and_out_are_those_of_the_data_that_was_seen(end):
    """Pixels that are shifted and scaled first, and logits before probabilities, have none."""
    last = "e" if end else "y"
    nodes = [
        node("Sub", "x mean", "n"),
        *rounding("n", "a"),
        node("Conv", "a w", "b"),
        *rounding("b", last, "s", "m"),
        *end,
    ]
    made = of(nodes, {**KERNEL, "mean": np.ones((3, 1, 1), F)}, IMAGE)
    assert operators(loaded(made)[0]) == ["Sub", "Conv", *[one.op_type for one in end]]


@pytest.mark.parametrize("bias", ["k", "kd"])
def test_a_product_has_no_limit_before_its_bias(bias):
    nodes = [
        node("DequantizeLinear", "kq s", "kd"),
        node("MatMul", "x v", "a"),
        *rounding("a", "b", "s", "m"),
        node("Add", f"b {bias}", "c"),
        node("Relu", "c", "y"),
    ]
    arrays = {**KERNEL, "v": drawn(6, 4), "k": drawn(4), "kq": bytes_(4)}
    assert operators(loaded(of(nodes, arrays, ROWS))[0]) == ["MatMul", "Add", "Relu"]


def test_a_limit_stays_if_the_value_is_used_inside_too():
    nodes = [
        node("Conv", "x w", "a"),
        *rounding("a", "b", "s", "m"),
        node("Softmax", "b", "p", axis=1),
        node("Mul", "p b", "y"),
    ]
    assert operators(loaded(of(nodes, KERNEL, IMAGE))[0]) == ["Conv", "Clip", "Softmax", "Mul"]


def test_what_moves_integers_moves_what_they_stand_for():
    nodes = [
        node("QuantizeLinear", "x s m", "q"),
        node("MaxPool", "q", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", "p", "t", perm=[0, 2, 3, 1]),
        node("Reshape", "t shape", "r"),
        node("Concat", "r r", "c", axis=1),
        node("Pad", "c pads m", "e"),
        node("DequantizeLinear", "e s m", "d"),
        node("MatMul", "d k", "y"),
    ]
    arrays = {
        **KERNEL,
        "shape": np.array([0, -1]),
        "pads": np.array([0, 1, 0, 1]),
        "k": drawn(56, 2),
    }
    made = of(nodes, arrays, IMAGE)
    x = PIXELS.clip(-2.5, 2.5)
    network, _ = loaded(made)
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(operators(network))
    np.testing.assert_allclose(network.run({"x": x})["y"], outputs(made, x=x)[0], atol=0.1)


def test_numbers_of_four_bits_in_eight():
    """QAT frameworks write Clip between the two nodes."""
    narrow = [
        node("QuantizeLinear", "{0} s z8", "{0}/q"),
        node("Clip", "{0}/q low high", "{0}/n"),
        node("DequantizeLinear", "{0}/n s z8", "{0}/d"),
    ]

    def of_four_bits(name):
        return [
            node(one.op_type, " ".join(one.input).format(name), one.output[0].format(name))
            for one in narrow
        ]

    nodes = [
        *of_four_bits("w"),
        node("Conv", "x w/d", "a"),
        *of_four_bits("a"),
        node("Conv", "a/d v", "y"),
    ]
    arrays = {
        "w": drawn(4, 3, 3, 3),
        "v": KERNEL["v"],
        "s": number(0.1),
        "z8": number(0, np.int8),
        "low": number(-7, np.int8),
        "high": number(7, np.int8),
    }
    made = of(nodes, arrays, IMAGE)
    network, _ = loaded(made)
    assert network.trainable == {"w", "v"}
    assert operators(network) == ["Conv", "Clip", "Clip", "Conv"]
    np.testing.assert_allclose(network.graph.constants[network.graph.nodes[2].inputs[1]], -0.7)


def test_integers_that_are_given_out_stay():
    made = of(
        [node("Conv", "x w", "a"), node("QuantizeLinear", "a s m", "y")],
        KERNEL,
        IMAGE,
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
    )
    network, lines = loaded(made)
    assert operators(network) == ["Conv", "QuantizeLinear"] and not lines
    assert (network.run({"x": PIXELS})["y"] == outputs(made, x=PIXELS)[0]).all()


def test_numbers_that_are_read_on_another_scale_stay():
    nodes = [
        node("Conv", "x w", "a"),
        node("QuantizeLinear", "a s m", "q"),
        node("DequantizeLinear", "q other m", "y"),
    ]
    made = of(nodes, {**KERNEL, "other": number(1.0)}, IMAGE)
    assert operators(loaded(made)[0]) == ["Conv", "QuantizeLinear", "DequantizeLinear"]


def test_inside_of_a_branch_the_values_keep_their_names():
    inner = helper.make_graph([node("Relu", "b", "r")], "then", [], [tensor("r", shape=None)])
    other = helper.make_graph([node("Neg", "b", "s1")], "else", [], [tensor("s1", shape=None)])
    nodes = [
        node("Conv", "x w", "a"),
        *rounding("a", "b"),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other),
    ]
    made = of(nodes, {**KERNEL, "c": np.array(True)}, IMAGE)
    network, _ = loaded(made)
    np.testing.assert_allclose(
        network.run({"x": PIXELS})["y"], outputs(made, x=PIXELS)[0], atol=0.03
    )


def test_it_has_a_switch():
    nodes, arrays, _ = WEIGHTS["one scale"]
    network, lines = loaded(
        of([*nodes, node("MatMul", "x w", "y")], arrays, ROWS),
        repair=Repair.without(["quantization"]),
    )
    assert (
        operators(network) == ["DequantizeLinear", "MatMul"] and not network.trainable and not lines
    )


def test_gradients_reach_all_weights(framework):
    if framework == "reference":
        pytest.skip("the reference gives outputs only")
    nodes = [
        *rounding("x", "x2", "s", "m"),
        node("DequantizeLinear", "q s z8", "w"),
        node("Conv", "x2 w", "a"),
        *rounding("a", "b"),
        node("DequantizeLinear", "r s z8", "v"),
        node("Conv", "b v", "y"),
    ]
    arrays = {
        **{name: KERNEL[name] for name in "szm"},
        "q": bytes_(4, 3, 3, 3),
        "r": bytes_(2, 4, 3, 3),
        "z8": number(0, np.int8),
    }
    network, _ = loaded(of(nodes, arrays, IMAGE))
    slopes = network.gradients({"x": PIXELS}, {"y": np.ones((4, 2, 2, 2), F)}, framework)
    assert all(np.abs(slopes[name]).max() > 1e-3 for name in ("q", "r"))


# --- what ONNX Runtime's quantizers and its optimizer write


class Calibration(CalibrationDataReader):
    def __init__(self):
        self.batches = iter([{"x": PIXELS}, {"x": PIXELS[::-1] * 0.5}])

    def get_next(self):
        return next(self.batches, None)


@pytest.fixture(scope="module")
def floats(tmp_path_factory):
    nodes = [
        node("Conv", "x w1 b1", "c1", name="c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1", name="r1"),
        node("MaxPool", "r1", "p", name="p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p w2 b2", "c2", name="c2", pads=[1, 1, 1, 1]),
        node("Clip", "c2 low high", "r2", name="r2"),
        node("Add", "p r2", "s", name="s"),
        node("Concat", "s r2", "cc", name="cc", axis=1),
        node("LeakyRelu", "cc", "l", name="l"),
        node("GlobalAveragePool", "l", "g", name="g"),
        node("Flatten", "g", "f", name="f"),
        node("Gemm", "f w3 b3", "z", name="z", transB=1),
        node("MatMul", "z w4", "y", name="y"),
    ]
    arrays = {
        "w1": drawn(8, 3, 3, 3),
        "b1": drawn(8),
        "w2": drawn(8, 8, 3, 3),
        "b2": drawn(8),
        "low": number(0),
        "high": number(6),
        "w3": drawn(5, 16),
        "b3": drawn(5),
        "w4": drawn(5, 4),
    }
    path = tmp_path_factory.mktemp("quantized") / "floats.onnx"
    onnx.save(
        model(nodes, IMAGE, [tensor("y", shape=["n", 4])], arrays, opset=17, ir_version=8), path
    )
    return path


def static(source, target, **options):
    logging.disable(logging.WARNING)
    quantize_static(
        str(source),
        str(target),
        Calibration(),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        **options,
    )


WRITERS = {
    "QDQ": lambda source, target: static(source, target, quant_format=QuantFormat.QDQ),
    "QDQ by channels": lambda source, target: static(
        source, target, quant_format=QuantFormat.QDQ, per_channel=True
    ),
    "QOperator": lambda source, target: static(source, target, quant_format=QuantFormat.QOperator),
    "dynamic": lambda source, target: quantize_dynamic(
        str(source), str(target), op_types_to_quantize=["Conv", "MatMul", "Gemm"]
    ),
}
LEVELS = ["none", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_quantizers_write_has_all_weights_of_the_float_file(floats, tmp_path, writer, level):
    if (writer, level) == ("dynamic", "ORT_ENABLE_ALL"):
        pytest.skip(
            "its float layers are laid out for the processor; tested in test_foreign_operators.py"
        )
    quantized, target = tmp_path / "q.onnx", tmp_path / "optimized.onnx"
    WRITERS[writer](floats, quantized)
    if level == "none":
        target = quantized
    else:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.optimized_model_filepath, options.log_severity_level = str(target), 4
        onnxruntime.InferenceSession(str(quantized), options)
    network, plain = allotrope.load(target), allotrope.load(floats)
    sizes = [sorted(net.weights[name].size for name in net.trainable) for net in (network, plain)]
    assert sizes[0] == sizes[1]
    assert not any(one.domain or "uantize" in one.operator for one in network.graph.nodes)
    found, expected = network.run({"x": PIXELS})["y"], plain.run({"x": PIXELS})["y"]
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())
    step = network.gradients({"x": PIXELS}, {"y": np.ones_like(found)}, TESTED[0])
    assert all(np.abs(step[name]).max() > 0 for name in network.trainable)


def test_names_are_those_before_the_quantizer(floats, tmp_path):
    static(floats, tmp_path / "q.onnx", quant_format=QuantFormat.QDQ)
    assert {"w1", "w2", "b1", "b2", "w3", "b3", "w4"} == allotrope.load(
        tmp_path / "q.onnx"
    ).trainable


def test_weights_that_our_own_file_named_are_found_again(floats, tmp_path):
    """A file of ours says which arrays are weights by their names before NNCF renamed them."""
    made = model(
        [node("DequantizeLinear", "q_output_w_1 s", "w_dq"), node("MatMul", "x w_dq", "y")],
        ROWS,
        arrays={"q_output_w_1": bytes_(6, 2), "s": number(0.1)},
    )
    helper.set_model_props(made, {"allotrope.weights": '{"trainable": ["w"], "state": []}'})
    assert allotrope.load(made).trainable == {"w"}
    helper.set_model_props(made, {"allotrope.weights": '{"trainable": ["other"], "state": []}'})
    assert allotrope.load(made).trainable == {"w"}


def test_the_reader_of_tests_sees_what_is_in_a_file():
    """The arrays of `of` are those of the file, so that the tests above compare what they say."""
    made = of([node("MatMul", "x w", "y")], {"w": W8.astype(F)}, ROWS)
    assert (numpy_helper.to_array(made.graph.initializer[0]) == W8).all()
