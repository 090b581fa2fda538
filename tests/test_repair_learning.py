"""What learns before a repair learns after it, or a line says what does not.

Attention's biases, masks, weights inside of loops and branches.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.config import Repair
from allotrope.network.rewriting.repair import STEPS, say_what_learns_no_more
from onnx_models import drawn_from, ints, model, node, outputs, tensor
from repaired import F, of, operators

RNG = np.random.default_rng(3)
LENGTH, HEADS, SIZE = 4, 2, 3

drawn = partial(drawn_from, RNG)


# --- a learned bias on the scores of attention

QKV = [tensor(name, shape=["n", HEADS, LENGTH, SIZE]) for name in "qkv"]
X = {name: drawn(4, HEADS, LENGTH, SIZE) for name in "qkv"}
SCORES = [
    node("Transpose", "k", "kt", perm=[0, 1, 3, 2]),
    node("MatMul", "q kt", "m"),
    node("Mul", "m factor", "s"),
]
FACTOR = {"factor": np.array(0.5, F)}
MIXED = [node("Softmax", "biased", "p", axis=-1), node("MatMul", "p v", "y")]
INDEX = RNG.integers(0, 9, (LENGTH * LENGTH,))
WINDOWS = np.where(RNG.random((2, 1, LENGTH, LENGTH)) < 0.3, F(-100), F(0))
WINDOWS[..., 0] = 0
BIASES = {
    "of each head": (
        [node("Add", "s bias", "biased")],
        {"bias": drawn(HEADS, LENGTH, LENGTH)},
        "bias",
    ),
    "with an axis for the batch": (
        [node("Add", "bias s", "biased")],
        {"bias": drawn(1, HEADS, LENGTH, LENGTH)},
        "bias",
    ),
    "that begins with 0": (
        [node("Add", "s bias", "biased")],
        {"bias": np.zeros((HEADS, LENGTH, LENGTH), F)},
        "bias",
    ),
    "of each key": ([node("Add", "s bias", "biased")], {"bias": drawn(LENGTH)}, "bias"),
    "behind other forms of itself": (
        [
            node("Transpose", "bias", "b", perm=[2, 0, 1]),
            node("Unsqueeze", "b first", "u"),
            node("Add", "s u", "biased"),
        ],
        {"bias": drawn(LENGTH, LENGTH, HEADS), "first": ints(0)},
        "bias",
    ),
    "gathered from a table": (
        [
            node("Gather", "table index", "g"),
            node("Reshape", "g square", "r"),
            node("Transpose", "r", "t", perm=[2, 0, 1]),
            node("Unsqueeze", "t first", "u"),
            node("Add", "s u", "biased"),
        ],
        {
            "table": drawn(9, HEADS),
            "index": INDEX,
            "square": ints(LENGTH, LENGTH, HEADS),
            "first": ints(0),
        },
        "table",
    ),
    "with a mask of windows": (
        [
            node("Add", "s bias", "a"),
            node("Reshape", "a windows", "w"),
            node("Add", "w mask", "wm"),
            node("Reshape", "wm flat", "biased"),
        ],
        {
            "bias": drawn(HEADS, LENGTH, LENGTH),
            "mask": WINDOWS[None],
            "windows": ints(-1, 2, HEADS, LENGTH, LENGTH),
            "flat": ints(-1, HEADS, LENGTH, LENGTH),
        },
        "bias",
    ),
    "and a mask, added to it": (
        [node("Add", "bias mask", "b"), node("Add", "s b", "biased")],
        {"bias": drawn(HEADS, LENGTH, LENGTH), "mask": WINDOWS[0]},
        "bias",
    ),
}


@pytest.mark.parametrize("case", BIASES)
def test_a_bias_on_attention_learns_and_means_the_same(case, framework):
    nodes, arrays, learned = BIASES[case]
    made = of([*SCORES, *nodes, *MIXED], {**FACTOR, **arrays}, QKV)
    lines = []
    mended = allotrope.load(made, report=lines.append)
    plain = allotrope.load(made, repair=Repair(attention=False))
    assert mended.trainable >= {learned} and not {"mask", "factor"} & mended.trainable
    assert not [line for line in lines if "does not after" in line]
    y = mended.run(X, framework)["y"]
    np.testing.assert_allclose(y, outputs(made, **X)[0], rtol=1e-4, atol=1e-5)
    if framework != "reference":
        direction = {"y": drawn(*y.shape)}
        slopes, expected = (
            network.gradients(X, direction, framework)[learned] for network in (mended, plain)
        )
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-5)


def test_the_plain_forms_of_a_bias_do_not_hinder_that_attention_is_recognized():
    recognized = {
        case for case in BIASES if "Attention" in operators(allotrope.load(of_case(case)))
    }
    assert recognized == BIASES.keys() - {"with a mask of windows", "of each key"}


def of_case(case):
    nodes, arrays, _ = BIASES[case]
    return of([*SCORES, *nodes, *MIXED], {**FACTOR, **arrays}, QKV)


@pytest.mark.parametrize("hidden", [-100.0, -1e4, np.finfo(F).min, -np.inf])
@pytest.mark.parametrize("attention", [True, False])
def test_a_mask_does_not_learn(hidden, attention):
    mask = np.where(np.tri(LENGTH, dtype=bool), 0, hidden).astype(F)
    made = of([*SCORES, node("Add", "s mask", "biased"), *MIXED], {**FACTOR, "mask": mask}, QKV)
    assert not allotrope.load(made, repair=Repair(attention=attention)).trainable


def test_a_bias_with_low_numbers_that_are_no_mask_learns():
    bias = drawn(LENGTH, LENGTH)
    bias[0, 0] = -120
    assert allotrope.load(
        of([*SCORES, node("Add", "s bias", "biased"), *MIXED], {**FACTOR, "bias": bias}, QKV)
    ).trainable == {"bias"}


def test_learned_queries_learn():
    made = of(
        [*SCORES, node("Softmax", "s", "p", axis=-1), node("MatMul", "p v", "y")],
        {**FACTOR, "q": drawn(1, HEADS, LENGTH, SIZE)},
        QKV[1:],
    )
    assert allotrope.load(made).trainable == {"q"}


@pytest.mark.parametrize("operator", ["Exp", "Softplus", "Sigmoid", "Tanh", "Neg"])
def test_a_scale_that_is_kept_within_a_range_learns(operator):
    """As that of each head in Swin V2, whose exponent is learned."""
    nodes = [*SCORES[:2], node(operator, "scale", "f"), node("Mul", "m f", "biased"), *MIXED]
    network = allotrope.load(of(nodes, {"scale": drawn(HEADS, 1, 1)}, QKV))
    assert network.trainable == {"scale"}
    bounded = [node("Clip", "scale - high", "c"), node("Exp", "c", "f")]
    bounded[0].input[1] = ""
    nodes = [*SCORES[:2], *bounded, node("Mul", "m f", "biased"), *MIXED]
    arrays = {"scale": drawn(HEADS, 1, 1), "high": np.array(4.6, F)}
    assert allotrope.load(of(nodes, arrays, QKV)).trainable == {"scale"}


# --- loops and branches

ROW = [tensor("x", shape=["n", 3])]
ROWS = drawn(2, 3)
KEPT = node("Identity", "c", "again")
STEP = [
    helper.make_tensor_value_info("i", TensorProto.INT64, []),
    helper.make_tensor_value_info("c", TensorProto.BOOL, []),
]


def body(nodes, states, results=()):
    ins = [*STEP, *(tensor(name, shape=None) for name in states)]
    outs = [
        helper.make_tensor_value_info("again", TensorProto.BOOL, []),
        *(tensor(name, shape=None) for name in results),
    ]
    return helper.make_graph([KEPT, *nodes], "body", ins, outs)


def loop(inputs, names, nodes, states, results):
    return helper.make_node(
        "Loop", ["three", "yes", *inputs], names, body=body(nodes, states, results)
    )


LOOP = {"three": np.array(3), "yes": np.array(True)}
W = drawn(3, 3)
LOOPS = {
    "captured": ([loop(["x"], ["y"], [node("MatMul", "h w", "g")], ["h"], ["g"])], {"w": W}, {"w"}),
    "a state that does not change": (
        [
            loop(
                ["x", "w"],
                ["y", "same"],
                [node("MatMul", "h v", "g"), node("Identity", "v", "u")],
                ["h", "v"],
                ["g", "u"],
            )
        ],
        {"w": W},
        {"w"},
    ),
    "a state that changes": (
        [loop(["w"], ["v"], [node("Add", "h h", "g")], ["h"], ["g"]), node("MatMul", "x v", "y")],
        {"w": W},
        {"w"},
    ),
    "the first state": (
        [
            loop(
                ["h0"],
                ["last"],
                [node("MatMul", "h w", "m"), node("Add", "m x", "g")],
                ["h"],
                ["g"],
            ),
            node("Identity", "last", "y"),
        ],
        {"w": W, "h0": drawn(1, 3)},
        {"w", "h0"},
    ),
    "a first state of 0": (
        [
            loop(
                ["h0"],
                ["last"],
                [node("MatMul", "h w", "m"), node("Add", "m x", "g")],
                ["h"],
                ["g"],
            ),
            node("Identity", "last", "y"),
        ],
        {"w": W, "h0": np.zeros((1, 3), F)},
        {"w"},
    ),
    "scanned": (
        [
            helper.make_node(
                "Scan",
                ["x", "ws"],
                ["y"],
                num_scan_inputs=1,
                body=helper.make_graph(
                    [node("MatMul", "h w", "g")],
                    "body",
                    [tensor("h", shape=None), tensor("w", shape=None)],
                    [tensor("g", shape=None)],
                ),
            )
        ],
        {"ws": drawn(2, 3, 3)},
        {"ws"},
    ),
    "chosen by a branch": (
        [
            node("ReduceSum", "x", "total", keepdims=0),
            node("Greater", "total zero", "more"),
            helper.make_node(
                "If",
                ["more"],
                ["chosen"],
                then_branch=helper.make_graph(
                    [node("Identity", "w", "one")], "then", [], [tensor("one", shape=None)]
                ),
                else_branch=helper.make_graph(
                    [node("Transpose", "v", "two")], "else", [], [tensor("two", shape=None)]
                ),
            ),
            node("MatMul", "x chosen", "y"),
        ],
        {"w": W, "v": W.T.copy(), "zero": np.array(0, F)},
        {"w", "v"},
    ),
}


@pytest.mark.parametrize("case", LOOPS)
def test_weights_that_loops_and_branches_carry_learn(case, framework):
    nodes, arrays, trainable = LOOPS[case]
    made = model(nodes, ROW, arrays={**({} if case == "scanned" else LOOP), **arrays})
    network = allotrope.load(made)
    assert network.trainable == trainable
    np.testing.assert_allclose(
        network.run({"x": ROWS}, framework)["y"], outputs(made, x=ROWS)[0], rtol=1e-4, atol=1e-5
    )
    if (
        framework != "reference" and case != "chosen by a branch"
    ):  # a condition must be known beforehand
        slopes = network.gradients({"x": ROWS}, {"y": np.ones((2, 3), F)}, framework)
        assert all(np.abs(slopes[name]).max() > 1e-3 for name in trainable)


def test_an_array_that_a_branch_gives_is_a_weight_too():
    array = helper.make_tensor("one", TensorProto.FLOAT, [3, 3], W.tobytes(), raw=True)
    then = helper.make_graph([], "then", [], [tensor("one", shape=None)], [array])
    other = helper.make_graph(
        [node("Identity", "w", "two")], "else", [], [tensor("two", shape=None)]
    )
    made = model(
        [
            helper.make_node("If", ["yes"], ["chosen"], then_branch=then, else_branch=other),
            node("MatMul", "x chosen", "y"),
        ],
        ROW,
        arrays={"yes": np.array(True), "w": W},
    )
    network = allotrope.load(made)
    assert len(network.trainable) == 2
    np.testing.assert_allclose(
        network.run({"x": ROWS})["y"], outputs(made, x=ROWS)[0], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("learned", [True, False])
def test_a_first_state_learns_unless_it_is_0(operator, learned):
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
    arrays = {
        "w": drawn(1, gates * 3, 3),
        "r": drawn(1, gates * 3, 3),
        "h0": drawn(1, 2, 3) * learned,
    }
    made = model(
        [node(operator, "x w r   h0".replace("   ", " "), "y")],
        [tensor("x", shape=[4, 2, 3])],
        arrays=arrays,
    )
    made.graph.node[0].input[:] = ["x", "w", "r", "", "", "h0"]
    made.graph.node[0].attribute.append(helper.make_attribute("hidden_size", 3))
    assert allotrope.load(made).trainable == ({"w", "r", "h0"} if learned else {"w", "r"})


# --- the line that any repair owes


def test_what_learns_no_more_is_named_with_the_option_that_keeps_it():
    lines = []
    say_what_learns_no_more(
        {"a": 4, "b": 2, "c": 1}, {"a": 2, "c": 1}, "layer_normalization", lines.append
    )
    assert lines == [
        "repair: 'a', 'b' would learn as the file is written, and does not after this repair; "
        "--no-repair layer-normalization leaves it out"
    ]


def test_a_repair_that_takes_a_weight_away_owes_its_line(monkeypatch):
    from dataclasses import replace

    def careless(graph, report):
        return replace(
            graph,
            nodes=tuple(replace(n, inputs=n.inputs[:1], operator="Identity") for n in graph.nodes),
        )

    monkeypatch.setitem(STEPS, "gelu", careless)
    lines = []
    network = allotrope.load(
        model([node("MatMul", "x w", "y")], ROW, arrays={"w": W}), report=lines.append
    )
    assert not network.trainable
    assert any("'w' would learn as the file is written" in line for line in lines)
