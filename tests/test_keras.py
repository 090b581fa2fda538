"""What is Keras's own: models that Keras trains, its engines, its dtype policies.

The tests run on the engine that KERAS_BACKEND names; the last one runs them again, each time in a
process of its own, on the others.
"""

import os
import sys

import numpy as np
import pytest

from allotrope import frameworks, networks
from allotrope.config import Recipe, Settings
from allotrope.errors import MissingDependencyError, UnsupportedError, UsageError
from allotrope.frameworks import framework, missing
from allotrope.frameworks.keras.keras_engine import ENGINES, engine
from allotrope.frameworks.widening import widened
from allotrope.network.build import Builder
from alone import check_alone
from planned import batch_for, planned
from shrunk import fit

if missing("keras"):
    pytest.skip(missing("keras"), allow_module_level=True)

IMAGE = (3, 8, 8)
LEARNED = ("weight", "bias")


@pytest.fixture(scope="module")
def keras():
    framework("keras")
    from allotrope.frameworks.keras.importing import keras

    return keras


def network(name="resnet8"):
    return networks.NETWORKS[name](classes=4, image=IMAGE)


def residual_block():
    """What resnet8 is made of, once, so that engines compile it in a tenth of the time."""
    rng, b = np.random.default_rng(5), Builder("block")

    def weight(name, *shape, scale=0.2):
        return b.weight(name, (scale * rng.standard_normal(shape)).astype(np.float32))

    def normalized(x, name):
        values = {"weight": 1.0, "bias": 0.1, "running_mean": 0.2, "running_var": 1.5}
        statistics = [
            b.weight(f"{name}.{part}", np.full(8, value, np.float32), trainable=part in LEARNED)
            for part, value in values.items()
        ]
        return b.add("BatchNormalization", [x, *statistics], {"momentum": 0.9})

    same = {"pads": (1, 1, 1, 1)}
    x = b.add("Conv", [b.input("x", "float32", ("n", *IMAGE)), weight("conv1", 8, 3, 3, 3)], same)
    x = b.add("Relu", [normalized(x, "bn1")])
    y = normalized(b.add("Conv", [x, weight("conv2", 8, 8, 3, 3)], same), "bn2")
    x = b.add("Flatten", [b.add("Relu", [b.add("Add", [x, y])])])
    head = [weight("fc.weight", 4, 512, scale=0.03), weight("fc.bias", 4)]
    b.output(b.add("Gemm", [x, *head], {"transB": 1}), "logits")
    return b.network()


def images(count=10, dtype=np.float32):
    return np.random.default_rng(0).standard_normal((count, *IMAGE)).astype(dtype)


def targets(count=10, dtype=np.float32):
    return np.eye(4, dtype=dtype)[np.arange(count) % 4]


def to_numpy(y):
    return y.detach().cpu().numpy() if hasattr(y, "detach") else np.asarray(y)


def compiled(keras, model, **options):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss, metrics=["accuracy"], **options)
    return model


def of_one_operator(operator, *arrays, outputs=None, **attributes):
    b = Builder()
    made = b.add(
        operator,
        [b.input(f"x{i}", a.dtype, ("n", *a.shape[1:])) for i, a in enumerate(arrays)],
        attributes,
        outputs=outputs,
    )
    for i, y in enumerate([made] if outputs is None else made):
        b.output(y, f"y{i}")
    return b.network()


# --- the native model


def test_it_is_a_keras_model_with_the_weights_by_path(keras):
    before = residual_block()
    model = before.to("keras")
    assert isinstance(model, keras.Model)
    paths = {
        variable.path.partition("/")[2].replace("/", ".") for variable in model.trainable_variables
    }
    assert paths == before.trainable
    assert {id(v) for v in model.by_name.values()} == {id(v) for v in model.variables} - {
        id(model.training_step)
    }
    np.testing.assert_allclose(
        to_numpy(model(images())), before.run({"x": images()})["logits"], atol=1e-5
    )


def test_a_name_that_is_no_path_still_comes_back(keras):
    b = Builder()
    y = b.input("x", "float32", (2,))
    names = ("a", "a.b", "a/b", "/a/b", "..", "training_step", "weights.0")
    for name in names:
        y = b.add("Add", [y, b.weight(name, np.full(2, len(name), np.float32))])
    b.output(y, "y")
    model = b.network().to("keras")
    assert set(framework("keras").weights_of(model)) == set(names)
    assert len({variable.path for variable in model.variables}) == len(names) + 1
    np.testing.assert_array_equal(
        to_numpy(model(np.zeros(2, np.float32))), np.full(2, sum(map(len, names)))
    )
    assert keras.Sequential([model]).weights


def test_gradients_are_those_of_the_network(keras):
    before = network("mlp")
    x = images()
    y = np.random.default_rng(1).standard_normal((10, 4)).astype(np.float32)
    model = before.to("keras")
    model.compile(
        keras.optimizers.SGD(1.0), loss=lambda target, logits: keras.ops.sum(target * logits, -1)
    )
    model.train_on_batch(x, y)
    changed = framework("keras").weights_of(model)
    expected = before.gradients({"x": x}, {"logits": y / 10}, framework="keras")
    for name in before.trainable:
        np.testing.assert_allclose(
            before.weights[name] - changed[name], expected[name], atol=1e-5, err_msg=name
        )


def test_weights_are_read_before_they_are_assigned(keras):
    if engine() != "tensorflow":
        pytest.skip("TensorFlow alone orders reading and assigning itself")
    import tensorflow as tf

    model = compiled(keras, network("mlp").to("keras"))
    model.optimizer.build(model.trainable_variables)
    traced = tf.function(model.train_step, autograph=False).get_concrete_function(
        (tf.constant(images()), tf.constant(targets()))
    )
    kinds = {operation.type for operation in traced.graph.get_operations()}
    assert "AssignSubVariableOp" in kinds
    assert "IdentityN" not in kinds  # over which Grappler loses the order


def test_keras_fits_evaluates_and_predicts(keras):
    before, x, y = residual_block(), images(), targets()
    model = compiled(keras, before.to("keras"))
    history = model.fit(
        x, y, batch_size=4, epochs=6, verbose=0
    ).history  # the last batch has 2 images
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert int(to_numpy(keras.ops.convert_to_tensor(model.training_step))) == 18
    trained = before.with_weights_from(model)
    for name, array in trained.weights.items():
        assert not np.array_equal(array, before.weights[name]), name
    logits = model.predict(x, batch_size=4, verbose=0)
    np.testing.assert_allclose(logits, trained.run({"x": x})["logits"], atol=1e-4)
    accuracy = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)["accuracy"]
    assert accuracy == pytest.approx((logits.argmax(-1) == y.argmax(-1)).mean())


def test_eager_and_compiled_are_the_same(keras):
    eager, graph = (
        compiled(keras, residual_block().to("keras"), run_eagerly=e) for e in (True, False)
    )
    for _ in range(3):
        assert eager.train_on_batch(images(), targets())[0] == pytest.approx(
            graph.train_on_batch(images(), targets())[0], rel=1e-4
        )


def test_weights_are_saved_and_loaded(keras, tmp_path):
    model = network().to("keras")
    other = networks.NETWORKS["resnet8"](classes=4, image=IMAGE, seed=1).to("keras")
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(to_numpy(model(images())), to_numpy(other(images())))


def test_a_variable_that_is_not_trainable_stays(keras):
    model = network("mlp").to("keras")
    frozen, *rest = model.trainable_variables
    frozen.trainable = False
    before = [to_numpy(keras.ops.convert_to_tensor(v)).copy() for v in (frozen, *rest)]
    compiled(keras, model).fit(images(), targets(), verbose=0)
    after = [to_numpy(keras.ops.convert_to_tensor(v)) for v in (frozen, *rest)]
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True] + [
        False
    ] * len(rest)


def test_dropout_draws_another_mask_each_step(keras):
    b = Builder()
    b.output(
        b.add("Dropout", [b.input("x", "float32", ("n", 50)), b.constant(np.float32(0.3))]), "y"
    )
    model, x = b.network().to("keras"), np.ones((8, 50), np.float32)
    first, second = (to_numpy(model(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(to_numpy(model(x)), x)
    np.testing.assert_array_equal(
        first != 0, framework("reference").run(b.network(), {"x": x}, training=True)["y"] != 0
    )
    assert not np.array_equal(first, second)


# --- inputs


def test_several_inputs_and_outputs(keras):
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [5.0]], np.float32)
    difference = of_one_operator("Sub", x, y).to("keras")
    split = of_one_operator(
        "Split", np.ones((2, 4), np.float32), outputs=2, axis=1, num_outputs=2
    ).to("keras")
    for inputs in ([x, y], {"x1": y, "x0": x}):
        np.testing.assert_array_equal(to_numpy(difference(inputs)), x - y)
    assert [to_numpy(part).shape for part in split(np.ones((2, 4), np.float32))] == [(2, 2), (2, 2)]
    with pytest.raises(UsageError, match=r"Found: 1; expected: x0, x1"):
        difference(x)
    with pytest.raises(UsageError, match=r"Found: x0, z; expected: x0, x1"):
        difference({"x0": x, "z": y})
    with pytest.raises(UsageError, match="'x0' has dtype int32 instead of float32"):
        difference([x.astype(np.int32), y])


def test_a_batch_of_unknown_size(keras):
    model, unknown = network("cnn").to("keras"), keras.Input(IMAGE)
    if engine() != "tensorflow":
        assert tuple(model(unknown).shape) == (None, 4)
        return
    with pytest.raises(UnsupportedError, match="static shapes"):
        model(unknown)
    inputs = keras.Input(batch_shape=(10, *IMAGE))
    whole = keras.Model(inputs, keras.layers.Softmax()(model(inputs)))
    np.testing.assert_allclose(to_numpy(whole(images())).sum(-1), 1, rtol=1e-5)


# --- dtypes


def test_the_policy_mixed_bfloat16_narrows(keras):
    plain = to_numpy(network("cnn").to("keras")(images()))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        narrow = keras.ops.cast(network("cnn").to("keras")(images()), "float32")
        keras.config.set_dtype_policy("mixed_float16")
        with pytest.raises(UnsupportedError, match="mixed_float16"):
            network().to("keras")
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(to_numpy(narrow), plain, atol=0.1)
    assert not np.array_equal(to_numpy(narrow), plain)


def test_a_weight_of_a_dtype_that_keras_lacks(keras):
    b = Builder()
    b.output(
        b.add("Add", [b.input("x", "complex64", (2,)), b.weight("w", np.ones(2, np.complex64))]),
        "y",
    )
    with pytest.raises(UnsupportedError, match=r"'w' \(complex64\)"):
        b.network().to("keras")


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_float64_is_trained_in_float64(optimizer):
    if missing("pytorch"):
        pytest.skip(missing("pytorch"))
    wide = widened(residual_block())
    plan = planned(
        wide,
        Recipe(epochs=1, optimizer=optimizer, average=0.9, clip_norm=1.0, weight_decay=1e-2),
        np.ones(4),
    )
    mine, other = (framework(name).trainer(wide, plan, Settings()) for name in ("keras", "pytorch"))
    x, y = images(dtype=np.float64), targets(dtype=np.float64)
    for step in range(1, 6):
        batch = batch_for(wide, x, y)
        losses = [float(trainer.step(batch, 0.01 * step, step)) for trainer in (mine, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    state, expected = mine.state(), other.state()
    assert state.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(state[name], array, rtol=1e-7, atol=1e-9, err_msg=name)


# --- engines


def test_settings_that_the_engine_lacks_are_refused():
    mlp, plan = network("mlp"), planned(network("mlp"), Recipe(epochs=1), np.ones(4))
    assert any(s.compiled for s in framework("keras").settings()) == (engine() != "torch")
    if engine() == "torch":
        with pytest.raises(UnsupportedError, match="use pytorch"):
            framework("keras").trainer(mlp, plan, Settings(compiled=True))


def test_the_run_says_which_engine(tmp_path):
    run = fit("digits", framework="keras", network="mlp", epochs=1, out=tmp_path, quiet=True)
    assert run.json["framework"] == "keras"
    assert run.json["engine"] == engine()
    assert run.json["test"]["accuracy"] > 0.5
    assert "Keras on" in (tmp_path / "digits-1" / "report.html").read_text()


@pytest.fixture
def not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    return monkeypatch


def test_tensorflow_is_the_engine_if_none_is_named(not_loaded):
    not_loaded.delenv("KERAS_BACKEND", raising=False)
    assert engine() == "tensorflow"


def test_an_unknown_engine_is_refused(not_loaded):
    not_loaded.setenv("KERAS_BACKEND", "tensorfow")
    with pytest.raises(
        MissingDependencyError,
        match=r"KERAS_BACKEND\) 'tensorfow'\. Did you mean 'tensorflow'\? Known: jax",
    ):
        frameworks.framework.__wrapped__("keras")


def test_an_engine_that_is_missing_comes_with_its_command(not_loaded):
    not_loaded.setenv("KERAS_BACKEND", "jax")
    not_loaded.setitem(frameworks.FRAMEWORKS, "jax", "no_such_package")
    with pytest.raises(
        MissingDependencyError, match=r"Keras runs on jax here .* pip install 'allotrope\[jax\]'"
    ):
        frameworks.framework.__wrapped__("keras")


STEPS = "test_twenty_steps_are_pytorchs and (adafactor or schedule-free)"
"""Of slots of other shapes than the weights', and of weights that are not those that answer.

Engines keep variables and hand them on; what an optimizer computes of them is in the primitives,
which are those of the framework of the same name and are tested there.
"""
CONTRACT = (
    f"({STEPS}) or test_a_checkpoint or test_frozen or test_bfloat16 or "
    "test_weights_come_back or statistics"
)
TWICE = "eager_and_compiled or (test_float64 and adamw)"
"""What says nothing of an engine that the others do not say."""


@pytest.mark.skipif(
    "ALLOTROPE_OTHER_ENGINE" in os.environ, reason="this is the run on another engine"
)
@pytest.mark.parametrize("other", [name for name in ENGINES if name != engine()])
def test_the_other_engines(other):
    if missing(ENGINES[other]):
        pytest.skip(missing(ENGINES[other]))
    check_alone(
        ["test_keras.py", "test_framework_contract.py"],
        f"(test_keras or {CONTRACT}) and not ({TWICE})",
        KERAS_BACKEND=other,
        ALLOTROPE_OTHER_ENGINE="1",
        ALLOTROPE_TEST_FRAMEWORKS="keras",
    )
