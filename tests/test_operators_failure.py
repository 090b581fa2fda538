"""What does not fit ends in an error that names node, operator, shapes and what was expected.

Memory is measured first.
"""

import numpy as np
import pytest
from onnx import TensorProto

from allotrope import load
from allotrope.errors import AllotropeError, ModelError, NodeError, UnsupportedError, UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.graph import Node
from allotrope.operators.failure import explained
from allotrope.operators.memory import room_for
from onnx_models import model, node, tensor

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
SMALL = "1MB"


def free(name, rank, dtype=FLOAT):
    """A value of which no length is known, so that reading finds nothing against it."""
    return tensor(name, dtype, [f"{name}{axis}" for axis in range(rank)])


def made(nodes, inputs, arrays=None):
    """A network with the output y, read as it is."""
    return load(model(nodes, inputs, [tensor("y", shape=None)], arrays), repair=False)


MISFITS = {
    "MatMul": (
        node("MatMul", "a b", "y", name="n"),
        [(2, 3), (4, 5)],
        "Incompatible dimensions for matrix multiplication",
    ),
    "Add": (node("Add", "a b", "y", name="n"), [(2, 3), (4, 5)], "Incompatible dimensions"),
    "Concat": (node("Concat", "a b", "y", name="n", axis=0), [(2, 3), (4, 5)], "Can't merge"),
    "Conv": (
        node("Conv", "a b", "y", name="n"),
        [(1, 3, 8, 8), (4, 5, 3, 3)],
        "3 channels of input and 5 of weight times group 1",
    ),
    "Gemm": (node("Gemm", "a b", "y", name="n"), [(2, 3), (4, 5)], ""),
    "Einsum": (node("Einsum", "a b", "y", name="n", equation="ij,jk->ik"), [(2, 3), (4, 5)], ""),
    "Where": (node("Where", "c a b", "y", name="n"), [(2, 3), (4, 5)], "Incompatible dimensions"),
    "LayerNormalization": (node("LayerNormalization", "a b", "y", name="n"), [(2, 3), (5,)], ""),
}


@pytest.mark.parametrize("operator", MISFITS)
def test_arrays_that_do_not_fit_are_named_with_their_node(framework, operator):
    use, shapes, expected = MISFITS[operator]
    arrays = {"c": np.array(True)} if operator == "Where" else {}
    network = made(
        [use], [free(name, len(shape)) for name, shape in zip("ab", shapes, strict=True)], arrays
    )
    inputs = {name: np.ones(shape, np.float32) for name, shape in zip("ab", shapes, strict=True)}
    with pytest.raises(NodeError) as caught:
        network.run(inputs, framework=framework)
    text = str(caught.value)
    assert f"{operator} (node 'n')" in text
    assert all(str(list(shape)) in text for shape in shapes), text
    assert expected in text
    assert caught.value.__cause__ is not None


def test_the_inner_node_of_a_subgraph_is_named_too(framework):
    inside = model([node("MatMul", "a b", "o", name="inner")], [], [tensor("o", shape=None)]).graph
    choice = node("If", "c", "y", name="outer", then_branch=inside, else_branch=inside)
    network = made([choice], [free("a", 2), free("b", 2)], {"c": np.array(True)})
    with pytest.raises(NodeError, match=r"If \(node 'outer'\): MatMul \(node 'inner'\)"):
        network.run(
            {"a": np.ones((2, 3), np.float32), "b": np.ones((4, 5), np.float32)},
            framework=framework,
        )


def test_gradients_name_the_node(framework):
    network = made([node("MatMul", "a b", "y", name="n")], [free("a", 2), free("b", 2)])
    inputs = {"a": np.ones((2, 3), np.float32), "b": np.ones((4, 5), np.float32)}
    with pytest.raises(AllotropeError, match=r"MatMul \(node 'n'\)|outputs only"):
        network.gradients(inputs, {"y": np.ones((2, 5), np.float32)}, framework=framework)


def test_known_values_are_shown(framework):
    network = made([node("Tile", "a s", "y", name="n")], [free("a", 2)], {"s": np.array([7, 2, 1])})
    with pytest.raises(NodeError, match=r"'s' = int64 \[3\] with values \[7, 2, 1\]"):
        network.run({"a": np.ones((2, 3), np.float32)}, framework=framework)


# --- what is no misfit stays what it is


class OwnError(Exception):
    """An exception of a user's code."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("shapes"), NodeError),
        (RecursionError("deep"), NodeError),
        (ZeroDivisionError("x"), NodeError),
        (MemoryError(), NodeError),
        (NotImplementedError("no kernel for Half"), UnsupportedError),
        (UsageError("wrong"), UsageError),
        (AssertionError("ours"), AssertionError),
        (OwnError("theirs"), OwnError),
        (NameError("ours"), NameError),
    ],
)
def test_which_exceptions_become_errors_of_a_node(error, kind):
    told = explained(
        error,
        Node("Add", ("a", "b"), ("y",), name="n"),
        {"a": np.ones(2), "b": [1]},
        ReferencePrimitives(),
    )
    assert type(told) is kind
    assert "Add (node 'n')" in (
        str(told) if isinstance(told, AllotropeError) else told.__notes__[0]
    )


# --- memory


def steered(operator, arrays, attributes=None, x="x"):
    return node(
        operator, f"{x} {' '.join(arrays)}".strip(), "y", name="n", **(attributes or {})
    ), arrays


BIG = 10**6
LARGE = {
    "Expand": steered("Expand", {"s": np.array([BIG, 2, 3])}),
    "Tile": steered("Tile", {"s": np.array([BIG, 1])}),
    "ConstantOfShape": steered("ConstantOfShape", {"s": np.array([BIG, 9])}, x=""),
    "Range": steered("Range", {"a": np.array(0), "b": np.array(2**20), "c": np.array(1)}, x=""),
    "Pad": steered("Pad", {"s": np.array([0, 0, BIG, 0])}),
    "OneHot": (
        node("OneHot", "i d v", "y", name="n"),
        {"i": np.arange(9), "d": np.array(BIG), "v": np.array([0.0, 1.0])},
    ),
    "Resize": (
        node("Resize", "x e s", "y", name="n"),
        {"e": np.zeros(0, np.float32), "s": np.array([1.0, 1e6], np.float32)},
    ),
    "Conv": (
        node("Conv", "p w", "y", name="n", pads=[BIG, 0, 0, 0]),
        {"p": np.ones((1, 1, 3, 3)), "w": np.ones((1, 1, 1, 1))},
    ),
    "ConvTranspose": (
        node("ConvTranspose", "p w", "y", name="n", strides=[BIG, BIG]),
        {"p": np.ones((1, 1, 3, 3)), "w": np.ones((1, 1, 1, 1))},
    ),
    "MatMul": (
        node("MatMul", "u v", "y", name="n"),
        {"u": np.ones((2000, 1)), "v": np.ones((1, 2000))},
    ),
    "Einsum": (
        node("Einsum", "u v", "y", name="n", equation="ia,aj->ij"),
        {"u": np.ones((2000, 1)), "v": np.ones((1, 2000))},
    ),
    "Mul": (node("Mul", "u v", "y", name="n"), {"u": np.ones((2000, 1)), "v": np.ones((1, 2000))}),
    "Gather": (
        node("Gather", "u i", "y", name="n", axis=0),
        {"u": np.ones((1, 2000)), "i": np.zeros(2000, np.int64)},
    ),
}


@pytest.mark.parametrize("operator", LARGE)
def test_memory_beyond_the_limit_is_refused_before_it_is_asked_for(
    framework, operator, monkeypatch
):
    monkeypatch.setenv("ALLOTROPE_MEMORY_LIMIT", SMALL)
    use, arrays = LARGE[operator]
    arrays = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in arrays.items()
    }
    inputs = [
        tensor(name, shape=array.shape)
        for name, array in arrays.items()
        if array.dtype == np.float32 and array.size > 1
    ]
    fed = {value.name: arrays.pop(value.name) for value in inputs if value.name not in "es"}
    network = made(
        [use], [tensor("x", shape=[2, 3]), *(v for v in inputs if v.name in fed)], arrays
    )
    fed |= {"x": np.ones((2, 3), np.float32)}
    with pytest.raises(
        ModelError, match=rf"{operator} \(node 'n'\).*would take .*ALLOTROPE_MEMORY_LIMIT"
    ):
        network.run(fed, framework=framework)


def test_the_limit_can_be_set(monkeypatch):
    room_for((1000, 1000), np.dtype(np.float64))
    monkeypatch.setenv("ALLOTROPE_MEMORY_LIMIT", SMALL)
    with pytest.raises(
        ModelError, match=r"float64 \[1000, 1000\] would take 8 MB; one array may take 1 MB"
    ):
        room_for((1000, 1000), np.dtype(np.float64))
    monkeypatch.setenv("ALLOTROPE_MEMORY_LIMIT", "much")
    with pytest.raises(UsageError, match="ALLOTROPE_MEMORY_LIMIT: 'much' is not a size"):
        room_for((1,), np.dtype(np.float64))


def test_a_loop_that_collects_more_than_the_limit_is_refused(framework, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_MEMORY_LIMIT", SMALL)
    inside = model(
        [node("Identity", "going", "again"), node("Identity", "x", "row")],
        [tensor("i", INT64, ()), tensor("going", BOOL, ())],
        [tensor("again", BOOL, ()), tensor("row", shape=None)],
    ).graph
    network = made(
        [node("Loop", "m t", "y", name="n", body=inside)],
        [free("x", 1)],
        {"m": np.array(10**6), "t": np.array(True)},
    )
    with pytest.raises(ModelError, match=r"Loop \(node 'n'\).*would take"):
        network.run({"x": np.ones(10**5, np.float32)}, framework=framework)


def test_rounds_of_loops_inside_loops_are_counted_together(framework, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_LONGEST_LOOP", "50")

    def looping(level, operator, **attributes):
        i, going, s, again, t = (f"{name}{level}" for name in ("i", "going", "s", "again", "t"))
        nodes = [
            node("Identity", going, again),
            node(operator, f"m c {s}" if attributes else s, t, name="inner", **attributes),
        ]
        ends = [tensor(i, INT64, ()), tensor(going, BOOL, ()), tensor(s, shape=None)]
        return model(nodes, ends, [tensor(again, BOOL, ()), tensor(t, shape=None)]).graph

    nested = looping(1, "Loop", body=looping(2, "Neg"))
    arrays = {"m": np.array(10), "c": np.array(True)}
    network = made([node("Loop", "m c x", "y", name="outer", body=nested)], [free("x", 1)], arrays)
    with pytest.raises(
        UnsupportedError, match=r"outer.*inner.*after 50 rounds.*ALLOTROPE_LONGEST_LOOP"
    ):
        network.run({"x": np.ones(3, np.float32)}, framework=framework)


# --- shapes that kernels would trust


def test_recurrent_layers_check_every_shape(framework):
    shapes = {
        "w": (1, 8, 3),
        "r": (1, 8, 2),
        "b": (1, 7),
        "l": (4,),
        "h": (1, 5, 2),
        "c": (1, 4, 2),
        "p": (1, 9),
    }
    arrays = {
        name: np.ones(shape, np.int32 if name == "l" else np.float32)
        for name, shape in shapes.items()
    }
    use = node("LSTM", "x w r b l h c p", " y", name="n", hidden_size=2)
    network = made([use], [free("x", 3)], arrays)
    message = (
        r"LSTM \(node 'n'\).*B is \[1, 7\], not \[1, 16\]; "
        r"initial_h is .*; P is \[1, 9\], not \[1, 6\]"
    )
    with pytest.raises(ModelError, match=message):
        network.run({"x": np.ones((5, 4, 3), np.float32)}, framework=framework)


def test_statistics_shorter_than_the_channels_are_refused(framework):
    arrays = {name: np.ones(2, np.float32) for name in ("s", "b", "m", "v")}
    use = node("BatchNormalization", "x s b m v", "y o q", name="n", training_mode=1)
    with pytest.raises(ModelError, match=r"BatchNormalization \(node 'n'\)"):
        made([use], [free("x", 4)], arrays).run(
            {"x": np.ones((2, 5, 4, 4), np.float32)}, framework=framework
        )


# --- what a user gives


def test_everything_that_is_wrong_with_the_inputs_is_said_at_once(framework):
    network = made(
        [node("Add", "a b", "y")],
        [tensor("a", shape=["n", 3]), tensor("b", INT64, ["n"]), free("c", 1), free("d", 1)],
    )
    inputs = {
        "a": np.ones((2, 4), np.float64),
        "b": np.ones((2, 2), np.int64),
        "c": [[1.0], [2.0, 3.0]],
        "e": np.ones(1),
    }
    with pytest.raises(UsageError) as caught:
        network.run(inputs, framework=framework)
    for words in (
        "no array for input 'd'",
        "'e' is not an input",
        "'a' has dtype float64 instead of float32",
        "'a' has shape [2, 4] instead of ['n', 3]",
        "'b' has shape [2, 2] instead of ['n']",
        "'c' cannot be made an array",
        "Expected: a float32 ['n', 3]",
    ):
        assert words in str(caught.value)
    with pytest.raises(
        UsageError,
        match=r"given by name, as a dict, and not as a list\. The inputs are: a, b, c, d",
    ):
        network.run([np.ones(1)], framework=framework)


def test_texts_are_taken_as_numpy_has_them():
    network = load(
        model(
            [node("Identity", "a", "y")],
            [tensor("a", TensorProto.STRING, ["n"])],
            [tensor("y", shape=None)],
        )
    )
    assert network.run({"a": np.array(["x", "yy"])})["y"].tolist() == ["x", "yy"]


def test_output_gradients_that_do_not_fit_are_said_at_once(framework):
    network = made([node("Mul", "a a", "y")], [free("a", 2)])
    x = {"a": np.ones((2, 3), np.float32)}
    if framework == "reference":
        pytest.skip("the reference has no gradients")
    with pytest.raises(
        UsageError, match=r"'z' is not an output; 'y' has shape \[3\]|'y' has shape \[3\].*'z'"
    ):
        network.gradients(x, {"z": np.ones(1), "y": np.ones(3, np.float32)}, framework=framework)
    with pytest.raises(UsageError, match=r"'y' has shape \[2, 4\] instead of \[2, 3\]"):
        network.gradients(x, {"y": np.ones((2, 4), np.float32)}, framework=framework)
    with pytest.raises(UsageError, match="no number"):
        network.gradients(x, {"y": np.array([["a"]])}, framework=framework)
    assert (
        network.gradients(x, {"y": np.ones((2, 3), np.float32)}, framework=framework)["a"].tolist()
        == [[2] * 3] * 2
    )


@pytest.mark.parametrize(
    ("use", "arrays", "words"),
    [
        (node("Softmax", "x", "y", name="n", axis=5), {}, "5"),
        (node("ArgMax", "x", "y", name="n", axis=-3), {}, "no axis -3 among 2"),
        (node("Flatten", "x", "y", name="n", axis=4), {}, "no axis 4 among 2"),
        (node("ReduceSum", "x a", "y", name="n"), {"a": np.array([0, -2])}, "named twice"),
        (node("Split", "x a", "y z", name="n"), {"a": np.array([5, -3])}, "cannot be cut from 2"),
        (
            node("Slice", "x a b", "y", name="n"),
            {"a": np.array([0, 1]), "b": np.array([1])},
            "equally many",
        ),
        (
            node("TopK", "x a", "y z", name="n"),
            {"a": np.array([9])},
            "no 9 largest or smallest among 3",
        ),
        (node("TopK", "x a", "y z", name="n"), {"a": np.array([-1])}, "no -1 largest"),
        (
            node("GatherND", "x a", "y", name="n", batch_dims=3),
            {"a": np.array([[0]])},
            "3 batch axes",
        ),
    ],
)
def test_axes_counts_and_lengths_that_there_are_not(framework, use, arrays, words):
    with pytest.raises(ModelError, match=rf"\(node 'n'\).*{words}"):
        made([use], [free("x", 2)], arrays).run(
            {"x": np.ones((2, 3), np.float32)}, framework=framework
        )


def test_what_is_scanned_together_is_equally_long(framework):
    inside = model(
        [node("Add", "p q", "o")],
        [tensor("p", shape=None), tensor("q", shape=None)],
        [tensor("o", shape=None)],
    ).graph
    network = made(
        [node("Scan", "a b", "y", name="n", num_scan_inputs=2, body=inside)],
        [free("a", 2), free("b", 2)],
    )
    inputs = {"a": np.ones((2, 3), np.float32), "b": np.ones((5, 3), np.float32)}
    with pytest.raises(ModelError, match=r"Scan \(node 'n'\).*differs in length: \[2, 5\]"):
        network.run(inputs, framework=framework)
