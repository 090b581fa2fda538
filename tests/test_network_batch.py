"""A baked-in batch of one: freed where examples are provably apart, left where they are not."""

import numpy as np
import pytest
from onnx import helper

import allotrope
from allotrope.config import Repair
from onnx_models import model, node, outputs, tensor

F = np.float32
RNG = np.random.default_rng(0)
IMAGE = [tensor("x", shape=[1, 3, 4, 4])]
CONV = node("Conv", "x w", "c")
W = {"w": RNG.standard_normal((2, 3, 1, 1)).astype(F)}


def ints(*values):
    return np.array(values, np.int64)


def load(nodes, inputs=None, repair=True, **arrays):
    return allotrope.load(model([CONV, *nodes], inputs or IMAGE, [tensor("y", shape=None)], {**W, **arrays}), repair=repair)


COUNTED = {"i": ints(0), "j": ints(1), "r": ints(-1)}
FREED = [
    ([node("Flatten", "c", "y")], {}),
    ([node("Reshape", "c s", "y")], {"s": ints(1, -1)}),
    ([node("Reshape", "c s", "y")], {"s": ints(1, 32)}),
    ([node("Reshape", "c s", "y")], {"s": ints(-1, 32)}),
    ([node("Reshape", "c s", "y")], {"s": ints(0, 4, -1)}),
    ([node("Reshape", "c s", "r"), node("MatMul", "r m", "y")], {"s": ints(1, 2, 16), "m": np.ones((16, 5), F)}),
    ([node("Reshape", "c s", "r"), node("Gemm", "r m b", "y")], {"s": ints(1, 32), "m": np.ones((32, 5), F), "b": np.ones(5, F)}),
    ([node("Transpose", "c", "t", perm=[0, 2, 3, 1]), node("Softmax", "t", "y")], {}),
    ([node("ReduceMean", "c a", "y", keepdims=0)], {"a": ints(2, 3)}),
    ([node("Slice", "c a b e", "y")], {"a": ints(0), "b": ints(1), "e": ints(1)}),
    ([node("Split", "c", "a b", axis=1, num_outputs=2), node("Concat", "b a", "y", axis=-1)], {}),
    ([node("Add", "c k", "y")], {"k": np.ones((1, 2, 1, 1), F)}),
    ([node("Pad", "c p", "y")], {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}),
    ([helper.make_node("Resize", ["c", "", "s"], ["y"])], {"s": np.array([1, 1, 2, 2], F)}),
    (
        [node("Shape", "c", "s"), node("Gather", "s i", "n"), node("Concat", "n r", "t", axis=0), node("Reshape", "c t", "y")],
        {"i": ints(0), "r": ints(-1)},
    ),
]

KEPT = [
    ([node("Reshape", "c s", "y")], {"s": ints(32)}),
    ([node("Reshape", "c s", "y")], {"s": ints(2, 16)}),
    ([node("Softmax", "c", "y", axis=0)], {}),
    ([node("ReduceSum", "c", "y")], {}),
    ([node("Squeeze", "c", "y")], {}),
    ([node("Transpose", "c", "y", perm=[1, 0, 2, 3])], {}),
    ([node("Concat", "c c", "y", axis=0)], {}),
    ([node("Concat", "c k", "y", axis=1)], {"k": np.ones((1, 2, 4, 4), F)}),
    ([node("Pad", "c p", "y")], {"p": ints(1, 0, 0, 0, 0, 0, 0, 0)}),
    ([node("Shape", "c", "s"), node("Gather", "s i", "n"), node("Cast", "n", "m", to=1), node("Mul", "c m", "y")], {"i": ints(0)}),
    ([node("BatchNormalization", "c k k k k", "y a b", training_mode=1)], {"k": np.ones(2, F)}),
    ([node("CumSum", "c i", "y")], {"i": ints(0)}),
]


@pytest.mark.parametrize(("nodes", "arrays"), FREED)
def test_freed(nodes, arrays):
    network = load(nodes, **arrays)
    assert network.inputs[0].shape == ("n", 3, 4, 4) and network.outputs[0].shape[0] == "n"
    x = RNG.standard_normal((3, 3, 4, 4)).astype(F)
    together = outputs(network.to_onnx(), x=x)[0]
    old = model([CONV, *nodes], IMAGE, [tensor("y", shape=None)], {**W, **arrays})
    for index in range(3):
        np.testing.assert_allclose(together[index], outputs(old, x=x[index : index + 1])[0][0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("nodes", "arrays"), KEPT)
def test_kept(nodes, arrays):
    network = load(nodes, repair=Repair.without(["batch-normalization"]), **arrays)
    assert network.inputs[0].shape == (1, 3, 4, 4)
    assert [n.operator for n in network.graph.nodes] == ["Conv", *(n.op_type for n in nodes)]


def test_a_network_without_weights_is_left_alone():
    network = allotrope.load(model([node("Relu", "x", "y")], [tensor("x", shape=[1, 3])]))
    assert network.inputs[0].shape == (1, 3)


def test_it_can_be_switched_off_and_other_batches_stay():
    made = model([CONV, node("Relu", "c", "y")], IMAGE, arrays=W)
    assert allotrope.load(made, repair=False).inputs[0].shape == (1, 3, 4, 4)
    assert load([node("Relu", "c", "y")], [tensor("x", shape=[2, 3, 4, 4])]).inputs[0].shape == (2, 3, 4, 4)
    assert load([node("Relu", "c", "y")], [tensor("x", shape=["k", 3, 4, 4])]).inputs[0].shape == ("k", 3, 4, 4)


def test_a_length_that_is_called_n_already():
    assert load([node("Relu", "c", "y")], [tensor("x", shape=[1, 3, "n", 4])]).inputs[0].shape == ("batch", 3, "n", 4)
