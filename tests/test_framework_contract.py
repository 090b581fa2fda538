"""The contract of a framework: one body of tests, run for every framework that is installed.

ALLOTROPE_TEST_FRAMEWORKS (names with commas between them) says which are wanted: those are tested and no others, and one that is
missing fails. Without it all are tested, the missing ones skipped and counted.
"""

import os

import numpy as np
import pytest

from allotrope import networks
from allotrope.config import OPTIMIZERS, Recipe, Settings
from allotrope.errors import TrainingError, UsageError
from allotrope.frameworks import FRAMEWORKS, missing
from allotrope.frameworks import framework as find
from allotrope.frameworks.widening import widened
from allotrope.network.build import Builder
from allotrope.training.plan import training_plan

WANTED = [name for name in os.environ.get("ALLOTROPE_TEST_FRAMEWORKS", "").split(",") if name]
ZOO = {"mlp": (1, 8, 8), "cnn": (3, 8, 8), "resnet8": (3, 8, 8)}


def usable(name):
    """Skips or fails the test that needs a framework which is not there."""
    reason = missing(name)
    if reason is not None:
        (pytest.fail if name in WANTED else pytest.skip)(reason)
    return name


@pytest.fixture(params=WANTED or sorted(FRAMEWORKS.keys() - {"reference"}))
def name(request):
    return usable(request.param) if request.param in FRAMEWORKS else pytest.fail(f"there is no framework {request.param}")


@pytest.fixture(params=ZOO)
def network(request):
    return networks.NETWORKS[request.param](classes=4, image=ZOO[request.param])


def images(network, count=4):
    shape = (count, *network.inputs[0].shape[1:])
    return np.random.default_rng(1).standard_normal(shape).astype(network.inputs[0].dtype)


def close(found, expected, tolerance):
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


# --- outputs and gradients


def test_outputs_are_the_references(name, network):
    inputs = {"x": images(network)}
    close(network.run(inputs, framework=name)["logits"], network.run(inputs)["logits"], 1e-5)


def test_gradients_are_the_references_slopes(name, network):
    wide = widened(network)
    inputs, rng = {"x": images(wide)}, np.random.default_rng(2)
    outputs = wide.run(inputs)
    seed = rng.standard_normal(outputs["logits"].shape)
    found = wide.gradients(inputs, {"logits": seed}, framework=name)
    assert set(found) == {"x", *wide.trainable}
    direction = {n: rng.standard_normal(g.shape) for n, g in found.items()}

    def along(step):
        moved = wide.with_weights({n: wide.weights[n] + step * direction[n] for n in wide.trainable})
        return float((moved.run({"x": inputs["x"] + step * direction["x"]})["logits"] * seed).sum())

    slope = (along(1e-7) - along(-1e-7)) / 2e-7
    assert sum(float((found[n] * d).sum()) for n, d in direction.items()) == pytest.approx(slope, rel=1e-4)


def test_inputs_that_do_not_fit_are_refused(name):
    network = networks.NETWORKS["mlp"](classes=4, image=ZOO["mlp"])
    with pytest.raises(UsageError, match="'x' has dtype float64 instead of float32"):
        network.run({"x": images(network).astype(np.float64)}, framework=name)


# --- native models


def test_weights_come_back_from_the_native_model(name, network):
    emptied = network.with_weights({n: np.zeros_like(array) for n, array in network.weights.items()})
    back = emptied.with_weights_from(network.to(name))
    assert list(back.weights) == list(network.weights)
    for weight, array in network.weights.items():
        np.testing.assert_array_equal(back.weights[weight], array, err_msg=weight)
        assert back.weights[weight].dtype == array.dtype


# --- training


def small():
    """Convolution, normalization, dropout and a linear layer: x [n, 3, 6, 6] to logits [n, 4]."""
    rng, b = np.random.default_rng(3), Builder()

    def weight(label, *shape):
        return b.weight(label, (rng.standard_normal(shape) * 0.5).astype(np.float32))

    x = b.input("x", "float32", ("n", 3, 6, 6))
    y = b.add("Conv", [x, weight("conv.weight", 8, 3, 3, 3)], {"strides": (2, 2), "pads": (1, 1, 1, 1)})
    state = [b.weight(f"bn.{n}", np.full(8, v, np.float32), trainable=False) for n, v in (("running_mean", 0.5), ("running_var", 2.0))]
    y = b.add("BatchNormalization", [y, weight("bn.weight", 8), weight("bn.bias", 8), *state], {"momentum": 0.8, "epsilon": 1e-3})
    y = b.add("Dropout", [b.add("Relu", [y]), b.constant(np.float32(0.25))])
    y = b.add("Flatten", [b.add("MaxPool", [y], {"kernel_shape": (2, 2), "strides": (2, 2)})])
    b.output(b.add("Gemm", [y, weight("fc.weight", 4, 8), weight("fc.bias", 4)], {"transB": 1}), "logits")
    return b.network()


BATCHES = [
    (np.random.default_rng(step).standard_normal((6, 3, 6, 6)).astype(np.float32), np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]])
    for step in range(20)
]


def trainer(name, **options):
    options = {"weight_decay": 1e-2, "epsilon": 1e-3, "seed": 7, "epochs": 1, **options}
    return find(name).trainer(small(), training_plan(small(), Recipe(**options), np.ones(4)), Settings())


def losses(trainer, first, last, rate=0.01):
    return [float(trainer.step(*BATCHES[step - 1], rate, step)) for step in range(first, last + 1)]


def assert_same(found, expected, tolerance):
    assert sorted(found) == sorted(expected)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=tolerance, atol=tolerance, err_msg=key)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_twenty_steps_are_pytorchs(name, optimizer):
    usable("pytorch")
    mine, other = (trainer(which, optimizer=optimizer, average=0.9, clip_norm=1.0, bias_scale=2.0) for which in (name, "pytorch"))
    np.testing.assert_allclose(losses(mine, 1, 20), losses(other, 1, 20), rtol=1e-5)
    assert_same(mine.state(), other.state(), 1e-5)
    assert_same(mine.weights(), other.weights(), 1e-5)
    close(mine.evaluate(BATCHES[0][0]), other.evaluate(BATCHES[0][0]), 1e-5)


def test_a_checkpoint_of_one_framework_resumes_in_another(name):
    usable("pytorch")
    for first, second in ((name, "pytorch"), ("pytorch", name)):
        options = {"optimizer": "adam", "average": 0.9}
        begun, resumed = trainer(first, **options), trainer(second, **options)
        losses(begun, 1, 3)
        resumed.load_state(begun.state())
        np.testing.assert_allclose(losses(resumed, 4, 6), losses(begun, 4, 6), rtol=1e-5)
        assert_same(resumed.state(), begun.state(), 1e-5)


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(name):
    begun = trainer(name, optimizer="sgd")
    with pytest.raises(TrainingError, match=r"optimizer/velocity/conv\.weight"):
        trainer(name, optimizer="momentum").load_state(begun.state())


def test_frozen_weights_stay(name):
    network = small()
    plan = training_plan(network, Recipe(epochs=1), np.ones(4), frozen=frozenset({"conv.weight"}))
    frozen = find(name).trainer(network, plan, Settings())
    losses(frozen, 1, 2)
    np.testing.assert_array_equal(frozen.weights()["conv.weight"], network.weights["conv.weight"])
    assert not np.array_equal(frozen.weights()["fc.weight"], network.weights["fc.weight"])


def test_bfloat16_computes_the_same_network(name):
    network = small()
    plan = training_plan(network, Recipe(epochs=1), np.ones(4))
    options = next(s for s in find(name).settings() if s.device == "cpu" and s.precision == "bfloat16")
    narrow, full = find(name).trainer(network, plan, options), trainer(name, optimizer="nesterov")
    np.testing.assert_allclose(narrow.evaluate(BATCHES[0][0]), full.evaluate(BATCHES[0][0]), atol=0.1)
    assert all(array.dtype == network.weights[n].dtype for n, array in narrow.weights().items())


def test_settings_begin_with_the_cpu_in_float32(name):
    first = find(name).settings()[0]
    assert (first.device, first.precision) == ("cpu", "float32")


# --- what frameworks disagree about: one small network each, and what it must give


def test_batch_statistics_are_kept_as_onnx_says(name):
    b = Builder()
    values = {"scale": 1.0, "bias": 0.0, "mean": 0.5, "variance": 2.0}
    weights = [b.weight(n, np.full(2, v, np.float32), trainable=n in ("scale", "bias")) for n, v in values.items()]
    y = b.add("BatchNormalization", [b.input("x", "float32", ("n", 2)), *weights], {"momentum": 0.75})
    b.output(y, "logits")
    x = np.array([[1, 2], [3, 8]], np.float32)
    step = find(name).trainer(b.network(), training_plan(b.network(), Recipe(epochs=1), np.ones(2)), Settings())
    float(step.step(x, np.eye(2, dtype=np.float32), 0.0, 1))
    found = step.weights()
    np.testing.assert_allclose(found["mean"], 0.75 * 0.5 + 0.25 * x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["variance"], 0.75 * 2 + 0.25 * x.var(0), rtol=1e-5)  # divided by n, not n - 1


def test_dropout_masks_are_the_same_bits(name):
    b = Builder()
    b.output(b.add("Dropout", [b.input("x", "float32", ("n", 50)), b.constant(np.float32(0.3))]), "y")
    network, x = b.network(), np.ones((40, 50), np.float32)
    found, expected = (find(f).run(network, {"x": x}, training=True)["y"] for f in (name, "reference"))
    np.testing.assert_array_equal(found != 0, expected != 0)
    assert set(np.unique(found)) == {np.float32(0), np.unique(found)[-1]}
    assert found.max() == pytest.approx(1 / 0.7)
    assert 0.25 < (found == 0).mean() < 0.35


def test_a_shared_weight_gets_the_sum_of_its_gradients(name):
    b = Builder()
    w = b.weight("w", np.array([2.0, 3.0], np.float32))
    b.output(b.add("Add", [b.add("Mul", [b.input("x", "float32", ("n", 2)), w]), w]), "y")
    x = np.array([[1, 10], [2, 20]], np.float32)
    np.testing.assert_array_equal(b.network().gradients({"x": x}, {"y": np.ones_like(x)}, framework=name)["w"], [5, 32])


RAMP = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
CORNER = RAMP[:, :, :2, :2]
TRAPS = {
    "epsilon is inside of the root": (
        "BatchNormalization", [RAMP[:, 0, 0, :1] * 3, *(np.full(1, v, np.float32) for v in (1, 0, 1, 0))], {"epsilon": 0.25}, [[4.0]],
    ),
    "an even kernel pads the end": (
        "Conv", [CORNER, np.ones((1, 1, 2, 2), np.float32)], {"auto_pad": "SAME_UPPER"}, [[[[14, 8], [11, 6]]]],
    ),
    "padding does not count in a mean": (
        "AveragePool", [CORNER], {"kernel_shape": (2, 2), "pads": (1, 1, 0, 0)}, [[[[1, 1.5], [3, 3.5]]]],
    ),
    "padding counts in a mean where asked": (
        "AveragePool", [CORNER], {"kernel_shape": (2, 2), "pads": (1, 1, 0, 0), "count_include_pad": 1}, [[[[0.25, 0.75], [1.5, 3.5]]]],
    ),
    "ceil mode keeps the partial window": (
        "MaxPool", [RAMP], {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1}, [[[[11, 12], [15, 16]]]],
    ),
    "gelu is exact": ("Gelu", [np.array([1.0], np.float32)], {}, [0.8413447]),
    "gelu by tanh": ("Gelu", [np.array([1.0], np.float32)], {"approximate": "tanh"}, [0.841192]),
    "integers divide toward zero": ("Div", [np.array([-7, 7]), np.array([2, -2])], {}, [-3, -3]),
    "modulo has the divisor's sign": ("Mod", [np.array([-7, 7]), np.array([3, -3])], {}, [2, -2]),
    "fmod has the dividend's sign": ("Mod", [np.array([-7, 7]), np.array([3, -3])], {"fmod": 1}, [-1, 1]),
    "the first of equals is the largest": ("ArgMax", [np.array([[1, 3, 3], [2, 2, 1]], np.float32)], {"keepdims": 0, "axis": 1}, [1, 0]),
    "the last of equals where asked": (
        "ArgMax", [np.array([[1, 3, 3], [2, 2, 1]], np.float32)], {"keepdims": 0, "axis": 1, "select_last_index": 1}, [2, 1],
    ),
    "64-bit integers keep every bit": ("Add", [np.array([2**40 + 1]), np.array([2**52])], {}, [2**40 + 1 + 2**52]),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_traps(name, trap):
    operator, arrays, attributes, expected = TRAPS[trap]
    b = Builder()
    b.output(b.add(operator, [b.input(f"x{i}", a.dtype, a.shape) for i, a in enumerate(arrays)], attributes), "y")
    found = b.network().run({f"x{i}": a for i, a in enumerate(arrays)}, framework=name)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


CORNERS = {"align_corners": ([0, 3], [0, 1, 2, 3]), "half_pixel": ([0, 3], [0, 0.75, 2.25, 3]), "asymmetric": ([0, 2], [0, 1, 2, 2])}


@pytest.mark.parametrize("mode", CORNERS)
def test_corners_are_aligned_only_where_asked(name, mode):
    values, expected = CORNERS[mode]
    b = Builder()
    sizes = b.constant(np.array([4]))
    options = {"mode": "linear", "coordinate_transformation_mode": mode}
    b.output(b.add("Resize", [b.input("x", "float32", (2,)), "", "", sizes], options), "y")
    np.testing.assert_allclose(b.network().run({"x": np.array(values, np.float32)}, framework=name)["y"], expected, rtol=1e-6)
