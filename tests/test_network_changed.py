"""Networks that are made of others: what stays and what goes.

And other names for inputs and outputs.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import allotrope
from allotrope.errors import ModelError, UsageError
from allotrope.network.build import Builder
from allotrope.network.graph import Node, Value
from allotrope.network.reading import shapes
from onnx_models import model, node, tensor

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def network():
    """y = relu(x w) v, with a state that nothing but `w`'s product takes."""
    made = Builder("small")
    x = made.input("x", np.float32, ["n", 3])
    w = made.weight("w", np.arange(12, dtype=np.float32).reshape(3, 4))
    v = made.weight("v", np.ones((4, 2), np.float32))
    product = made.add("MatMul", [x, w], name="product")
    made.output(made.add("MatMul", [made.add("Relu", [product], name="relu"), v]), "y")
    return made.network()


MAKERS = {
    "inputs/image/pretrained/front.py",  # a few nodes of another, on their own
    "network/build.py",
    "network/network.py",
    "network/reading/normalize.py",  # of a file
    "network/rewriting/ensemble.py",  # of several, whose weights take other names
    "network/rewriting/joined.py",  # of several, whose weights take other names
    "network/rewriting/named_after.py",  # weights take other names
    "network/zoo/trees.py",  # a node of ai.onnx.ml, whose shape nothing infers
    "verbs/bench.py",  # of a file that is not understood
    "shrinking/network_parts.py",  # a part of one, to be timed alone
}
"""Files that make a network of something that is none, or is more than one."""


def test_networks_are_derived_and_not_put_together_by_hand():
    source = Path(shapes.__file__).parents[2]
    files = {path.relative_to(source).as_posix(): path.read_text() for path in source.rglob("*.py")}
    made = re.compile(r"(?<![\w.\"'`])Network\(")
    own = "network.network import Network"
    # What conversion writes is called Network too, in the frameworks' own source.
    files = {name: text for name, text in files.items() if not name.startswith("conversion/")}
    makers = {name for name, text in files.items() if own in text and made.search(text)}
    assert makers | {"network/network.py"} <= MAKERS


def test_what_is_not_given_stays():
    old = network()
    new = old.changed(metadata={"a": "b"}).changed(trainable={"v"})
    assert new.graph is old.graph and new.weights == old.weights
    assert new.trainable == {"v"} and new.metadata == {"a": "b"}


def test_weights_that_another_graph_does_not_use_go():
    old = network()
    graph = replace(old.graph, nodes=old.graph.nodes[:1], outputs=(old.graph.values["product"],))
    new = old.changed(graph=graph)
    assert new.weights.keys() == new.trainable == {"w"}
    assert new.outputs[0].shape == ("n", 4)


def test_weights_that_are_new_are_added_and_others_replaced():
    old = network()
    add = Node("Add", ("y", "b"), ("z",), {}, "z")
    outputs = (Value("z", old.outputs[0].dtype, None),)
    graph = replace(old.graph, nodes=(*old.graph.nodes, add), outputs=outputs)
    weights = {"b": np.float32([1, 2]), "v": np.zeros((4, 2), np.float32)}
    new = old.changed(graph=graph, weights=weights, trainable=old.trainable | {"b"})
    assert new.trainable == {"w", "v", "b"} and new.outputs[0].shape == ("n", 2)
    np.testing.assert_array_equal(new.run({"x": X})["z"], [[1, 2], [1, 2]])


def test_trainable_names_must_be_weights():
    with pytest.raises(ModelError, match="'u' is named as trainable and is no weight"):
        network().changed(trainable={"u"})


def test_inputs_declared_otherwise_change_all_shapes():
    new = network().changed(inputs=[Value("x", np.dtype(np.float32), (5, 3))])
    assert new.graph.values["relu"].shape == (5, 4) and new.outputs[0].shape == (5, 2)


# --- shapes


@pytest.mark.parametrize("width", [4, 7])
def test_only_what_is_new_is_inferred(width):
    """What is known is not: a width that is wrong stays, and the new value has it too."""
    old = network()
    values = {**old.graph.values, "relu": Value("relu", X.dtype, ("n", width))}
    tanh = Node("Tanh", ("relu",), ("tanh",), {}, "tanh")
    last = old.graph.nodes[2].with_input(0, "tanh")
    nodes = (*old.graph.nodes[:2], tanh, last)
    new = old.changed(graph=replace(old.graph, nodes=nodes, values=values))
    assert new.graph.values == {**values, "tanh": Value("tanh", X.dtype, ("n", width))}


def test_a_shape_that_is_computed_is_followed_to_where_it_is_counted():
    nodes = [
        node("Shape", "x", "lengths", end=1),
        node("Concat", "lengths rest", "target", axis=0),
        node("Reshape", "x target", "y"),
    ]
    arrays = {"rest": np.array([1, 3], np.int64)}
    old = allotrope.load(model(nodes, [tensor("x", shape=[4, 3])], arrays=arrays), repair=False)
    free = replace(old.outputs[0], shape=None)
    known = {name: value for name, value in old.graph.values.items() if name != "y"}
    again = shapes.with_shapes(replace(old.graph, outputs=(free,), values=known), {})
    assert again.outputs[0].shape == old.outputs[0].shape == (4, 1, 3)


# --- names


def test_an_output_that_is_a_weight_leaves_the_weight_its_name():
    old = network()
    outputs = (*old.outputs, Value("w", X.dtype, (3, 4)))
    new = old.changed(graph=replace(old.graph, outputs=outputs)).renamed({"w": "shown"})
    assert new.weights.keys() == {"w", "v"}
    np.testing.assert_array_equal(new.run({"x": X})["shown"], old.weights["w"])


def test_no_value_is_without_a_name():
    with pytest.raises(UsageError, match="'x' would have no name"):
        network().renamed({"x": ""})
