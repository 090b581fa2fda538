"""What frameworks do differently: one small network for each trap.

And what it must give in all of them, worked out by hand.

The contract of a framework has such cases for outputs; here are those of training, of gradients and
of the other corners.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework as find
from allotrope.measure.agreement.computation import squared_error
from allotrope.network.build import Builder
from allotrope.training.plan import training_plan
from planned import batch_for
from tested import TESTED

LINE = np.array([[[1, 2, 3, 4, 5]]], np.float32)
CORNER = np.array([[[[1, 2], [3, 4]]]], np.float32)
ONES = np.ones((1, 1, 2), np.float32)


def one(operator, attributes, *arrays, weights=0):
    """A network of one node whose inputs are `arrays`, and its inputs by name.

    The last `weights` of the arrays are weights.
    """
    b, count = Builder(), len(arrays) - weights
    names = [b.input(f"x{i}", a.dtype, a.shape) for i, a in enumerate(arrays[:count])]
    names += [b.weight(f"w{i}", np.asarray(a)) for i, a in enumerate(arrays[count:])]
    b.output(b.add(operator, names, attributes), "y")
    return b.network(), {f"x{i}": a for i, a in enumerate(arrays[:count])}


def integers(*values):
    return np.array(values, np.int32)


OUTPUTS = {
    "an even kernel, padded to the lower end": (
        *one("Conv", {"auto_pad": "SAME_LOWER"}, LINE, ONES, weights=1),
        [[[1, 3, 5, 7, 9]]],
    ),
    "an even kernel, padded to the upper end": (
        *one("Conv", {"auto_pad": "SAME_UPPER"}, LINE, ONES, weights=1),
        [[[3, 5, 7, 9, 5]]],
    ),
    "a stride that leaves one element for padding": (
        *one(
            "Conv",
            {"auto_pad": "SAME_UPPER", "strides": (2,)},
            LINE,
            np.ones((1, 1, 3), np.float32),
            weights=1,
        ),
        [[[3, 9, 9]]],  # one zero before and one after: 0+1+2, 2+3+4, 4+5+0
    ),
    "a mean over a window that ceil mode adds": (
        *one("AveragePool", {"kernel_shape": (2,), "strides": (2,), "ceil_mode": 1}, LINE),
        [[[1.5, 3.5, 5]]],
    ),
    "padding that counts in a mean, and a window beyond it that does not": (
        *one(
            "AveragePool",
            {
                "kernel_shape": (3,),
                "strides": (3,),
                "pads": (1, 1),
                "ceil_mode": 1,
                "count_include_pad": 1,
            },
            LINE,
        ),
        # (0 + 1 + 2) / 3 and (3 + 4 + 5) / 3; the padding behind is no window of its own.
        [[[1, 4]]],
    ),
    "floor mode drops the partial window": (
        *one("MaxPool", {"kernel_shape": (2,), "strides": (2,)}, LINE),
        [[[2, 4]]],
    ),
    "ceil mode keeps the partial window": (
        *one("MaxPool", {"kernel_shape": (2,), "strides": (2,), "ceil_mode": 1}, LINE),
        [[[2, 4, 5]]],
    ),
    "padding never wins a maximum": (
        *one("MaxPool", {"kernel_shape": (2,), "strides": (2,), "pads": (1, 0)}, -LINE),
        [[[-1, -2, -4]]],
    ),
    "gelu is exact": (
        *one("Gelu", {}, np.array([-0.5], np.float32)),
        [-0.5 * 0.5 * math.erfc(0.5 / math.sqrt(2))],
    ),
    "gelu by tanh": (
        *one("Gelu", {"approximate": "tanh"}, np.array([-0.5], np.float32)),
        [-0.25 * (1 - math.tanh(math.sqrt(2 / math.pi) * (0.5 + 0.044715 / 8)))],
    ),
    "integers divide toward zero": (
        *one("Div", {}, integers(-7, 7, -7, 7), integers(2, -2, -2, 2)),
        [-3, -3, 3, 3],
    ),
    "modulo has the divisor's sign": (
        *one("Mod", {}, integers(-7, 7, -7, 7), integers(3, -3, -3, 3)),
        [2, -2, -1, 1],
    ),
    "fmod has the dividend's sign": (
        *one("Mod", {"fmod": 1}, integers(-7, 7, -7, 7), integers(3, -3, -3, 3)),
        [-1, 1, -1, 1],
    ),
    "fmod of floats has the dividend's sign": (
        *one("Mod", {"fmod": 1}, np.array([-5.5, 5.5], np.float32), np.array([2, -2], np.float32)),
        [-1.5, 1.5],
    ),
    "the first of equals is the largest": (
        *one("ArgMax", {"axis": 1, "keepdims": 0}, np.array([[2, 7, 7, 1]], np.float32)),
        [1],
    ),
    "the last of equals if asked": (
        *one(
            "ArgMax",
            {"axis": 1, "keepdims": 0, "select_last_index": 1},
            np.array([[2, 7, 7, 1]], np.float32),
        ),
        [2],
    ),
    "the first of equals is the smallest": (
        *one("ArgMin", {"axis": 1, "keepdims": 0}, np.array([[2, 1, 7, 1]], np.float32)),
        [1],
    ),
    "the last smallest of equals if asked": (
        *one(
            "ArgMin",
            {"axis": 1, "keepdims": 0, "select_last_index": 1},
            np.array([[2, 1, 7, 1]], np.float32),
        ),
        [3],
    ),
    "halves are rounded to the even number": (
        *one("Round", {}, np.array([0.5, 1.5, 2.5, -0.5], np.float32)),
        [0, 2, 2, 0],
    ),
    "a layer's epsilon is inside of the root": (
        *one(
            "LayerNormalization",
            {"epsilon": 3.0},
            np.array([[-1, 1]], np.float32),
            np.ones(2, np.float32),
            weights=1,
        ),
        [[-0.5, 0.5]],  # variance 1 and epsilon 3: divided by 2
    ),
}


@pytest.mark.parametrize("trap", OUTPUTS)
def test_outputs(framework, trap):
    network, inputs, expected = OUTPUTS[trap]
    y = network.run(inputs, framework=framework)["y"]
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_constants_are_as_exact_as_their_array(framework, approximate):
    """tf.nn.gelu has them in float32, 1e-9 off in float64."""
    network, inputs = one("Gelu", {"approximate": approximate}, np.array([0.7, -1.9]))
    inner = [math.sqrt(2 / math.pi) * (x + 0.044715 * x**3) for x in (0.7, -1.9)]
    halves = (
        [math.tanh(y) for y in inner]
        if approximate == "tanh"
        else [math.erf(x / math.sqrt(2)) for x in (0.7, -1.9)]
    )
    expected = [x / 2 * (1 + half) for x, half in zip((0.7, -1.9), halves, strict=True)]
    np.testing.assert_allclose(network.run(inputs, framework=framework)["y"], expected, rtol=1e-13)


RESIZED = {
    "align_corners": [
        [1, 4 / 3, 5 / 3, 2],
        [5 / 3, 2, 7 / 3, 8 / 3],
        [7 / 3, 8 / 3, 3, 10 / 3],
        [3, 10 / 3, 11 / 3, 4],
    ],
    "half_pixel": [
        [1, 1.25, 1.75, 2],
        [1.5, 1.75, 2.25, 2.5],
        [2.5, 2.75, 3.25, 3.5],
        [3, 3.25, 3.75, 4],
    ],
}


@pytest.mark.parametrize("mode", RESIZED)
def test_corners_of_pictures_are_aligned_only_if_asked(framework, mode):
    b = Builder()
    x, sizes = b.input("x", "float32", (1, 1, 2, 2)), b.constant(np.array([1, 1, 4, 4]))
    b.output(
        b.add(
            "Resize", [x, "", "", sizes], {"mode": "linear", "coordinate_transformation_mode": mode}
        ),
        "y",
    )
    np.testing.assert_allclose(
        b.network().run({"x": CORNER}, framework=framework)["y"][0, 0], RESIZED[mode], rtol=1e-6
    )


# --- gradients


@pytest.fixture(params=TESTED)
def trainable(request):
    """Every framework that is tested but the reference, which has no gradients."""
    return request.param


SLOPES = {
    # The normal distribution and its density at 1.
    "gelu is exact": ("Gelu", {}, 0.8413447461 + 0.2419707245),
    # Half of 1 + t + (1 - t²) * 0.797885 * (1 + 3 * 0.044715).
    "gelu by tanh": ("Gelu", {"approximate": "tanh"}, 1.0829640838),
    "relu at a corner": ("Relu", {}, 1.0),
}


@pytest.mark.parametrize("trap", SLOPES)
def test_slopes_of_activations(trainable, trap):
    operator, attributes, expected = SLOPES[trap]
    network, inputs = one(operator, attributes, np.array([1.0], np.float32))
    slope = network.gradients(inputs, {"y": np.array([1.0], np.float32)}, framework=trainable)["x0"]
    np.testing.assert_allclose(slope, [expected], rtol=1e-5)


def test_a_mean_spreads_its_gradient_over_what_it_counted(trainable):
    for counted, expected in ((0, [1, 0.5, 0.5]), (1, [0.5, 0.5, 0.5])):
        attributes = {
            "kernel_shape": (2,),
            "strides": (2,),
            "pads": (1, 0),
            "count_include_pad": counted,
        }
        network, inputs = one("AveragePool", attributes, LINE[..., :3])
        slopes = network.gradients(
            inputs, {"y": np.ones((1, 1, 2), np.float32)}, framework=trainable
        )["x0"]
        np.testing.assert_allclose(slopes[0, 0], expected)


def test_an_even_kernel_sends_its_gradient_to_the_side_that_is_not_padded(trainable):
    network, inputs = one(
        "Conv", {"auto_pad": "SAME_UPPER"}, LINE, np.array([[[1, 10]]], np.float32), weights=1
    )
    gradients = network.gradients(inputs, {"y": np.ones_like(LINE)}, framework=trainable)
    np.testing.assert_allclose(gradients["x0"][0, 0], [1, 11, 11, 11, 11])
    np.testing.assert_allclose(gradients["w0"][0, 0], [15, 14])


def test_a_weight_that_is_used_twice_is_one_parameter(trainable):
    """An embedding that is the last layer too: y = row(table, 1) table^T."""
    b = Builder()
    table = b.weight("table", np.array([[1, 2], [3, 5]], np.float32))
    row = b.add("Gather", [table, b.input("i", "int64", (1,))])
    b.output(b.add("MatMul", [row, b.add("Transpose", [table], {"perm": (1, 0)})]), "y")
    network, inputs = b.network(), {"i": np.array([1])}
    np.testing.assert_array_equal(network.run(inputs, framework=trainable)["y"], [[13, 34]])
    gradients = network.gradients(
        inputs, {"y": np.array([[1, 0]], np.float32)}, framework=trainable
    )
    # As the layer: row 1; as the embedding: row 0.
    np.testing.assert_array_equal(gradients["table"], [[3, 5], [1, 2]])
    assert list(find(trainable).weights_of(network.to(trainable))) == ["table"]


# --- training


def normalized(momentum, epsilon):
    """BatchNorm of x [n, 2], scale 1 and bias 0, running mean 10 and variance 4."""
    b = Builder()
    arrays = {"scale": 1.0, "bias": 0.0, "mean": 10.0, "variance": 4.0}
    weights = [
        b.weight(name, np.full(2, value, np.float32), trainable=name in ("scale", "bias"))
        for name, value in arrays.items()
    ]
    b.output(
        b.add(
            "BatchNormalization",
            [b.input("x", "float32", ("n", 2)), *weights],
            {"momentum": momentum, "epsilon": epsilon},
        ),
        "y",
    )
    return b.network()


BATCH = np.array([[1, 2], [3, 8], [5, 2]], np.float32)
"""Its means are 3 and 4, its population variances 8/3 and 8, those of samples 4 and 12."""


def test_batchnorm_in_evaluation_uses_the_running_statistics(framework):
    y = find(framework).run(normalized(0.75, 5.0), {"x": BATCH})["y"]
    np.testing.assert_allclose(y, (BATCH - 10) / 3, rtol=1e-6)


def test_batchnorm_in_training_divides_by_the_population_and_keeps_epsilon_in_the_root(framework):
    y = find(framework).run(normalized(0.75, 1.0), {"x": BATCH}, training=True)["y"]
    np.testing.assert_allclose(
        y,
        [[-2 / math.sqrt(11 / 3), -2 / 3], [0, 4 / 3], [2 / math.sqrt(11 / 3), -2 / 3]],
        rtol=1e-5,
        atol=1e-6,
    )


def stepped(name, network, x, target, steps=1, rate=0.0):
    """A trainer of the squared error after some steps on one batch, and their losses."""
    recipe = Recipe(optimizer="sgd", weight_decay=0.0, epochs=1)
    plan = training_plan(network, recipe, squared_error(1.0))
    trainer = find(name).trainer(network, plan, Settings())
    losses = [
        float(trainer.step(batch_for(network, x, target), rate, step))
        for step in range(1, steps + 1)
    ]
    return trainer, losses


def test_batchnorm_keeps_most_of_the_old_statistics(trainable):
    """Twice running = momentum * running + (1 - momentum) * batch, of the population's variance."""
    trainer, _ = stepped(trainable, normalized(0.75, 1e-5), BATCH, np.zeros_like(BATCH), steps=2)
    weights = trainer.weights()
    np.testing.assert_allclose(
        weights["mean"], [0.5625 * 10 + 0.4375 * 3, 0.5625 * 10 + 0.4375 * 4], rtol=1e-5
    )
    np.testing.assert_allclose(
        weights["variance"], [0.5625 * 4 + 0.4375 * 8 / 3, 0.5625 * 4 + 0.4375 * 8], rtol=1e-5
    )


def test_a_step_is_along_the_gradient_of_the_mean(trainable):
    """y = x w over a batch of two, at w = 1.

    The loss (2w)²/2 + (4w - 2)²/2 is 4, and its slope 2w * 2 + (4w - 2) * 4 = 12.
    """
    network, _ = one(
        "MatMul", {}, np.zeros((2, 1), np.float32), np.array([[1]], np.float32), weights=1
    )
    trainer, losses = stepped(
        trainable,
        network,
        np.array([[2], [4]], np.float32),
        np.array([[0], [2]], np.float32),
        rate=0.01,
    )
    assert losses == [pytest.approx(4)]
    np.testing.assert_allclose(trainer.weights()["w0"], [[1 - 0.12]], rtol=1e-6)


def dropping(rate):
    b = Builder()
    b.output(
        b.add("Dropout", [b.input("x", "float32", ("n", 100)), b.constant(np.float32(rate))]), "y"
    )
    return b.network()


def test_dropout_scales_what_it_keeps_in_training_alone(framework):
    x = np.full((50, 100), 3, np.float32)
    np.testing.assert_array_equal(find(framework).run(dropping(0.25), {"x": x})["y"], x)
    y = find(framework).run(dropping(0.25), {"x": x}, training=True)["y"]
    assert set(np.round(np.unique(y), 5)) == {0, 4}  # 3 / (1 - 0.25)
    assert y.mean() == pytest.approx(3, rel=0.05)


def test_float64_is_trained_in_float64(trainable):
    """A step that float32 cannot see: 1 - 1e-12 * 2."""
    network, _ = one("MatMul", {}, np.zeros((1, 1)), np.array([[1.0]]), weights=1)
    trainer, losses = stepped(
        trainable, network, np.array([[1.0]]), np.array([[-1e-9]]), rate=1e-12
    )
    assert losses == [pytest.approx((1 + 1e-9) ** 2, rel=1e-14)]
    assert 1 - trainer.weights()["w0"].item() == pytest.approx(2e-12, rel=1e-3)
