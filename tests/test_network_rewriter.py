"""A graph that answers, and is changed in one way."""

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.graph import Node, Value
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter

F = np.float32
X = np.linspace(-1, 1, 6, dtype=F).reshape(2, 3)


def network():
    """y = relu(x w) + relu(x w) v."""
    made = Builder("small")
    x = made.input("x", F, ["n", 3])
    w = made.weight("w", np.arange(12, dtype=F).reshape(3, 4))
    v = made.weight("v", F(2))
    relu = made.add("Relu", [made.add("MatMul", [x, w], name="product")], name="relu")
    made.output(made.add("Add", [relu, made.add("Mul", [relu, v], name="scaled")]), "y")
    return made.network()


def rewriter():
    made = network()
    return Rewriter(made.graph, made.weights)


def operators(graph):
    return [node.operator for node in graph.nodes]


# --- what it answers


def test_makers_and_users():
    lookup = Lookup(network().graph, network().weights)
    assert lookup.maker("relu").operator == "Relu"
    assert lookup.maker("x") is lookup.maker("w") is None
    assert lookup.maker("relu", "Relu", "Tanh") is not None and lookup.maker("relu", "Tanh") is None
    assert [node.operator for node in lookup.users("relu")] == ["Mul", "Add"]
    assert lookup.count("relu") == 2 and lookup.only_user("relu") is None
    assert lookup.only_user("product").operator == "Relu" and lookup.only_user("y") is None


def test_what_is_known():
    lookup = Lookup(network().graph, network().weights)
    assert lookup.shape("relu") == ("n", 4) and lookup.rank("w") == 2 and lookup.rank("none") == -1
    assert lookup.known("w") == Value("w", np.dtype(F), (3, 4)) and lookup.known("none") is None
    assert lookup.number("v") == 2 and lookup.number("w") is None


def test_a_graph_inside_takes_values():
    value = Value("inner", np.dtype(F), None)
    branch = network().graph
    inside = type(branch)((), (value,), (Node("Neg", ("relu",), ("inner",)),))
    node = Node("If", ("x",), ("z",), {"then_branch": inside, "else_branch": inside})
    lookup = Lookup(type(branch)(branch.inputs, branch.outputs, (*branch.nodes, node)))
    assert [user.operator for user in lookup.users("relu")] == ["Mul", "Add", "If"]


# --- how it is changed


def test_nodes_take_the_place_of_others():
    change = rewriter()
    change.replace(["relu"], [Node("Tanh", ("product",), ("relu",), {}, "tanh")])
    assert operators(change.result()) == ["MatMul", "Tanh", "Mul", "Add"]
    assert change.maker("relu").operator == change.only_user("product").operator == "Tanh"
    assert change.result().values["relu"].shape == ("n", 4)


def test_several_nodes_stand_in_order_however_often_a_place_is_filled():
    change = rewriter()
    pair = [Node("Abs", ("product",), ("a",)), Node("Neg", ("a",), ("relu",))]
    change.replace(["relu"], pair)
    change.replace(["a"], [Node("Exp", ("product",), ("e",)), Node("Log", ("e",), ("a",))])
    assert operators(change.result()) == ["MatMul", "Exp", "Log", "Neg", "Mul", "Add"]


def test_nodes_that_go_meanwhile_are_passed_over():
    change, seen = rewriter(), []
    for node in change.nodes():
        seen.append(node.operator)
        if node.operator == "MatMul":
            whole = Node("Gemm", node.inputs, ("relu",), {}, "whole")
            change.replace(["product", "relu"], [whole])
    assert seen == ["MatMul", "Mul", "Add"]


def test_closed_nodes_show_nothing_but_their_output():
    change = rewriter()
    assert change.closed(["product", "relu"], "relu")
    assert not change.closed(["relu", "scaled"], "scaled")
    assert not change.closed(["y"], "scaled")


def test_new_names_and_arrays():
    made, change = network(), rewriter()
    assert change.fresh("relu") == "relu_2" and change.fresh("relu") == "relu_3"
    offset = change.constant("offset", np.ones(4, F))
    factor = change.weight("w", np.full(4, 3, F))
    nodes = [
        Node("Mul", ("product", factor), ("multiplied",)),
        Node("Add", ("multiplied", offset), ("relu",)),
    ]
    change.replace(["relu"], nodes)
    changed = change.applied_to(made)
    assert factor == "w_2" and changed.trainable == {"w", "v", "w_2"}
    expected = 3 * (3 * (X @ made.weights["w"]) + 1)
    np.testing.assert_allclose(changed.run({"x": X})["y"], expected, rtol=1e-6)
    assert changed.graph.values["multiplied"].shape == ("n", 4)


def test_another_array_under_an_old_name_changes_what_follows():
    made, change = network(), rewriter()
    change.put("w", np.ones((3, 5), F))
    change.forget("product")
    changed = change.applied_to(made)
    assert changed.outputs[0].shape == ("n", 5) and changed.graph.values["relu"].shape == ("n", 5)


def test_what_no_output_is_made_of_is_left_out():
    made, change = network(), rewriter()
    rows = change.append("Flatten", ("product",), "rows", {"axis": 1})
    change.give(Value(rows, np.dtype(F), None))
    changed = change.applied_to(made)
    assert operators(changed.graph) == ["MatMul", "Flatten"] and changed.weights.keys() == {"w"}
    assert changed.outputs[0].shape == ("n", 4)
