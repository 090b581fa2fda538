"""Function bodies in the place of operators: the same results, and names that do not collide."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.network.reading.expand import expanded
from allotrope.network.used import every_node
from onnx_models import model, node, outputs, tensor

F = np.float32
X = np.random.default_rng(0).standard_normal((2, 4, 6)).astype(F)
SCALE = {"s": np.linspace(0.5, 2, 6, dtype=F), "b": np.linspace(-1, 1, 6, dtype=F)}

CASES = [
    (node("LayerNormalization", "x s b", "y"), SCALE),
    (node("LayerNormalization", "x s", "y", axis=-1, epsilon=0.1), SCALE),
    (node("RMSNormalization", "x s", "y"), SCALE),
    (node("Gelu", "x", "y"), {}),
    (node("Gelu", "x", "y", approximate="tanh"), {}),
    (node("Softmax", "x", "y", axis=1), {}),
    (node("Elu", "x", "y", alpha=0.3), {}),
    (node("HardSwish", "x", "y"), {}),
    (node("Clip", "x lo", "y"), {"lo": np.array(-0.2, F)}),
    (node("MeanVarianceNormalization", "x", "y", axes=[0, 2]), {}),
    (node("ReduceLogSumExp", "x a", "y", keepdims=0), {"a": np.array([1])}),
    (node("GroupNormalization", "x g g", "y", num_groups=2), {"g": np.ones(4, F)}),
    (node("Shrink", "x", "y", lambd=0.4, bias=0.1), {}),
    (node("Mish", "x", "y"), {}),
]


@pytest.mark.parametrize(("made", "arrays"), CASES, ids=lambda case: getattr(case, "op_type", ""))
def test_computes_the_same(made, arrays):
    old = model([made], [tensor("x", shape=["n", 4, 6])], arrays=arrays, opset=23, ir_version=11)
    network = allotrope.load(old)
    plain = expanded(network, {"Sub"})
    assert made.op_type not in {n.operator for n in every_node(plain.graph)}
    assert plain.weights.keys() == network.weights.keys() and plain.outputs[0].name == "y"
    np.testing.assert_allclose(
        outputs(plain.to_onnx(), x=X)[0], outputs(old, x=X)[0], rtol=1e-4, atol=1e-5
    )


def test_known_operators_stay_and_nothing_else_is_made():
    network = allotrope.load(model([node("Gelu", "x", "y")]))
    assert expanded(network, {"Gelu"}) is network
    assert (
        expanded(
            allotrope.load(model([node("Conv", "x w", "y")], arrays={"w": np.ones((1, 3, 1), F)})),
            set(),
        )
        .graph.nodes[0]
        .operator
        == "Conv"
    )


def test_two_of_the_same_get_names_of_their_own():
    nodes = [node("Elu", "x", "h"), node("Elu", "h", "y"), node("Neg", "x", "y/alpha")]
    old = model(nodes, outputs=[tensor("y", shape=None), tensor("y/alpha", shape=None)])
    x = np.array([[-1.0, 0, 1]], F)
    for before, after in zip(
        outputs(old, x=x), outputs(expanded(allotrope.load(old), set()).to_onnx(), x=x), strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-6)


def test_inside_a_branch():
    branch = helper.make_graph(
        [node("Elu", "x", "o", alpha=2.0)], "branch", [], [tensor("o", shape=None)]
    )
    other = helper.make_graph([node("HardSwish", "x", "p")], "other", [], [tensor("p", shape=None)])
    old = model(
        [node("If", "c", "y", then_branch=branch, else_branch=other)],
        [tensor("x"), tensor("c", TensorProto.BOOL, [])],
    )
    plain = expanded(allotrope.load(old), {"If"})
    assert not {"Elu", "HardSwish"} & {n.operator for n in every_node(plain.graph)}
    for condition in (np.array(True), np.array(False)):
        x = np.array([[-1.0, 0, 1]], F)
        np.testing.assert_allclose(
            outputs(plain.to_onnx(), x=x, c=condition)[0],
            outputs(old, x=x, c=condition)[0],
            rtol=1e-6,
        )


def test_a_loss_with_ignored_labels():
    made = node("SoftmaxCrossEntropyLoss", "x t", "y", ignore_index=-1, reduction="mean")
    old = model([made], [tensor("x"), tensor("t", TensorProto.INT64, ["n"])])
    feed = {"x": X[0, :, :3], "t": np.array([0, -1, 2, 1])}
    np.testing.assert_allclose(
        outputs(expanded(allotrope.load(old), set()).to_onnx(), **feed)[0],
        outputs(old, **feed)[0],
        rtol=1e-5,
    )
