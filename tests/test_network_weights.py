"""Which arrays are weights, which are state, and which only steer."""

import json

import numpy as np
import pytest
from onnx import helper

import allotrope
from allotrope.errors import ModelError, UsageError
from allotrope.network.build import Builder
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from onnx_models import model, node, tensor

F = np.float32
IMAGE = [tensor("x", shape=["n", 3, 8, 8])]


def of(nodes, **arrays):
    return allotrope.load(model(nodes, IMAGE, arrays=arrays))


@pytest.mark.parametrize(
    ("made", "arrays", "trainable"),
    [
        (
            node("Conv", "x w b", "y"),
            {"w": np.ones((4, 3, 1, 1), F), "b": np.ones(4, F)},
            {"w", "b"},
        ),
        (node("ConvTranspose", "x w", "y"), {"w": np.ones((3, 1, 1, 1), F)}, {"w"}),
        (node("PRelu", "x w", "y"), {"w": np.ones((3, 1, 1), F)}, {"w"}),
        (node("Add", "x w", "y"), {"w": np.ones((3, 1, 1), F)}, {"w"}),
        (node("Mul", "x w", "y"), {"w": np.array(2.0, F)}, set()),
        (node("Mul", "x w", "y"), {"w": np.array([2.0], F)}, set()),
        (
            node("InstanceNormalization", "x w b", "y"),
            {"w": np.ones(3, F), "b": np.ones(3, F)},
            {"w", "b"},
        ),
        (node("Clip", "x w b", "y"), {"w": np.array(0.0, F), "b": np.array(6.0, F)}, set()),
        (
            node("Resize", "x r s", "y"),
            {"r": np.zeros(8, F), "s": np.array([1, 1, 2, 2], F)},
            set(),
        ),
        (node("Reshape", "x w", "y"), {"w": np.array([-1, 192])}, set()),
        (node("Pad", "x p w", "y"), {"p": np.zeros(8, np.int64), "w": np.array(0.5, F)}, set()),
        (node("QuantizeLinear", "x w", "y"), {"w": np.array([0.1, 0.2, 0.3], F)}, set()),
    ],
)
def test_by_the_input_that_they_go_to(made, arrays, trainable):
    network = of([made], **arrays)
    assert network.trainable == trainable and network.weights.keys() == trainable
    assert network.graph.constants.keys() == arrays.keys() - trainable


def test_running_statistics_are_state():
    network = of(
        [node("BatchNormalization", "x s b m v", "y")], **{name: np.ones(3, F) for name in "sbmv"}
    )
    assert network.trainable == {"s", "b"} and network.weights.keys() == {"s", "b", "m", "v"}


def test_a_weight_behind_other_forms_of_itself():
    nodes = [
        node("Identity", "w", "a"),
        node("Transpose", "a", "b", perm=[1, 0]),
        node("Flatten", "x", "f"),
        node("MatMul", "f b", "y"),
    ]
    network = of(nodes, w=np.ones((5, 192), F))
    assert network.trainable == {"w"} and len(network.graph.nodes) == 4


def test_an_embedding_is_a_weight_and_its_indices_are_not():
    nodes = [
        node("Gather", "table i", "e"),
        node("ReduceSum", "e", "s", keepdims=0),
        node("Add", "x s", "y"),
    ]
    network = of(nodes, table=np.ones((10, 4), F), i=np.array([1, 2]))
    assert network.trainable == {"table"} and "i" in network.graph.constants


def test_weights_are_read_only_and_their_own():
    array = np.ones((3, 2), F)
    network = allotrope.load(model([node("MatMul", "x w", "y")], arrays={"w": array}))
    with pytest.raises(ValueError, match="read-only"):
        network.weights["w"][0] = 5
    with pytest.raises(TypeError):
        network.weights["w"] = array
    with pytest.raises(AttributeError, match="does not change"):
        network.graph = None


def test_what_the_table_would_get_wrong_is_kept_in_the_file(tmp_path):
    b = Builder()
    x = b.input("x", "float32", ("n", 3, 8, 8))
    w = b.weight("fixed", np.ones((4, 3, 1, 1), F), trainable=False)
    b.output(b.add("Conv", [x, w]), "logits")
    network = with_preprocessing(b.network(), [1, 2, 3], [4, 5, 6])
    network.save(tmp_path / "m.onnx")
    again = allotrope.load(tmp_path / "m.onnx")
    assert again.weights.keys() == {"fixed"} and again.trainable == frozenset()
    assert again.graph.constants.keys() == network.graph.constants.keys()
    assert again.metadata == {}


def test_a_plain_network_needs_no_record():
    made = model([node("MatMul", "x w", "y")], arrays={"w": np.ones((3, 2), F)})
    assert not allotrope.load(made).to_onnx().metadata_props


def test_a_record_of_weights_that_are_gone_is_passed_over():
    made = model([node("MatMul", "x w", "y")], arrays={"w": np.ones((3, 2), F)})
    helper.set_model_props(
        made, {"allotrope.weights": json.dumps({"trainable": ["gone"], "state": ["w"]})}
    )
    network = allotrope.load(made)
    assert network.weights.keys() == {"w"} and not network.trainable


def test_other_weights_in_their_place():
    network = allotrope.load(model([node("MatMul", "x w", "y")], arrays={"w": np.ones((3, 2), F)}))
    other = network.with_weights({"w": np.full((3, 2), 2.0)})
    assert other.weights["w"].dtype == F
    assert other.weights["w"].max() == 2
    assert network.weights["w"].max() == 1
    with pytest.raises(
        UsageError, match=r"'ghost' is no weight.*'w' has shape \[2, 3\], not \[3, 2\]"
    ):
        network.with_weights({"w": np.ones((2, 3)), "ghost": np.ones(1)})
    with pytest.raises(UsageError, match="not a native model"):
        network.with_weights_from("a string")


def test_a_graph_that_does_not_hold_together():
    x, y = Value("x", np.dtype(F), ("n", 3)), Value("y", np.dtype(F), ("n", 3))
    graph = Graph((x,), (y,), (Node("Add", ("x", "ghost"), ("z",)),))
    with pytest.raises(ModelError, match=r"'w' is named as trainable.*uses 'ghost'.*output 'y'"):
        Network(graph, {}, {"w"})
    with pytest.raises(ModelError, match="'x' has the name of something else"):
        Network(Graph((x,), (x,), ()), {"x": np.ones(1)}, set())
