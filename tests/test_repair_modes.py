"""Networks that were written in training mode.

They infer as the same network in evaluation does, and train all the same.
"""

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.config import Repair
from allotrope.errors import UnsupportedError
from onnx_models import model, node, nodes, outputs, tensor
from repaired import IMAGE, PIXELS, F, of, operators

X = np.random.default_rng(0).standard_normal((4, 6)).astype(F)
ARRAYS = {"w": np.eye(6, dtype=F) * 2, "r": np.array(0.5, F)}
LINE = "repair: Dropout 'd' written in training mode; in inference it drops nothing now"
PRODUCT = node("MatMul", "x w", "h")
DROPS = node("Dropout", "h r t", "d")


def dropping(nodes, opset=17, inputs=(), arrays=None, listed=()):
    """A network of a product and these nodes, which give y."""
    all_inputs = [tensor("x", shape=["n", 6]), *inputs, *listed]
    return model(
        [PRODUCT, *nodes, node("Neg", "d", "y")],
        all_inputs,
        None,
        {**ARRAYS, **(arrays or {})},
        opset,
    )


def constant(name, value):
    return helper.make_node(
        "Constant", [], [name], value=helper.make_tensor(name, TensorProto.BOOL, [], [value])
    )


ALWAYS = {"t": np.array(True)}
FLAG = tensor("t", TensorProto.BOOL, [])
FORMS = {
    "an initializer": dropping([DROPS], arrays=ALWAYS),
    "an initializer of opset 12": dropping([DROPS], 12, arrays=ALWAYS),
    "an initializer of one element": dropping([DROPS], arrays={"t": np.array([True])}),
    "an initializer that is listed as an input": dropping([DROPS], arrays=ALWAYS, listed=[FLAG]),
    "a Constant": dropping([constant("t", True), DROPS]),
    "behind Identity": dropping([constant("u", True), node("Identity", "u", "t"), DROPS]),
    "computed": dropping([constant("u", False), node("Not", "u", "t"), DROPS]),
    "computed from the data": dropping(
        [*nodes("Shape x -> s", "Size s -> u"), node("Cast", "u", "t", to=9), DROPS]
    ),
    "without a ratio": dropping(
        [helper.make_node("Dropout", ["h", "", "t"], ["d"])], arrays=ALWAYS
    ),
    "with a mask": dropping([node("Dropout", "h r t", "d m")], arrays=ALWAYS),
    "is_test left out": dropping([node("Dropout", "h", "d")], 6),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_dropout_in_training_mode_infers_like_one_in_evaluation(form, framework):
    lines = []
    network = allotrope.load(FORMS[form], report=lines.append)
    assert lines == [LINE]
    np.testing.assert_allclose(network.run({"x": X}, framework)["y"], -2 * X, rtol=1e-6)
    np.testing.assert_allclose(outputs(network.to_onnx(), x=X)[0], -2 * X, rtol=1e-6)
    plain = allotrope.load(FORMS[form], repair=Repair.without(["dropout"]))
    assert (plain.run({"x": X}, framework)["y"] == 0).any(), (
        "without repair it drops as the file says"
    )


def test_a_dropout_in_training_mode_drops_in_training(framework):
    from allotrope.frameworks import framework as named

    network = allotrope.load(FORMS["an initializer"])
    y = named(framework).run(network, {"x": X}, training=True)["y"]
    dropped = y == 0
    assert 0 < dropped.sum() < y.size
    np.testing.assert_allclose(y[~dropped], -4 * X[~dropped], rtol=1e-6)


def test_a_mode_that_is_an_input_is_not_asked(framework):
    lines = []
    network = allotrope.load(dropping([DROPS], inputs=[FLAG]), report=lines.append)
    assert lines == [LINE] and [value.name for value in network.inputs] == ["x", "t"]
    for mode in (True, False):
        np.testing.assert_allclose(
            network.run({"x": X, "t": np.array(mode)}, framework)["y"], -2 * X, rtol=1e-6
        )


@pytest.mark.parametrize("opset", [7, 10, 12, 13, 22])
def test_a_dropout_in_evaluation_is_left_alone(opset):
    off = {"t": np.array(False)} if opset >= 12 else {}
    made = node("Dropout", "h r t", "d") if off else node("Dropout", "h", "d", ratio=0.5)
    lines = []
    network = allotrope.load(dropping([made], opset, arrays=off), report=lines.append)
    assert lines == [] and "Dropout" in operators(network)


def test_a_dropout_inside_a_branch_and_inside_a_function():
    made = node("Dropout", "h r t", "d")
    branch = helper.make_graph([made], "branch", [], [tensor("d", shape=None)])
    branching = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    inside = model(
        [PRODUCT, branching],
        [tensor("x", shape=["n", 6])],
        None,
        {**ARRAYS, **ALWAYS, "c": np.array(True)},
        17,
    )
    opsets = [helper.make_opsetid("", 17)]
    body = helper.make_function("own", "Drop", ["h", "r", "t"], ["d"], [made], opsets)
    called = model(
        [PRODUCT, node("Drop", "h r t", "y", domain="own")],
        [tensor("x", shape=["n", 6])],
        None,
        {**ARRAYS, **ALWAYS},
        17,
        8,
        functions=[body],
    )
    called.opset_import.append(helper.make_opsetid("own", 1))
    for source in (inside, called):
        lines = []
        network = allotrope.load(source, report=lines.append)
        assert len(lines) == 1 and "written in training mode" in lines[0]
        np.testing.assert_allclose(network.run({"x": X})["y"], 2 * X, rtol=1e-6)


# --- BatchNormalization

STATISTICS = {
    "s": np.array([1, 2, 3], F),
    "b": np.zeros(3, F),
    "m": np.array([1, 0, -1], F),
    "v": np.array([1, 4, 9], F),
}
ROOT = np.sqrt(STATISTICS["v"] + F(1e-5))
SCALE, MEAN = (STATISTICS[name][:, None, None] for name in "sm")
EVALUATED = (PIXELS - MEAN) / ROOT[:, None, None] * SCALE


def test_a_batch_normalization_that_gives_its_statistics_gives_those_it_has():
    made = of(
        [node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1)],
        STATISTICS,
        IMAGE,
        [tensor(name, shape=None) for name in ("y", "rm", "rv")],
    )
    lines = []
    network = allotrope.load(made, report=lines.append)
    outputs = network.run({"x": PIXELS})
    np.testing.assert_allclose(outputs["y"], EVALUATED, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(outputs["rm"], STATISTICS["m"])
    np.testing.assert_array_equal(outputs["rv"], STATISTICS["v"])
    assert any("BatchNormalization 'y' written in training mode" in line for line in lines)


def instance_normalization(mean, variance):
    """What PyTorch writes for an InstanceNorm that keeps running statistics.

    The examples are channels of one, the statistics repeated.
    """
    repeat = {
        "twice": np.array([2], np.int64),
        "flat": np.array([1, 6, 4, 4], np.int64),
        "whole": np.array([2, 3, 4, 4], np.int64),
    }
    arrays = {**repeat, "s": np.ones(3, F), "b": np.zeros(3, F), "m": mean, "v": variance}
    tiles = [node("Tile", f"{name} twice", f"{name}2") for name in "sbmv"]
    norm = node("BatchNormalization", "f s2 b2 m2 v2", "n rm rv", training_mode=1)
    nodes = [*tiles, node("Reshape", "x flat", "f"), norm, node("Reshape", "n whole", "y")]
    return of(nodes, arrays, [tensor("x", shape=[2, 3, 4, 4])])


def test_an_instance_norm_that_was_trained_uses_its_running_statistics():
    x = PIXELS[:2]
    mean, variance = STATISTICS["m"], STATISTICS["v"]
    network = allotrope.load(instance_normalization(mean, variance))
    expected = (x - mean[:, None, None]) / ROOT[:, None, None]
    np.testing.assert_allclose(network.run({"x": x})["y"], expected, rtol=1e-5, atol=1e-5)


def test_an_instance_normalization_spelled_out_stays_one():
    """No statistics were ever trained: without the example's own, evaluation would be nothing."""
    x = PIXELS[:1]
    shape = {"flat": np.array([1, 3, 4, 4], np.int64)}
    arrays = {
        **shape,
        "s": np.ones(3, F),
        "b": np.zeros(3, F),
        "m": np.zeros(3, F),
        "v": np.ones(3, F),
    }
    nodes = [
        node("Reshape", "x flat", "f"),
        node("BatchNormalization", "f s b m v", "y rm rv", training_mode=1),
    ]
    network = allotrope.load(of(nodes, arrays, [tensor("x", shape=[1, 3, 4, 4])]))
    axes = (2, 3)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(network.run({"x": x})["y"], expected, rtol=1e-4, atol=1e-4)


def test_a_file_in_training_mode_by_the_exporter(framework):
    torch = pytest.importorskip("torch")
    import io
    import warnings

    nn = torch.nn
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(64, 3),
    )
    with torch.no_grad():
        layers.train()(torch.from_numpy(PIXELS) * 2 + 1)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            layers,
            (torch.from_numpy(PIXELS),),
            file,
            dynamo=False,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}},
        )
    network = allotrope.load(file.getvalue())
    with torch.no_grad():
        expected = layers.eval()(torch.from_numpy(PIXELS)).numpy()
    np.testing.assert_allclose(
        network.run({"x": PIXELS}, framework)["y"], expected, rtol=1e-4, atol=1e-5
    )


# --- Dropout spelled out, and noise

NUMBERS = {
    "p": np.array(0.25, F),
    "q": np.array(0.75, F),
    "i": np.array(1 / 0.75, F),
    "z": np.array(0, F),
    "a": np.array(0.1, F),
}
LIKE, CAST = node("RandomUniformLike", "h", "u"), node("Cast", "k", "f", to=1)
ABOVE, BELOW = node("Greater", "u p", "k"), node("Less", "u q", "k")
EQUAL, FIRST = node("GreaterOrEqual", "u p", "k"), node("Less", "p u", "k")
DIVIDED = [node("Div", "f q", "g"), node("Mul", "h g", "d")]
SPELLED = {
    "above the rate, then divided": [
        LIKE,
        ABOVE,
        CAST,
        node("Mul", "h f", "m"),
        node("Div", "m q", "d"),
    ],
    "scaled first": [LIKE, EQUAL, CAST, node("Mul", "h i", "s"), node("Mul", "s f", "d")],
    "below what is kept": [LIKE, BELOW, CAST, node("Mul", "f i", "g"), node("Mul", "g h", "d")],
    "the rate first": [LIKE, FIRST, CAST, *DIVIDED],
    "not below": [LIKE, node("Less", "u p", "j"), node("Not", "j", "k"), CAST, *DIVIDED],
    "Where": [LIKE, ABOVE, node("Div", "h q", "s"), node("Where", "k s z", "d")],
    "Bernoulli": [
        node("Shape", "h", "n"),
        node("Expand", "q n", "e"),
        node("Bernoulli", "e", "f"),
        *DIVIDED,
    ],
    "noise": [node("RandomNormalLike", "h", "u"), node("Mul", "u a", "v"), node("Add", "h v", "d")],
    "noise that is a factor": [
        node("RandomNormalLike", "h", "u", mean=1.0, scale=0.2),
        node("Mul", "h u", "d"),
    ],
}


def spelled(nodes):
    ends = [PRODUCT, *nodes, node("Neg", "d", "y")]
    used = {name for one in ends for name in one.input}
    return model(
        ends,
        [tensor("x", shape=["n", 6])],
        None,
        {n: a for n, a in {**ARRAYS, **NUMBERS}.items() if n in used},
        17,
        8,
    )


@pytest.mark.parametrize("form", SPELLED)
def test_chance_that_is_spelled_out_is_none_in_inference(form, framework):
    from allotrope.frameworks import framework as named

    lines = []
    network = allotrope.load(spelled(SPELLED[form]), report=lines.append)
    assert len(lines) == 1 and "'d'" in lines[0] and "training mode" in lines[0]
    np.testing.assert_allclose(network.run({"x": X}, framework)["y"], -2 * X, rtol=1e-6)
    trained = named(framework).run(network, {"x": X}, training=True)["y"]
    if not form.startswith("noise"):
        dropped = trained == 0
        assert 0 < dropped.sum() < dropped.size / 2
        np.testing.assert_allclose(trained[~dropped], -2 * X[~dropped] / 0.75, rtol=1e-5)
    with pytest.raises(UnsupportedError, match=r"Random|Bernoulli"):
        allotrope.load(spelled(SPELLED[form]), repair=Repair.without(["noise"])).run(
            {"x": X}, framework
        )


@pytest.mark.parametrize(
    "nodes",
    [
        [LIKE, ABOVE, CAST, node("Mul", "h f", "d")],
        [LIKE, node("Mul", "u a", "v"), node("Add", "h v", "d")],
        [node("RandomNormalLike", "h", "u", mean=0.5), node("Add", "h u", "d")],
        [node("RandomNormalLike", "h", "u"), node("Mul", "h u", "d")],
    ],
)
def test_chance_that_changes_the_mean_is_none_of_them(nodes):
    """A mask whose scale was left out, noise that has a mean: evaluation would be a guess."""
    lines = []
    network = allotrope.load(spelled(nodes), report=lines.append)
    assert not lines
    with pytest.raises(UnsupportedError, match="Random"):
        network.run({"x": X})
