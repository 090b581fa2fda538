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
from onnx_models import model, node, tensor
from repaired import F, X, ints, of, operators, same

RNG = np.random.default_rng(1)


def number(value):
    return np.array(value, F)


ROOT = number(np.sqrt(2))
GELU = [
    ([node("Div", "x r", "a"), node("Erf", "a", "e"), node("Add", "e o", "b"), node("Mul", "x b", "c"), node("Mul", "c h", "y")],
     {"r": ROOT, "o": number(1), "h": number(0.5)}),
    ([node("Mul", "x r", "a"), node("Erf", "a", "e"), node("Mul", "x h", "b"), node("Mul", "b e", "c"), node("Add", "c b", "y")],
     {"r": 1 / ROOT, "h": number(0.5)}),
    ([node("Div", "x r", "a"), node("Erf", "a", "e"), node("Add", "o e", "b"), node("Mul", "b h", "c"), node("Mul", "c x", "y")],
     {"r": ROOT, "o": number(1), "h": number(0.5)}),
]  # fmt: skip
TANH = [
    ([node("Pow", "x three", "p"), node("Mul", "p k", "q"), node("Add", "x q", "s"), node("Mul", "s r", "a"), node("Tanh", "a", "t"),
      node("Add", "t o", "b"), node("Mul", "h x", "c"), node("Mul", "c b", "y")],
     {"three": number(3), "k": number(0.044715), "r": number(np.sqrt(2 / np.pi)), "o": number(1), "h": number(0.5)}),
    ([node("Mul", "x x", "x2"), node("Mul", "x2 x", "p"), node("Mul", "p k", "q"), node("Add", "x q", "s"), node("Mul", "s r", "a"),
      node("Tanh", "a", "t"), node("Add", "t o", "b"), node("Mul", "x b", "c"), node("Mul", "c h", "y")],
     {"k": number(0.044715), "r": number(np.sqrt(2 / np.pi)), "o": number(1), "h": number(0.5)}),
]  # fmt: skip
SWISH = [
    ([node("Sigmoid", "x", "s"), node("Mul", "x s", "y")], {}),
    ([node("Sigmoid", "x", "s"), node("Mul", "s x", "y")], {}),
    (
        [node("Mul", "x a", "z"), node("Sigmoid", "z", "s"), node("Mul", "x s", "y")],
        {"a": number(1.702)},
    ),
]
HARD_SWISH = [
    ([helper.make_node("HardSigmoid", ["x"], ["s"], alpha=1 / 6, beta=0.5), node("Mul", "x s", "y")], {}),
    ([node("Add", "x t", "a"), node("Clip", "a low high", "c"), node("Mul", "x c", "m"), node("Div", "m six", "y")],
     {"t": number(3), "low": number(0), "high": number(6), "six": number(6)}),
    ([node("Add", "x t", "a"), node("Clip", "a low high", "c"), node("Div", "c six", "d"), node("Mul", "d x", "y")],
     {"t": number(3), "low": number(0), "high": number(6), "six": number(6)}),
]  # fmt: skip
W, B = RNG.standard_normal(6).astype(F), RNG.standard_normal(6).astype(F)
LAYER_NORM = [
    ([node("ReduceMean", "x axes", "m"), node("Sub", "x m", "d"), node("Pow", "d two", "q"), node("ReduceMean", "q axes", "v"),
      node("Add", "v eps", "ve"), node("Sqrt", "ve", "s"), node("Div", "d s", "z"), node("Mul", "z w", "zw"), node("Add", "zw b", "y")],
     {"axes": ints(-1), "two": number(2), "eps": number(1e-5), "w": W, "b": B}),
    ([node("ReduceMean", "x axes", "m"), node("Sub", "x m", "d"), node("Mul", "d d", "q"), node("ReduceMean", "q axes", "v"),
      node("Add", "eps v", "ve"), node("Sqrt", "ve", "s"), node("Reciprocal", "s", "i"), node("Mul", "i w", "iw"),
      node("Mul", "d iw", "y")],
     {"axes": ints(2), "eps": number(1e-3), "w": W}),
]  # fmt: skip
SOFTMAX = [
    ([node("Exp", "x", "e"), node("ReduceSum", "e axes", "s"), node("Div", "e s", "y")], {"axes": ints(-1)}),
    ([node("ReduceMax", "x axes", "m"), node("Sub", "x m", "z"), node("Exp", "z", "e"), node("ReduceSum", "e axes", "s"),
      node("Div", "e s", "y")], {"axes": ints(1)}),
]  # fmt: skip
FORMS = [(*form, operator) for operator, forms in {
    "Gelu": GELU + TANH, "Swish": SWISH, "HardSwish": HARD_SWISH, "LayerNormalization": LAYER_NORM, "Softmax": SOFTMAX,
}.items() for form in forms]  # fmt: skip
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
    assert gelu.attributes["approximate"] == "tanh" and swish.attributes["alpha"] == pytest.approx(
        1.702
    )


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
    "the product of two": ([node("Sigmoid", "x", "s"), node("Mul", "s s", "y")], {}),
    "the maximum of another axis": (
        [node("ReduceMax", "x other", "m"), node("Sub", "x m", "z"), node("Exp", "z", "e"), node("ReduceSum", "e axes", "s"),
         node("Add", "e s", "y")], {"axes": ints(1), "other": ints(2)}),
}  # fmt: skip


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
    nodes, arrays, at = [], {"r": ROOT, "o": number(1), "h": number(0.5)}, "x"
    for layer in range(7):
        names = {name: f"{name}{layer}" for name in "aebc"} | {"x": at, "y": f"y{layer}"}
        for old in GELU[0][0]:
            new = helper.make_node(
                old.op_type, [names.get(i, i) for i in old.input], [names[o] for o in old.output]
            )
            nodes.append(new)
        at = names["y"]
    mended, lines = same(of([*nodes, node("Identity", at, "y")], arrays), X)
    assert operators(mended) == ["Gelu"] * 7 + ["Identity"]
    assert lines == [
        "repair: Gelu recognized in 35 nodes that compute 'y0', 'y1', 'y2', 'y3', 'y4' and 2 more"
    ]


def test_a_node_of_another_domain_is_no_pattern():
    made = of(
        [helper.make_node("Sigmoid", ["x"], ["s"], domain="mine"), node("Mul", "x s", "y")], {}
    )
    made.opset_import.append(helper.make_opsetid("mine", 1))
    made.functions.append(
        helper.make_function(
            "mine", "Sigmoid", ["a"], ["b"], [node("Neg", "a", "b")], [helper.make_opsetid("", 21)]
        )
    )
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
SPELLED = [
    node("Exp", "s", "e"),
    node("ReduceSum", "e axes", "t"),
    node("Div", "e t", "p"),
    node("MatMul", "p v", "y"),
]
MASK = np.where(np.tri(5, dtype=bool), 0, -1e4).astype(F)
ATTENTION = [
    (
        [KEYS, node("MatMul", "q kt", "m"), node("Div", "m r", "s"), *REST],
        {"r": number(np.sqrt(8))},
    ),
    (
        [
            KEYS,
            node("MatMul", "q kt", "m"),
            node("Mul", "m r", "z"),
            node("Add", "z mask", "s"),
            *REST,
        ],
        {"r": number(0.2), "mask": MASK},
    ),
    (
        [
            KEYS,
            node("Mul", "q r", "qs"),
            node("Mul", "kt r", "ks"),
            node("MatMul", "qs ks", "s"),
            *REST,
        ],
        {"r": number(8**-0.25)},
    ),
    ([KEYS, node("MatMul", "q kt", "s"), *SPELLED], {"axes": ints(-1)}),
]


@pytest.mark.parametrize(("nodes", "arrays"), ATTENTION)
def test_attention_is_one_operator(nodes, arrays):
    made = of(nodes, arrays, HEADS)
    mended, lines = same(made, QKV)
    assert operators(mended) == ["Attention"] and any(
        "Attention recognized" in line for line in lines
    )
    assert "Attention" not in operators(allotrope.load(made, repair=Repair.without(["attention"])))


@pytest.mark.parametrize(
    ("nodes", "arrays"),
    [
        ([KEYS, node("MatMul", "q kt", "s"), node("Softmax", "s", "p", axis=2), node("MatMul", "p v", "y")], {}),
        ([KEYS, node("MatMul", "q kt", "s"), node("Softmax", "s", "p", axis=-1), node("MatMul", "v p", "y")], {}),
        ([node("Transpose", "k", "kt", perm=[0, 1, 3, 2]), node("MatMul", "q kt", "m"), node("Mul", "m r", "s"), *REST],
         {"r": np.ones((1, 2, 1, 1), F)}),
        ([KEYS, node("MatMul", "q kt", "m"), node("Neg", "m", "s"), *REST], {}),
    ],
)  # fmt: skip
def test_what_only_resembles_attention_stays(nodes, arrays):
    lengths = {"q": 5, "k": 5, "v": 5}
    inputs = [tensor(name, shape=["n", 2, length, 5]) for name, length in lengths.items()]
    x = {name: array[..., :5] for name, array in QKV.items()}
    mended, _ = same(of(nodes, arrays, inputs), x, tolerance=0)
    assert "Attention" not in operators(mended)


def test_the_scale_of_the_formula_and_its_mask_are_kept():
    nodes, arrays = ATTENTION[1]
    (attention,) = allotrope.load(of(nodes, arrays, HEADS)).graph.nodes
    assert attention.attributes["scale"] == pytest.approx(0.2) and attention.inputs == (
        "q",
        "k",
        "v",
        "mask",
    )


@pytest.mark.parametrize("to", ["pytorch", "jax"])
def test_attention_is_converted_whole_or_spelled_out(tmp_path, to):
    pytest.importorskip({"pytorch": "torch", "jax": "flax"}[to])
    nodes, arrays = ATTENTION[1]
    onnx.save(of(nodes, arrays, HEADS), tmp_path / "attention.onnx")
    assert (
        max(
            allotrope.convert(tmp_path / "attention.onnx", tmp_path / "out", to=to)
            .json["proof"]["differences"]
            .values()
        )
        < 1e-5
    )
