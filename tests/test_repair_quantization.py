"""Weights of quantized files are read as the float weights they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from allotrope.network.rewriting.quantized.grid import Grid
from onnx_models import node, outputs, tensor
from quantized_parts import (
    BLOCKS,
    COLUMNS,
    FLOATS,
    ROW_SCALES,
    ROWS,
    SCALE,
    U8,
    W8,
    ZEROS,
    X,
    bytes_,
    dequantize,
    drawn,
    loaded,
    number,
    rounding,
)
from repaired import F, of, operators

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
    one = Grid(number(1), number(0, np.int8))
    columns = Grid(COLUMNS, number(0, np.int8), 1)
    blocks = Grid(BLOCKS, number(0, np.int8), 0, 2)
    assert one.fits((3, 5)) and one.fits(())
    assert columns.fits((9, 4)) and not columns.fits((4, 9)) and not columns.fits((4,))
    assert blocks.fits((6, 4))
    assert blocks.fits((5, 4))
    assert not blocks.fits((8, 4))
    assert not blocks.fits((6, 5))
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
