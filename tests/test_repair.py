"""Repair on import: what exporters take apart is recognized and means the same as before; what only resembles it is left alone."""

from __future__ import annotations

import io
import warnings
from dataclasses import fields

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import allotrope
from allotrope.config import Repair
from allotrope.errors import UsageError
from onnx_models import model, node, tensor

F = np.float32
RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 6)).astype(F) * 3
INPUT = [tensor("x", shape=["n", 4, 6])]


def number(value):
    return np.array(value, F)


def ints(*values):
    return np.array(values, np.int64)


def operators(network):
    return [n.operator for n in network.graph.nodes]


def same(old, x, tolerance=1e-6, **options):
    """Loads with and without repair, compares the outputs, and gives the repaired network and what was reported."""
    lines = []
    mended, plain = allotrope.load(old, report=lines.append, **options), allotrope.load(old, repair=False)
    inputs = x if isinstance(x, dict) else {"x": x}
    for one, other in zip(mended.run(inputs).values(), plain.run(inputs).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    return mended, lines


def of(nodes, arrays, inputs=None, outputs=None):
    return model(nodes, inputs or INPUT, outputs, arrays)


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
    ([node("Mul", "x a", "z"), node("Sigmoid", "z", "s"), node("Mul", "x s", "y")], {"a": number(1.702)}),
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
SWITCH = {"Gelu": "gelu", "Swish": "swish", "HardSwish": "hard-swish", "LayerNormalization": "layer-normalization", "Softmax": "softmax"}


@pytest.mark.parametrize(("nodes", "arrays", "operator"), FORMS)
def test_what_was_taken_apart_is_one_operator_again(nodes, arrays, operator):
    mended, lines = same(of(nodes, arrays), X)
    assert operators(mended) == [operator]
    assert [line for line in lines if line.startswith(f"repair: {operator} recognized in {len(nodes)} nodes that compute 'y'")]


@pytest.mark.parametrize(("nodes", "arrays", "operator"), FORMS)
def test_each_has_its_switch(nodes, arrays, operator):
    plain = allotrope.load(of(nodes, arrays), repair=Repair.without([SWITCH[operator]]))
    assert operators(plain) == [n.op_type for n in nodes]


def test_a_tanh_keeps_its_approximation_and_a_swish_its_factor():
    (gelu,), (swish,) = (allotrope.load(of(*form)).graph.nodes for form in (TANH[0], SWISH[2]))
    assert gelu.attributes["approximate"] == "tanh" and swish.attributes["alpha"] == pytest.approx(1.702)


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
    kept = of([*nodes, node("Neg", inner, "other")], arrays, outputs=[tensor("y", shape=None), tensor("other", shape=None)])
    assert "Erf" in operators(allotrope.load(kept))
    shown = of(nodes, arrays, outputs=[tensor("y", shape=None), tensor(inner, shape=None)])
    assert "Erf" in operators(allotrope.load(shown))


def test_all_of_many_are_found():
    nodes, arrays, at = [], {"r": ROOT, "o": number(1), "h": number(0.5)}, "x"
    for layer in range(7):
        names = {name: f"{name}{layer}" for name in "aebc"} | {"x": at, "y": f"y{layer}"}
        for old in GELU[0][0]:
            new = helper.make_node(old.op_type, [names.get(i, i) for i in old.input], [names[o] for o in old.output])
            nodes.append(new)
        at = names["y"]
    mended, lines = same(of([*nodes, node("Identity", at, "y")], arrays), X)
    assert operators(mended) == ["Gelu"] * 7 + ["Identity"]
    assert lines == ["repair: Gelu recognized in 35 nodes that compute 'y0', 'y1', 'y2', 'y3', 'y4' and 2 more"]


# --- attention

HEADS = [tensor(name, shape=["n", 2, 5, 8]) for name in "qkv"]
QKV = {name: RNG.standard_normal((3, 2, 5, 8)).astype(F) for name in "qkv"}
KEYS = node("Transpose", "k", "kt", perm=[0, 1, 3, 2])
REST = [node("Softmax", "s", "p", axis=-1), node("MatMul", "p v", "y")]
SPELLED = [node("Exp", "s", "e"), node("ReduceSum", "e axes", "t"), node("Div", "e t", "p"), node("MatMul", "p v", "y")]
MASK = np.where(np.tri(5, dtype=bool), 0, -1e4).astype(F)
ATTENTION = [
    ([KEYS, node("MatMul", "q kt", "m"), node("Div", "m r", "s"), *REST], {"r": number(np.sqrt(8))}),
    ([KEYS, node("MatMul", "q kt", "m"), node("Mul", "m r", "z"), node("Add", "z mask", "s"), *REST], {"r": number(0.2), "mask": MASK}),
    ([KEYS, node("Mul", "q r", "qs"), node("Mul", "kt r", "ks"), node("MatMul", "qs ks", "s"), *REST], {"r": number(8**-0.25)}),
    ([KEYS, node("MatMul", "q kt", "s"), *SPELLED], {"axes": ints(-1)}),
]


@pytest.mark.parametrize(("nodes", "arrays"), ATTENTION)
def test_attention_is_one_operator(nodes, arrays):
    made = of(nodes, arrays, HEADS)
    mended, lines = same(made, QKV)
    assert operators(mended) == ["Attention"] and any("Attention recognized" in line for line in lines)
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
    (found,) = allotrope.load(of(nodes, arrays, HEADS)).graph.nodes
    assert found.attributes["scale"] == pytest.approx(0.2) and found.inputs == ("q", "k", "v", "mask")


@pytest.mark.parametrize("to", ["pytorch", "jax"])
def test_attention_is_converted_whole_or_spelled_out(tmp_path, to):
    pytest.importorskip({"pytorch": "torch", "jax": "flax"}[to])
    nodes, arrays = ATTENTION[1]
    onnx.save(of(nodes, arrays, HEADS), tmp_path / "attention.onnx")
    assert max(allotrope.convert(tmp_path / "attention.onnx", tmp_path / "out", to=to).json["proof"]["differences"].values()) < 1e-5


# --- BatchNormalization

IMAGE = [tensor("x", shape=["n", 3, 4, 4])]
PIXELS = RNG.standard_normal((5, 3, 4, 4)).astype(F)
STATISTICS = {"s": np.array([1, 2, 3], F), "b": np.zeros(3, F), "m": np.array([1, 0, -1], F), "v": np.array([1, 4, 9], F)}


def test_a_batch_normalization_in_training_mode_learns_and_infers():
    made = of([node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1)], STATISTICS, IMAGE)
    lines = []
    network = allotrope.load(made, report=lines.append)
    (norm,) = network.graph.nodes
    assert not norm.attributes.get("training_mode") and norm.outputs == ("y",)
    assert network.trainable == {"s", "b"} and network.weights.keys() == {"s", "b", "m", "v"}
    assert lines == ["repair: BatchNormalization 'y' written in training mode; in inference it uses its running statistics now"]
    expected = (PIXELS - STATISTICS["m"].reshape(3, 1, 1)) / np.sqrt(STATISTICS["v"].reshape(3, 1, 1) + 1e-5)
    np.testing.assert_allclose(network.run({"x": PIXELS})["y"], expected * STATISTICS["s"].reshape(3, 1, 1), rtol=1e-5, atol=1e-5)
    assert allotrope.load(made, repair=Repair.without(["batch-normalization"])).graph.nodes[0].attributes["training_mode"] == 1


def test_a_batch_normalization_whose_statistics_are_used_stays_in_training_mode():
    made = of(
        [node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1)],
        STATISTICS,
        IMAGE,
        [tensor("y", shape=None), tensor("rm", shape=None)],
    )
    assert allotrope.load(made).graph.nodes[0].attributes["training_mode"] == 1


def test_running_statistics_that_two_share_become_their_own():
    made = of([node("BatchNormalization", "x s b m v", "a"), node("BatchNormalization", "a s2 b m v", "y")],
              {**STATISTICS, "s2": np.ones(3, F)}, IMAGE)  # fmt: skip
    mended, lines = same(made, PIXELS)
    state = [name for n in mended.graph.nodes for name in n.inputs[3:]]
    assert len(set(state)) == 4 and mended.weights.keys() - mended.trainable == set(state)
    assert any("shared running statistics" in line for line in lines)


def test_a_batch_normalization_whose_mean_is_also_a_bias_keeps_them_apart():
    zeros = {"s": np.ones(3, F), "z": np.zeros(3, F), "v": np.ones(3, F)}
    mended, _ = same(of([node("BatchNormalization", "x s z z v", "y")], zeros, IMAGE), PIXELS)
    assert mended.trainable == {"s", "z"} and len(mended.weights) == 4


# --- weights

DENSE = RNG.standard_normal((24, 10)).astype(F)


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name))


def test_weights_in_constant_nodes():
    made = of([constant("w", DENSE), node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {})
    mended, lines = same(made, X)
    assert mended.trainable == {"w"}
    assert lines == ["repair: 1 weights found in Constant nodes, 0 behind Identity, Transpose or the like"]
    assert not allotrope.load(made, repair=Repair.without(["weights"])).weights


@pytest.mark.parametrize("between", [node("Transpose", "t", "w", perm=[1, 0]), node("Identity", "t", "w")])
def test_weights_behind_other_forms_of_themselves(between):
    array = DENSE.T if between.op_type == "Transpose" else DENSE
    made = of([between, node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {"t": array})
    mended, lines = same(made, X)
    assert mended.trainable == {"t"}
    assert lines == ["repair: 0 weights found in Constant nodes, 1 behind Identity, Transpose or the like"]
    assert not allotrope.load(made, repair=Repair.without(["weights"])).trainable


def test_hidden_weights_stay_weights_in_a_file_that_is_read_without_repair(tmp_path):
    made = of([node("Transpose", "t", "w", perm=[1, 0]), node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {"t": DENSE.T})
    allotrope.load(made).save(tmp_path / "a.onnx")
    assert allotrope.load(tmp_path / "a.onnx", repair=False).trainable == {"t"}


# --- the ends of a network

MEAN, SCALE = np.array([[[1]], [[2]], [[3]]], F), np.array([[[0.1]], [[0.2]], [[0.3]]], F)
KERNEL = {"w": RNG.standard_normal((3, 3, 1, 1)).astype(F)}


def prepared(*after):
    return of(
        [node("Sub", "x mean", "a"), node("Mul", "a scale", "p"), node("Conv", "p w", "c"), *after],
        {**KERNEL, "mean": MEAN, "scale": SCALE},
        IMAGE,
    )


def test_what_prepares_the_input_does_not_learn():
    made = prepared(node("Identity", "c", "y"))
    mended, lines = same(made, PIXELS)
    assert mended.trainable == {"w"} and mended.graph.constants.keys() == {"mean", "scale"}
    assert lines == ["repair: mean, scale prepare the input before the network begins: constants, which do not learn"]
    assert allotrope.load(made, repair=Repair.without(["preprocessing"])).trainable == {"w", "mean", "scale"}


def test_a_scale_inside_the_network_learns():
    inner = of([node("Conv", "x w", "c"), node("Mul", "c scale", "y")], {**KERNEL, "scale": SCALE}, IMAGE)
    assert allotrope.load(inner).trainable == {"w", "scale"}


def test_an_array_that_the_network_uses_too_learns():
    assert allotrope.load(prepared(node("Mul", "c scale", "y"))).trainable == {"w", "scale"}


def test_an_embedding_of_positions_learns():
    made = of([node("Add", "x p", "a"), node("MatMul", "a w", "y")], {"p": np.ones((1, 4, 6), F), "w": np.ones((6, 2), F)})
    assert allotrope.load(made).trainable == {"p", "w"}


def test_a_network_that_learns_its_first_scale_does_so_after_it_was_saved(tmp_path):
    network = allotrope.load(prepared(node("Identity", "c", "y")), repair=Repair.without(["preprocessing"]))
    network.save(tmp_path / "a.onnx")
    assert allotrope.load(tmp_path / "a.onnx").trainable == network.trainable == {"w", "mean", "scale"}


# --- switches


def test_every_switch_is_known_and_an_unknown_one_is_not():
    names = {field.name for field in fields(Repair)}
    for name in names:
        assert [n for n in names if not getattr(Repair.without([name]), n)] == [name]
    assert Repair.without(["all"]) == Repair.none() and not any(vars(Repair.none()).values())
    with pytest.raises(UsageError, match=r"unknown repair 'gelo'\. Did you mean 'gelu'"):
        Repair.without(["gelo"])


def test_the_batch_has_a_switch_and_a_line():
    made = of(
        [node("Conv", "x w", "c"), node("Reshape", "c shape", "y")], {**KERNEL, "shape": ints(1, 48)}, [tensor("x", shape=[1, 3, 4, 4])]
    )
    mended, lines = same(made, PIXELS[:1])
    assert mended.inputs[0].shape == ("n", 3, 4, 4) and mended.run({"x": PIXELS})["y"].shape == (5, 48)
    assert lines == ["repair: the batch of 1 that was fixed in x is free, which Reshape y spelled out"]
    assert allotrope.load(made, repair=Repair.without(["batch"])).inputs[0].shape == (1, 3, 4, 4)


def test_nothing_to_repair_is_no_line():
    lines = []
    network = allotrope.load(of([node("Conv", "x w", "c"), node("Relu", "c", "y")], KERNEL, IMAGE), report=lines.append)
    assert not lines and operators(network) == ["Conv", "Relu"]


def test_a_node_of_another_domain_is_no_pattern():
    made = of([helper.make_node("Sigmoid", ["x"], ["s"], domain="mine"), node("Mul", "x s", "y")], {})
    made.opset_import.append(helper.make_opsetid("mine", 1))
    made.functions.append(helper.make_function("mine", "Sigmoid", ["a"], ["b"], [node("Neg", "a", "b")], [helper.make_opsetid("", 21)]))
    assert operators(allotrope.load(made)) == ["Neg", "Mul"]


def test_a_cast_before_it_is_no_hindrance():
    made = model(
        [node("Cast", "x", "f", to=TensorProto.FLOAT), node("Sigmoid", "f", "s"), node("Mul", "f s", "y")],
        [tensor("x", TensorProto.INT64, ["n", 4])],
    )
    assert operators(allotrope.load(made)) == ["Cast", "Swish"]


# --- what PyTorch writes


def exported(module, *inputs):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), inputs, file, dynamo=False, opset_version=14, input_names=["x"], output_names=["y"])
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "operator"),
    [
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.GELU()), "Gelu"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.GELU(approximate="tanh")), "Gelu"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.SiLU()), "Swish"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.Hardswish()), "HardSwish"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), "LayerNormalization"),
    ],
)
def test_what_pytorch_exports(make, operator):
    torch = pytest.importorskip("torch")
    module = make(torch.nn)
    found = exported(module, torch.zeros(1, 4, 6))
    network = allotrope.load(found)
    assert operators(network).count(operator) == 1
    expected = module(torch.from_numpy(X[:1])).detach().numpy()
    np.testing.assert_allclose(network.run({"x": X[:1]})["y"], expected, rtol=1e-4, atol=1e-5)


def test_attention_that_pytorch_exports():
    torch = pytest.importorskip("torch")

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Linear(8, 24)

        def forward(self, x):
            q, k, v = self.mix(x).reshape(-1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
            return ((q @ k.transpose(-2, -1)) / 2.0).softmax(-1) @ v

    module = Attention()
    x = torch.randn(1, 5, 8)
    network = allotrope.load(exported(module, x))
    assert operators(network).count("Attention") == 1
    np.testing.assert_allclose(network.run({"x": x.numpy()})["y"], module(x).detach().numpy(), rtol=1e-4, atol=1e-5)
