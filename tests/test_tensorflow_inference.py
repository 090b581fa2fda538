"""TensorFlow's evaluation in training takes kernels that know no gradient.

Its answers are those of the reference.
"""

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import missing
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.tasks import Classification
from allotrope.tasks.several import joint_loss
from allotrope.training.plan import training_plan
from planned import answers, planned

if missing("tensorflow") is not None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

from allotrope.frameworks.tensorflow.framework import FRAMEWORK
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet8"])
def test_evaluation_with_fused_kernels_is_the_network(name):
    random = np.random.default_rng(0)
    built = zoo.network(name)(4, (3, 32, 32))
    state = {
        name: random.uniform(0.5, 2.0, array.shape).astype(array.dtype)
        for name, array in built.weights.items()
        if name not in built.trainable
    }
    moved = built.with_weights(dict(built.weights) | state)
    network = with_preprocessing(moved, [120.0] * 3, [60.0] * 3)
    trainer = FRAMEWORK.trainer(network, planned(network, Recipe(), np.ones(4)), Settings())
    images = random.integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected = network.run({network.inputs[0].name: images})["logits"]
    assert answers(trainer, network, images) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("activation", ["Tanh", "Mish", "Sigmoid", "Relu", "Elu", "LeakyRelu"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_activation_behind_a_normalized_convolution(activation, precision):
    """TensorFlow joins the three, and has no kernel for some activations."""
    random, b = np.random.default_rng(0), Builder()
    weights = [
        b.weight(f"s{i}", np.full(6, value, np.float32), trainable=i < 2)
        for i, value in enumerate((1, 0.1, 0.2, 1))
    ]
    filters = b.weight("w", random.standard_normal((6, 3, 3, 3)).astype(np.float32) / 5)
    x = b.add("Conv", [b.input("x", "float32", ("n", 3, 8, 8)), filters])
    x = b.add(activation, [b.add("BatchNormalization", [x, *weights])])
    b.output(b.add("GlobalMaxPool", [x]), "y")
    network, x = b.network(), random.standard_normal((2, 3, 8, 8)).astype(np.float32)
    loss = joint_loss([Classification(name="y", classes=("a", "b"))])
    plan = training_plan(network, Recipe(), loss)
    trainer = FRAMEWORK.trainer(network, plan, Settings(precision=precision))
    tolerance = 1e-4 if precision == "float32" else 0.05
    expected = network.run({"x": x})["y"]
    np.testing.assert_allclose(trainer.evaluate({"x": x})["y"], expected, atol=tolerance)


def test_both_bounds_have_all_of_the_gradient():
    p, x = TensorFlowPrimitives(), tf.constant([-1.0, 0.0, 3.0, 6.0, 7.0, np.nan])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = p.clip(x, 0.0, 6.0)
    assert tape.gradient(y, x).numpy()[:5].tolist() == [0, 1, 1, 1, 0]
    assert np.isnan(y.numpy()[5])


BOUNDS = [
    (0.0, 6.0),
    (0.0, 1.0),
    (0.0, 0.3),
    (-1.0, 1.0),
    (-0.7, 0.7),
    (-2.0, 5.0),
    (0.1, 0.3),
]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_bounds_are_exact(low, high):
    p, bounds, little = TensorFlowPrimitives(), np.float32([low, high]), np.float32(1e-6)
    near = [bounds * (1 - little), bounds, bounds * (1 + little)]
    x = tf.constant([*np.concatenate(near), -9.0, 9.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = p.clip(x, low, high)
        gradient = tape.gradient(y, x, tf.square(x))
        total = tf.reduce_sum(gradient)
    inside = (x.numpy() >= bounds[0]) & (x.numpy() <= bounds[1])
    assert gradient.numpy() == pytest.approx(np.where(inside, x.numpy() ** 2, 0))
    assert outer.gradient(total, x).numpy() == pytest.approx(np.where(inside, 2 * x.numpy(), 0))


def test_if_bounds_cross_the_upper_one_holds():
    x = tf.constant([-1.0, 2.0, 9.0])
    assert TensorFlowPrimitives().clip(x, 3.0, 1.0).numpy().tolist() == [1, 1, 1]


def test_kernels_without_gradients_are_used_in_evaluation_alone():
    p = TensorFlowPrimitives()
    with p.without_gradients():
        assert p.inferring
    assert not p.inferring
