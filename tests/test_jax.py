"""What is JAX's own: 64-bit types, values that are not known while tracing.

And nnx modules trained by a user.
"""

import numpy as np
import pytest

from allotrope import networks
from allotrope.errors import UnsupportedError
from allotrope.frameworks import framework
from allotrope.frameworks.jax.releases import (
    WRONG_ON_CPUS,
    flags,
    sooner_compiled,
    warn_of_wrong_results,
)
from allotrope.frameworks.widening import widened
from allotrope.network.build import Builder
from alone import check_alone

jax = pytest.importorskip("jax")
jaxlib = pytest.importorskip("jaxlib")
nnx = pytest.importorskip("flax.nnx")
optax = pytest.importorskip("optax")


def network():
    return networks.NETWORKS["mlp"](classes=3, image=(1, 4, 4))


def inputs(count=8):
    return np.random.default_rng(0).standard_normal((count, 1, 4, 4)).astype(np.float32)


def test_64_bits_are_right_and_the_users_setting_stays():
    b = Builder()
    b.output(b.add("Add", [b.input("x", "float64", ("n",)), b.input("y", "float64", ("n",))]), "z")
    z = b.network().run({"x": np.array([1.0]), "y": np.array([2.0**-50])}, framework="jax")["z"]
    assert z[0] == 1 + 2.0**-50
    assert not jax.config.jax_enable_x64


def test_a_native_model_of_float64_asks_for_the_setting():
    with pytest.raises(UnsupportedError, match="jax_enable_x64"):
        widened(network()).to("jax")
    with jax.enable_x64(True):
        assert widened(network()).to("jax")(inputs().astype(np.float64)).dtype == np.float64


def test_variables_are_named_as_the_weights():
    network = networks.NETWORKS["resnet8"](classes=3, image=(3, 8, 8))
    state = nnx.to_flat_state(nnx.state(network.to("jax"), nnx.Any(nnx.Param, nnx.BatchStat)))
    assert {".".join(path) for path, _ in state} == set(network.weights)
    assert {".".join(path) for path, v in state if isinstance(v, nnx.Param)} == network.trainable


def test_a_name_that_is_no_path_still_comes_back():
    b = Builder()
    y = b.input("x", "float32", (2,))
    for name in ("a", "a.b", "train", "..", "paths.0"):
        y = b.add("Add", [y, b.weight(name, np.full(2, len(name), np.float32))])
    b.output(y, "y")
    model = b.network().to("jax")
    assert set(framework("jax").weights_of(model)) == {"a", "a.b", "train", "..", "paths.0"}
    np.testing.assert_array_equal(model(np.zeros(2, np.float32)), [18, 18])


def test_a_user_trains_the_native_model():
    model, x, labels = network().to("jax"), inputs(), np.arange(8) % 3
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        def loss_of(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()

        loss, gradients = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradients)
        return loss

    model.train()
    losses = [float(step(model, optimizer)) for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
    assert int(model.training_step.get_value()) == 15
    model.eval()
    trained = network().with_weights_from(model)
    # How a native model rounds is the user's to say.
    with jax.default_matmul_precision("highest"):
        np.testing.assert_allclose(model(x), trained.run({"x": x})["logits"], atol=1e-5)


def test_values_that_steer_shapes_run_without_compiling():
    b = Builder()
    b.output(
        b.add("Transpose", [b.add("NonZero", [b.add("Relu", [b.input("x", "float32", ("n",))])])]),
        "y",
    )
    y = b.network().run({"x": np.array([-1, 2, 0, 3], np.float32)}, framework="jax")["y"]
    np.testing.assert_array_equal(y, [[1], [3]])


def test_a_shape_as_input_is_made_known():
    b = Builder()
    b.output(
        b.add("Reshape", [b.input("x", "float32", (6,)), b.input("shape", "int64", (2,))]), "y"
    )
    values = {"x": np.arange(6, dtype=np.float32), "shape": np.array([2, 3])}
    assert b.network().run(values, framework="jax")["y"].shape == (2, 3)
    assert (
        b.network()
        .gradients(values, {"y": np.ones((2, 3), np.float32)}, framework="jax")["x"]
        .tolist()
        == [1] * 6
    )


def test_a_gradient_that_numpy_would_cut_off_is_refused():
    b = Builder()
    b.output(
        b.add(
            "Resize",
            [b.input("x", "float32", (2,)), "", b.input("scales", "float32", (1,))],
            {"mode": "linear"},
        ),
        "y",
    )
    values = {"x": np.ones(2, np.float32), "scales": np.full(1, 2, np.float32)}
    with pytest.raises(UnsupportedError, match="no gradient by scales"):
        b.network().gradients(values, {"y": np.ones(4, np.float32)}, framework="jax")


def test_the_trainer_is_always_compiled():
    assert all(s.compiled for s in framework("jax").settings())


def constant_weights(activation):
    """A convolution with constant weights, the mean of each channel times 1e9, an activation."""
    b = Builder()
    kernel = b.add("Expand", [b.constant(np.float32(1e-3)), b.constant(np.array([100, 64, 1, 1]))])
    y = b.add(
        "GlobalAveragePool", [b.add("Conv", [b.input("x", "float32", ("n", 64, 13, 13)), kernel])]
    )
    b.output(b.add(activation, [b.add("Mul", [y, b.constant(np.float32(1e11))])], {"axis": 1}), "y")
    return b.network()


@pytest.mark.parametrize("activation", ["Softmax", "LogSoftmax"])
def test_what_the_compiler_joins_stays_right(activation):
    x = np.random.default_rng(0).random((2, 64, 13, 13), np.float32)
    y = constant_weights(activation).run({"x": x}, framework="jax")["y"]
    np.testing.assert_allclose(
        y, np.full_like(y, 0.01 if activation == "Softmax" else np.log(0.01)), rtol=1e-6
    )


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
def test_softmax_is_that_of_jax_with_its_derivatives(function):
    from allotrope.frameworks.jax import softmax as jax_softmax

    ours, theirs = getattr(jax_softmax, function), getattr(jax.nn, function)
    x = jax.numpy.asarray(np.random.default_rng(0).standard_normal((3, 5)))
    for rows in (
        x,
        x.at[0].set(-np.inf),
        x.at[1, 2].set(np.inf),
        x.at[2, :4].set(-np.inf),
        x.at[0, 0].set(np.nan),
        x[:, :0],
    ):
        np.testing.assert_allclose(ours(rows, 1), theirs(rows, 1), rtol=1e-5)
    second = [jax.jacfwd(jax.jacrev(lambda x, f=f: f(x, 1)))(x) for f in (ours, theirs)]
    np.testing.assert_allclose(*second, atol=1e-6)


def test_releases_with_wrong_results_are_named(recwarn):
    warn_of_wrong_results("0.10.1")
    assert not recwarn
    for release in WRONG_ON_CPUS:
        with pytest.warns(
            RuntimeWarning, match=rf"jaxlib {release} .* pip install 'jaxlib!=0\.10\.2"
        ):
            warn_of_wrong_results(release)


@pytest.mark.parametrize(
    ("release", "older"),
    [("0.8.0", True), ("0.10.1", True), ("0.11.0", True), ("0.11.1", False), ("1.0.0rc1", False)],
)
def test_xla_is_told_only_what_its_release_knows(release, older):
    assert ("xla_cpu_use_fusion_emitters" in sooner_compiled(release)) == older
    assert ("fusion_emitters=false" in flags(release, 0)) == older
    assert flags(release, 1).endswith("--xla_backend_optimization_level=1")


def test_without_jaxlib_nothing_is_known():
    assert sooner_compiled(None) == {}


def test_this_release_knows_what_it_is_told():
    options = sooner_compiled(jaxlib.__version__)
    assert jax.jit(lambda x: x + 1, compiler_options=options)(1) == 2


NONE, SOME = ((0, 0), (0, 0)), ((1, 0), (0, 1))


@pytest.mark.parametrize(
    ("sides", "strides", "pads"),
    [
        ((2, 2), (2, 2), NONE),
        ((3, 3), (2, 2), SOME),
        ((3, 3), (1, 1), NONE),
        ((3, 4), (3, 2), SOME),
        ((1, 2), (2, 5), NONE),
        ((5, 5), (1, 1), SOME),
    ],
)
def test_the_gradient_of_a_maximum_is_that_of_jax(sides, strides, pads):
    from allotrope.frameworks.jax import pooling as jax_pooling

    window = jax_pooling.PoolingWindow(sides, strides, pads, float("-inf"))
    with_equals = np.random.default_rng(0).integers(0, 4, (2, 9, 7, 3))
    x = jax.numpy.asarray(with_equals, np.float32)
    ours, pull = jax.vjp(lambda x: jax_pooling.largest(x, 1, window), x)
    theirs, expected = jax.vjp(lambda x: jax_pooling.reduced(jax.lax.max, x, 1, window), x)
    np.testing.assert_array_equal(ours, theirs)
    seed = np.random.default_rng(1).standard_normal(ours.shape).astype(np.float32)
    np.testing.assert_allclose(pull(seed)[0], expected(seed)[0], atol=1e-6)


def test_a_maximum_of_nan_has_a_gradient():
    from allotrope.frameworks.jax import pooling as jax_pooling

    window = jax_pooling.PoolingWindow((2,), (2,), ((0, 0),), float("-inf"))
    x = jax.numpy.asarray([[[np.nan, 1.0]]])
    y, pull = jax.vjp(lambda x: jax_pooling.largest(x, 2, window), x)
    assert np.isnan(y).all()
    np.testing.assert_array_equal(pull(np.ones_like(y))[0], [[[1, 0]]])


def test_it_learns_as_others_with_code_that_xla_optimized():
    """As users have it; the other tests do without, for their time (`conftest.py`)."""
    check_alone(
        ["test_framework_contract.py"],
        "twenty_steps and adafactor",
        XLA_FLAGS="",
        ALLOTROPE_TEST_FRAMEWORKS="jax",
    )
