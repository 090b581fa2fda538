"""What exporters take apart is one operator again, attention too, and means the same.

What only resembles it is left alone.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.config import Repair
from onnx_models import ints, model, node, nodes, tensor
from repaired import F, X, of, operators, same

RNG = np.random.default_rng(1)


def number(value):
    return np.array(value, F)


ROOT = number(np.sqrt(2))
HALF = number(0.5)
ONE = number(1)
GELU = [
    (
        nodes("Div x r -> a", "Erf a -> e", "Add e o -> b", "Mul x b -> c", "Mul c h -> y"),
        {"r": ROOT, "o": ONE, "h": HALF},
    ),
    (
        nodes("Mul x r -> a", "Erf a -> e", "Mul x h -> b", "Mul b e -> c", "Add c b -> y"),
        {"r": 1 / ROOT, "h": HALF},
    ),
    (
        nodes("Div x r -> a", "Erf a -> e", "Add o e -> b", "Mul b h -> c", "Mul c x -> y"),
        {"r": ROOT, "o": ONE, "h": HALF},
    ),
]
OF_TANH = {"k": number(0.044715), "r": number(np.sqrt(2 / np.pi)), "o": ONE, "h": HALF}
TANH = [
    (
        nodes(
            *("Pow x three -> p", "Mul p k -> q", "Add x q -> s", "Mul s r -> a", "Tanh a -> t"),
            *("Add t o -> b", "Mul h x -> c", "Mul c b -> y"),
        ),
        {**OF_TANH, "three": number(3)},
    ),
    (
        nodes(
            *("Mul x x -> x2", "Mul x2 x -> p"),
            *("Mul p k -> q", "Add x q -> s", "Mul s r -> a", "Tanh a -> t"),
            *("Add t o -> b", "Mul x b -> c", "Mul c h -> y"),
        ),
        OF_TANH,
    ),
]
SWISH = [
    (nodes("Sigmoid x -> s", "Mul x s -> y"), {}),
    (nodes("Sigmoid x -> s", "Mul s x -> y"), {}),
    (nodes("Mul x a -> z", "Sigmoid z -> s", "Mul x s -> y"), {"a": number(1.702)}),
]
OF_HARD_SWISH = {"t": number(3), "low": number(0), "high": number(6), "six": number(6)}
HARD_SWISH = [
    (
        [node("HardSigmoid", "x", "s", alpha=1 / 6, beta=0.5), node("Mul", "x s", "y")],
        {},
    ),
    (
        nodes("Add x t -> a", "Clip a low high -> c", "Mul x c -> m", "Div m six -> y"),
        OF_HARD_SWISH,
    ),
    (
        nodes("Add x t -> a", "Clip a low high -> c", "Div c six -> d", "Mul d x -> y"),
        OF_HARD_SWISH,
    ),
]
W, B = RNG.standard_normal(6).astype(F), RNG.standard_normal(6).astype(F)
LAYER_NORM = [
    (
        nodes(
            *("ReduceMean x axes -> m", "Sub x m -> d"),
            *("Pow d two -> q", "ReduceMean q axes -> v", "Add v eps -> ve", "Sqrt ve -> s"),
            *("Div d s -> z", "Mul z w -> zw", "Add zw b -> y"),
        ),
        {"axes": ints(-1), "two": number(2), "eps": number(1e-5), "w": W, "b": B},
    ),
    (
        nodes(
            *("ReduceMean x axes -> m", "Sub x m -> d"),
            *("Mul d d -> q", "ReduceMean q axes -> v", "Add eps v -> ve", "Sqrt ve -> s"),
            *("Reciprocal s -> i", "Mul i w -> iw", "Mul d iw -> y"),
        ),
        {"axes": ints(2), "eps": number(1e-3), "w": W},
    ),
]
SOFTMAX = [
    (
        nodes("Exp x -> e", "ReduceSum e axes -> s", "Div e s -> y"),
        {"axes": ints(-1)},
    ),
    (
        nodes(
            *("ReduceMax x axes -> m", "Sub x m -> z"),
            *("Exp z -> e", "ReduceSum e axes -> s", "Div e s -> y"),
        ),
        {"axes": ints(1)},
    ),
]
BY_OPERATOR = {
    "Gelu": GELU + TANH,
    "Swish": SWISH,
    "HardSwish": HARD_SWISH,
    "LayerNormalization": LAYER_NORM,
    "Softmax": SOFTMAX,
}
FORMS = [(*form, operator) for operator, forms in BY_OPERATOR.items() for form in forms]
SWITCH = {
    "Gelu": "gelu",
    "Swish": "swish",
    "HardSwish": "hard-swish",
    "LayerNormalization": "layer-normalization",
    "Softmax": "softmax",
}


@pytest.mark.parametrize(("nodes", "arrays", "operator"), FORMS)
def test_what_was_taken_apart_is_one_operator_again(nodes, arrays, operator):
    mended, lines = same(of(nodes, arrays), X)
    assert operators(mended) == [operator]
    assert [
        line
        for line in lines
        if line.startswith(f"repair: {operator} recognized in {len(nodes)} nodes that compute 'y'")
    ]


@pytest.mark.parametrize(("nodes", "arrays", "operator"), FORMS)
def test_each_has_its_switch(nodes, arrays, operator):
    plain = allotrope.load(of(nodes, arrays), repair=Repair.without([SWITCH[operator]]))
    assert operators(plain) == [n.op_type for n in nodes]


def test_a_tanh_keeps_its_approximation_and_a_swish_its_factor():
    (gelu,), (swish,) = (allotrope.load(of(*form)).graph.nodes for form in (TANH[0], SWISH[2]))
    assert gelu.attributes["approximate"] == "tanh"
    assert swish.attributes["alpha"] == pytest.approx(1.702)


def with_number(form, name, value):
    nodes, arrays = form
    return nodes, {**arrays, name: value}


NEAR = {
    "another root": with_number(GELU[0], "r", number(1.5)),
    "another half": with_number(GELU[0], "h", number(0.4)),
    "another sum": with_number(GELU[0], "o", number(0.9)),
    "another cubic factor": with_number(TANH[0], "k", number(0.05)),
    "another power": with_number(TANH[0], "three", number(2)),
    "a factor a channel": with_number(SWISH[2], "a", np.ones(6, F)),
    "a negative factor": with_number(SWISH[2], "a", number(-1)),
    "another shift": with_number(HARD_SWISH[1], "t", number(2)),
    "a lower bound that is not 0": with_number(HARD_SWISH[1], "low", number(-1)),
    "an axis that is not the last": with_number(LAYER_NORM[0], "axes", ints(1)),
    "another exponent": with_number(LAYER_NORM[0], "two", number(4)),
    "no epsilon": with_number(LAYER_NORM[0], "eps", number(0)),
    "a scale of one number": with_number(LAYER_NORM[0], "w", np.ones(1, F)),
    "a sum over two axes": with_number(SOFTMAX[0], "axes", ints(1, 2)),
    "the product of two": (nodes("Sigmoid x -> s", "Mul s s -> y"), {}),
    "the maximum of another axis": (
        nodes(
            *("ReduceMax x other -> m", "Sub x m -> z"),
            *("Exp z -> e", "ReduceSum e axes -> s", "Add e s -> y"),
        ),
        {"axes": ints(1), "other": ints(2)},
    ),
}


@pytest.mark.parametrize("case", NEAR)
def test_what_only_resembles_it_stays(case):
    nodes, arrays = NEAR[case]
    mended, _ = same(of(nodes, arrays), X, tolerance=0)
    assert operators(mended) == [n.op_type for n in nodes]


@pytest.mark.parametrize("inner", ["e", "b", "c"])
def test_a_value_inside_that_is_used_elsewhere_stays(inner):
    nodes, arrays = GELU[0]
    used_twice = of(
        [*nodes, node("Neg", inner, "other")],
        arrays,
        outputs=[tensor("y", shape=None), tensor("other", shape=None)],
    )
    assert "Erf" in operators(allotrope.load(used_twice))
    shown = of(nodes, arrays, outputs=[tensor("y", shape=None), tensor(inner, shape=None)])
    assert "Erf" in operators(allotrope.load(shown))


def test_all_of_many_are_found():
    one, arrays = GELU[0]
    many, last = [], "x"
    for layer in range(7):
        names = {name: f"{name}{layer}" for name in "aebc"} | {"x": last, "y": f"y{layer}"}
        for old in one:
            inputs = [names.get(name, name) for name in old.input]
            outputs = [names[name] for name in old.output]
            many.append(helper.make_node(old.op_type, inputs, outputs))
        last = names["y"]
    mended, lines = same(of([*many, node("Identity", last, "y")], arrays), X)
    assert operators(mended) == ["Gelu"] * 7 + ["Identity"]
    assert lines == [
        "repair: Gelu recognized in 35 nodes that compute 'y0', 'y1', 'y2', 'y3', 'y4' and 2 more"
    ]


def test_a_node_of_another_domain_is_no_pattern():
    made = of([node("Sigmoid", "x", "s", domain="mine"), node("Mul", "x s", "y")], {})
    made.opset_import.append(helper.make_opsetid("mine", 1))
    opsets = [helper.make_opsetid("", 21)]
    body = [node("Neg", "a", "b")]
    made.functions.append(helper.make_function("mine", "Sigmoid", ["a"], ["b"], body, opsets))
    assert operators(allotrope.load(made)) == ["Neg", "Mul"]


def test_a_cast_before_it_is_no_hindrance():
    made = model(
        [
            node("Cast", "x", "f", to=TensorProto.FLOAT),
            node("Sigmoid", "f", "s"),
            node("Mul", "f s", "y"),
        ],
        [tensor("x", TensorProto.INT64, ["n", 4])],
    )
    assert operators(allotrope.load(made)) == ["Cast", "Swish"]


# --- attention

HEADS = [tensor(name, shape=["n", 2, 5, 8]) for name in "qkv"]
QKV = {name: RNG.standard_normal((3, 2, 5, 8)).astype(F) for name in "qkv"}
KEYS = node("Transpose", "k", "kt", perm=[0, 1, 3, 2])
REST = [node("Softmax", "s", "p", axis=-1), node("MatMul", "p v", "y")]
SPELLED = nodes("Exp s -> e", "ReduceSum e axes -> t", "Div e t -> p", "MatMul p v -> y")
MASK = np.where(np.tri(5, dtype=bool), 0, -1e4).astype(F)
ATTENTION = [
    (
        [KEYS, *nodes("MatMul q kt -> m", "Div m r -> s"), *REST],
        {"r": number(np.sqrt(8))},
    ),
    (
        [KEYS, *nodes("MatMul q kt -> m", "Mul m r -> z", "Add z mask -> s"), *REST],
        {"r": number(0.2), "mask": MASK},
    ),
    (
        [KEYS, *nodes("Mul q r -> qs", "Mul kt r -> ks", "MatMul qs ks -> s"), *REST],
        {"r": number(8**-0.25)},
    ),
    ([KEYS, node("MatMul", "q kt", "s"), *SPELLED], {"axes": ints(-1)}),
]


@pytest.mark.parametrize(("nodes", "arrays"), ATTENTION)
def test_attention_is_one_operator(nodes, arrays):
    made = of(nodes, arrays, HEADS)
    mended, lines = same(made, QKV)
    assert operators(mended) == ["Attention"]
    assert any("Attention recognized" in line for line in lines)
    assert "Attention" not in operators(allotrope.load(made, repair=Repair.without(["attention"])))


SCORES = [KEYS, node("MatMul", "q kt", "s")]
OTHER_AXIS = node("Softmax", "s", "p", axis=2)
SCALED_BY_HEAD = [KEYS, *nodes("MatMul q kt -> m", "Mul m r -> s"), *REST]


@pytest.mark.parametrize(
    ("nodes", "arrays"),
    [
        ([*SCORES, OTHER_AXIS, node("MatMul", "p v", "y")], {}),
        ([*SCORES, REST[0], node("MatMul", "v p", "y")], {}),
        (SCALED_BY_HEAD, {"r": np.ones((1, 2, 1, 1), F)}),
        ([KEYS, *nodes("MatMul q kt -> m", "Neg m -> s"), *REST], {}),
    ],
)
def test_what_only_resembles_attention_stays(nodes, arrays):
    lengths = {"q": 5, "k": 5, "v": 5}
    inputs = [tensor(name, shape=["n", 2, length, 5]) for name, length in lengths.items()]
    x = {name: array[..., :5] for name, array in QKV.items()}
    mended, _ = same(of(nodes, arrays, inputs), x, tolerance=0)
    assert "Attention" not in operators(mended)


def test_the_scale_of_the_formula_and_its_mask_are_kept():
    nodes, arrays = ATTENTION[1]
    (attention,) = allotrope.load(of(nodes, arrays, HEADS)).graph.nodes
    assert attention.attributes["scale"] == pytest.approx(0.2)
    assert attention.inputs == ("q", "k", "v", "mask")


@pytest.mark.parametrize("to", ["pytorch", "jax"])
def test_attention_is_converted_whole_or_spelled_out(tmp_path, to):
    pytest.importorskip({"pytorch": "torch", "jax": "flax"}[to])
    nodes, arrays = ATTENTION[1]
    onnx.save(of(nodes, arrays, HEADS), tmp_path / "attention.onnx")
    written = allotrope.convert(tmp_path / "attention.onnx", tmp_path / "out", to=to)
    assert max(written.json["proof"]["differences"].values()) < 1e-5
