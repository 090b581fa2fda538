"""Values under other names, and what must not change with them."""

import numpy as np
import onnx
import pytest

from allotrope.errors import UsageError
from allotrope.network.build import Builder
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def network():
    """x * weight + 1, with an inner value called `label`."""
    builder = Builder()
    x = builder.input("x", "float32", ("n", 3))
    weight = builder.weight("scale", np.array([1.0, 2.0, 3.0], np.float32))
    label = builder.add("Mul", [x, weight], name="label")
    builder.output(builder.add("Add", [label, builder.constant(np.float32(1))], name="logits"))
    return builder.network()


def test_inputs_and_outputs_have_other_names_and_all_else_stays():
    before, after = network(), network().renamed({"x": "numbers", "logits": "label"})
    assert [value.name for value in (*after.inputs, *after.outputs)] == ["numbers", "label"]
    assert dict(after.weights).keys() == {"scale"} and after.trainable == before.trainable
    assert [node.name for node in after.graph.nodes] == [node.name for node in before.graph.nodes]
    expected = before.run({"x": X})["logits"]
    np.testing.assert_array_equal(after.run({"numbers": X})["label"], expected)
    onnx.checker.check_model(after.to_onnx(), full_check=True)


def test_graphs_inside_see_the_new_names():
    value = Value("inner", np.dtype(np.float32), None)
    branch = Graph((), (value,), (Node("Neg", ("x",), ("inner",)),))
    other = Graph((), (value,), (Node("Abs", ("x",), ("inner",)),))
    node = Node("If", ("yes",), ("y",), {"then_branch": branch, "else_branch": other}, "choice")
    x, y = (Value(name, np.dtype(np.float32), ("n", 3)) for name in "xy")
    graph = Graph((x,), (y,), (node,), {"yes": np.array(True)})
    after = Network(graph, {}, frozenset()).renamed({"x": "numbers", "y": "label"})
    np.testing.assert_array_equal(after.run({"numbers": X})["label"], -X)


def test_two_names_can_be_exchanged():
    builder = Builder()
    a = builder.input("a", "float32", ("n",))
    b = builder.input("b", "float32", ("n",))
    builder.output(builder.add("Sub", [a, b], name="c"))
    after = builder.network().renamed({"a": "b", "b": "a"})
    ones, twos = np.ones(1, np.float32), np.full(1, 2, np.float32)
    assert after.run({"b": ones, "a": twos})["c"] == -1


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"y": "z"}, "there is no value 'y'"),
        ({"x": "scale"}, "'x' cannot be called 'scale': a weight, input or output is"),
        ({"x": "logits"}, "'x' cannot be called 'logits'"),
        ({"x": "same", "logits": "same"}, "'x' would be one of 2 values called 'same'"),
    ],
)
def test_names_that_cannot_be_given_are_refused(names, problem):
    with pytest.raises(UsageError, match=problem):
        network().renamed(names)
