"""What every framework must do, as tests: inherit `FrameworkContract` and name a framework."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import TrainingError, UsageError
from allotrope.frameworks import framework as find
from allotrope.frameworks import missing
from allotrope.frameworks.contract import Batch, Trainer, TrainingPlan
from allotrope.frameworks.widening import widened
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.tasks import Classification
from allotrope.tasks.several import joint_loss
from allotrope.testing.framework_cases import (
    BATCHES,
    CORNERS,
    SEVERAL,
    TRAPS,
    several,
    several_batch,
    several_tasks,
    small,
)
from allotrope.training.plan import training_plan

TRAINED = (
    *("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"),
    *("amsgrad", "lamb", "adafactor", "muon", "schedule-free"),
)
"""Optimizers whose steps are compared within a training: those that frameworks have kernels for,
and of those over primitives each kind of slots."""
ZOO = {"mlp": (1, 8, 8), "cnn": (3, 8, 8), "resnet8": (3, 8, 8)}


class FrameworkContract:
    """The tests.

    `framework` is the name under which the framework is found; a fixture `name` that is given
    instead may go over several.
    """

    framework: ClassVar[str]

    @pytest.fixture
    def name(self) -> str:
        """The framework under test."""
        return self.framework

    @pytest.fixture(params=ZOO)
    def network(self, request: pytest.FixtureRequest) -> Network:
        """A small network of each kind."""
        return zoo.network(request.param)(classes=4, image=ZOO[request.param])

    # --- outputs and gradients

    def test_outputs_are_the_references(self, name: str, network: Network) -> None:
        inputs = {"x": _images(network)}
        _close(network.run(inputs, framework=name)["logits"], network.run(inputs)["logits"], 1e-5)

    def test_gradients_are_the_references_slopes(self, name: str, network: Network) -> None:
        wide = widened(network)
        inputs, rng = {"x": _images(wide)}, np.random.default_rng(2)
        outputs = wide.run(inputs)
        seed = rng.standard_normal(outputs["logits"].shape)
        gradients = wide.gradients(inputs, {"logits": seed}, framework=name)
        assert set(gradients) == {"x", *wide.trainable}
        direction = {n: rng.standard_normal(g.shape) for n, g in gradients.items()}

        def along(step: float) -> float:
            moved = wide.with_weights(
                {n: wide.weights[n] + step * direction[n] for n in wide.trainable}
            )
            return float(
                (moved.run({"x": inputs["x"] + step * direction["x"]})["logits"] * seed).sum()
            )

        slope = (along(1e-7) - along(-1e-7)) / 2e-7
        assert sum(float((gradients[n] * d).sum()) for n, d in direction.items()) == pytest.approx(
            slope, rel=1e-4
        )

    def test_inputs_that_do_not_fit_are_refused(self, name: str) -> None:
        network = zoo.network("mlp")(classes=4, image=ZOO["mlp"])
        with pytest.raises(UsageError, match="'x' has dtype float64 instead of float32"):
            network.run({"x": _images(network).astype(np.float64)}, framework=name)

    # --- native models

    def test_weights_come_back_from_the_native_model(self, name: str, network: Network) -> None:
        emptied = network.with_weights(
            {n: np.zeros_like(array) for n, array in network.weights.items()}
        )
        back = emptied.with_weights_from(network.to(name))
        assert list(back.weights) == list(network.weights)
        for weight, array in network.weights.items():
            np.testing.assert_array_equal(back.weights[weight], array, err_msg=weight)
            assert back.weights[weight].dtype == array.dtype

    # --- training

    @pytest.mark.parametrize("optimizer", TRAINED)
    def test_twenty_steps_are_pytorchs(self, name: str, optimizer: str) -> None:
        _needs("pytorch")
        mine, other = (
            _trainer(which, optimizer=optimizer, average=0.9, clip_norm=1.0, bias_scale=2.0)
            for which in (name, "pytorch")
        )
        np.testing.assert_allclose(_losses(mine, 1, 20), _losses(other, 1, 20), rtol=1e-5)
        _assert_same(mine.state(), other.state(), 1e-5)
        _assert_same(mine.weights(), other.weights(), 1e-5)
        answers, expected = mine.evaluate(BATCHES[0].inputs), other.evaluate(BATCHES[0].inputs)
        assert set(answers) == {"logits"}
        _close(answers["logits"], expected["logits"], 1e-5)

    def test_wrapped_optimizers_train_as_in_pytorch(self, name: str) -> None:
        _needs("pytorch")
        wrapped = {"lookahead": 2, "accumulate": 3, "centralize": True}
        mine, other = (_trainer(which, optimizer="adamw", **wrapped) for which in (name, "pytorch"))
        np.testing.assert_allclose(_losses(mine, 1, 8), _losses(other, 1, 8), rtol=1e-5)
        resumed = _trainer(name, optimizer="adamw", **wrapped)
        resumed.load_state(mine.state())
        np.testing.assert_array_equal(_losses(resumed, 9, 12), _losses(mine, 9, 12))
        _assert_same(resumed.state(), mine.state(), 0)

    def test_gradients_are_taken_where_the_loss_is_highest_near(self, name: str) -> None:
        _needs("pytorch")
        sharp = {"optimizer": "momentum", "sam": 0.5, "average": 0.9, "clip_norm": 1.0}
        mine, other = (_trainer(which, **sharp) for which in (name, "pytorch"))
        # The loss that is told is that of the weights, and statistics are of the first pass.
        np.testing.assert_allclose(_losses(mine, 1, 4), _losses(other, 1, 4), rtol=1e-5)
        _assert_same(mine.state(), other.state(), 1e-5)

    def test_several_inputs_and_tasks_train_as_in_pytorch(self, name: str) -> None:
        _needs("pytorch")
        mine, other = (_several(which) for which in (name, "pytorch"))
        batches = [several_batch(step) for step in range(1, 7)]
        losses, expected = (
            [float(each.step(batch, 0.05, step)) for step, batch in enumerate(batches, 1)]
            for each in (mine, other)
        )
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        _assert_same(mine.state(), other.state(), 1e-5)
        answers, wanted = (each.evaluate(batches[0].inputs) for each in (mine, other))
        assert {n: y.shape for n, y in answers.items()} == {n: (8, k) for n, k in SEVERAL.items()}
        for task in SEVERAL:
            _close(answers[task], wanted[task], 1e-5)

    def test_a_label_that_is_missing_teaches_nothing(self, name: str) -> None:
        batch = several_batch(1)
        other = {
            task: np.where(batch.weights[task][:, None] == 0, 1 - target, target)
            for task, target in batch.targets.items()
        }
        changed = replace(batch, targets=other)
        assert all(not np.array_equal(other[task], batch.targets[task]) for task in SEVERAL)
        first, second = (_several(name) for _ in range(2))
        assert float(first.step(batch, 0.1, 1)) == float(second.step(changed, 0.1, 1))
        for key, array in second.weights().items():
            np.testing.assert_array_equal(first.weights()[key], array, err_msg=key)

    def test_a_checkpoint_of_one_framework_resumes_in_another(self, name: str) -> None:
        _needs("pytorch")
        for first, second in ((name, "pytorch"), ("pytorch", name)):
            options = {"optimizer": "adam", "average": 0.9}
            begun, resumed = _trainer(first, **options), _trainer(second, **options)
            _losses(begun, 1, 3)
            resumed.load_state(begun.state())
            np.testing.assert_allclose(_losses(resumed, 4, 6), _losses(begun, 4, 6), rtol=1e-5)
            _assert_same(resumed.state(), begun.state(), 1e-5)

    def test_a_checkpoint_that_does_not_fit_is_refused_by_name(self, name: str) -> None:
        begun = _trainer(name, optimizer="sgd")
        with pytest.raises(TrainingError, match=r"optimizer/velocity/conv\.weight"):
            _trainer(name, optimizer="momentum").load_state(begun.state())

    def test_frozen_weights_stay(self, name: str) -> None:
        network = small()
        plan = _plan(network, Recipe(epochs=1), frozen=frozenset({"conv.weight"}))
        frozen = find(name).trainer(network, plan, Settings())
        _losses(frozen, 1, 2)
        np.testing.assert_array_equal(
            frozen.weights()["conv.weight"], network.weights["conv.weight"]
        )
        assert not np.array_equal(frozen.weights()["fc.weight"], network.weights["fc.weight"])

    def test_bfloat16_computes_the_same_network(self, name: str) -> None:
        network = small()
        plan = _plan(network, Recipe(epochs=1))
        options = next(
            s for s in find(name).settings() if s.device == "cpu" and s.precision == "bfloat16"
        )
        narrow, full = (
            find(name).trainer(network, plan, options),
            _trainer(name, optimizer="nesterov"),
        )
        answers, expected = (each.evaluate(BATCHES[0].inputs)["logits"] for each in (narrow, full))
        np.testing.assert_allclose(answers, expected, atol=0.1)
        assert answers.dtype == np.float32
        assert all(array.dtype == network.weights[n].dtype for n, array in narrow.weights().items())

    def test_other_devices_train_as_the_cpu_does(self, name: str) -> None:
        others = [s for s in find(name).settings() if s.device != "cpu" and not s.compiled]
        others = others or [s for s in find(name).settings() if s.device != "cpu"]
        if not others:
            pytest.skip("there is no device but the CPU")
        options = {"optimizer": "momentum", "clip_norm": 1.0}
        expected = _trainer_on(name, Settings(), options)
        losses = _losses(expected, 1, 20)
        for settings in others:
            allowed = 1e-5 if settings.precision == "float32" else 0.05
            mine = _trainer_on(name, settings, options)
            np.testing.assert_allclose(_losses(mine, 1, 20), losses, rtol=allowed)
            if settings.precision == "float32":
                _assert_same(mine.state(), expected.state(), 1e-5)

    def test_answers_may_be_asked_for_before_the_first_step(self, name: str) -> None:
        b = Builder()
        weight = b.weight("weight", np.ones(4, np.float32))
        scaled = b.add("Mul", [weight, b.constant(np.float32(3))])
        b.output(b.add("Mul", [b.input("x", "float32", ("n", 1)), scaled]), "logits")
        trainer = find(name).trainer(b.network(), _plan(b.network(), Recipe(epochs=1)), Settings())
        x = np.ones((2, 1), np.float32)
        np.testing.assert_array_equal(trainer.evaluate({"x": x})["logits"], np.full((2, 4), 3))
        targets = {"logits": np.eye(4, dtype=np.float32)[:2]}
        np.testing.assert_allclose(trainer.step(Batch({"x": x}, targets), 0.0, 1), np.log(4), 1e-6)

    def test_settings_begin_with_float32_and_end_with_the_cpu(self, name: str) -> None:
        every = find(name).settings()
        assert every[0].precision == "float32" and every[-1].device == "cpu"
        assert not every[0].compiled or all(settings.compiled for settings in every)

    # --- what frameworks disagree about: one small network each, and what it must give

    def test_batch_statistics_are_kept_as_onnx_says(self, name: str) -> None:
        b = Builder()
        values = {"scale": 1.0, "bias": 0.0, "mean": 0.5, "variance": 2.0}
        weights = [
            b.weight(n, np.full(2, v, np.float32), trainable=n in ("scale", "bias"))
            for n, v in values.items()
        ]
        y = b.add(
            "BatchNormalization", [b.input("x", "float32", ("n", 2)), *weights], {"momentum": 0.75}
        )
        b.output(y, "logits")
        x = np.array([[1, 2], [3, 8]], np.float32)
        trainer = find(name).trainer(b.network(), _plan(b.network(), Recipe(epochs=1)), Settings())
        float(trainer.step(Batch({"x": x}, {"logits": np.eye(2, dtype=np.float32)}), 0.0, 1))
        delivered = trainer.weights()
        np.testing.assert_allclose(delivered["mean"], 0.75 * 0.5 + 0.25 * x.mean(0), rtol=1e-6)
        np.testing.assert_allclose(
            delivered["variance"], 0.75 * 2 + 0.25 * x.var(0), rtol=1e-5
        )  # divided by n, not n - 1

    def test_dropout_masks_are_the_same_bits(self, name: str) -> None:
        b = Builder()
        b.output(
            b.add("Dropout", [b.input("x", "float32", ("n", 50)), b.constant(np.float32(0.3))]), "y"
        )
        built, x = b.network(), np.ones((40, 50), np.float32)
        dropped, expected = (
            find(f).run(built, {"x": x}, training=True)["y"] for f in (name, "reference")
        )
        np.testing.assert_array_equal(dropped != 0, expected != 0)
        assert set(np.unique(dropped)) == {np.float32(0), np.unique(dropped)[-1]}
        assert dropped.max() == pytest.approx(1 / 0.7)
        assert 0.25 < (dropped == 0).mean() < 0.35

    def test_a_shared_weight_gets_the_sum_of_its_gradients(self, name: str) -> None:
        b = Builder()
        w = b.weight("w", np.array([2.0, 3.0], np.float32))
        b.output(b.add("Add", [b.add("Mul", [b.input("x", "float32", ("n", 2)), w]), w]), "y")
        x = np.array([[1, 10], [2, 20]], np.float32)
        np.testing.assert_array_equal(
            b.network().gradients({"x": x}, {"y": np.ones_like(x)}, framework=name)["w"], [5, 32]
        )

    @pytest.mark.parametrize("trap", TRAPS)
    def test_traps(self, name: str, trap: str) -> None:
        operator, arrays, attributes, expected = TRAPS[trap]
        b = Builder()
        b.output(
            b.add(
                operator,
                [b.input(f"x{i}", a.dtype, a.shape) for i, a in enumerate(arrays)],
                attributes,
            ),
            "y",
        )
        answer = b.network().run({f"x{i}": a for i, a in enumerate(arrays)}, framework=name)["y"]
        np.testing.assert_allclose(answer, expected, rtol=1e-6)

    @pytest.mark.parametrize("mode", CORNERS)
    def test_corners_are_aligned_only_where_asked(self, name: str, mode: str) -> None:
        values, expected = CORNERS[mode]
        b = Builder()
        sizes = b.constant(np.array([4]))
        options = {"mode": "linear", "coordinate_transformation_mode": mode}
        b.output(b.add("Resize", [b.input("x", "float32", (2,)), "", "", sizes], options), "y")
        np.testing.assert_allclose(
            b.network().run({"x": np.array(values, np.float32)}, framework=name)["y"],
            expected,
            rtol=1e-6,
        )


def _images(network: Network, count: int = 4) -> np.ndarray:
    (x,) = network.inputs
    lengths = [length for length in x.shape or () if isinstance(length, int)]  # all but the batch
    return np.random.default_rng(1).standard_normal((count, *lengths)).astype(x.dtype)


def _close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)


def _needs(name: str) -> None:
    reason = missing(name)
    if reason is not None:
        pytest.skip(reason)


def _plan(network: Network, recipe: Recipe, frozen: frozenset[str] = frozenset()) -> TrainingPlan:
    """To learn classes by the network's one output."""
    tasks = [
        Classification(name=value.name, classes=("a", "b", "c", "d")) for value in network.outputs
    ]
    return training_plan(network, recipe, joint_loss(tasks), frozen)


def _several(name: str) -> Trainer:
    recipe = Recipe(epochs=1, optimizer="momentum", weight_decay=1e-2, seed=7)
    plan = training_plan(several(), recipe, several_tasks())
    return find(name).trainer(several(), plan, Settings())


def _trainer(name: str, **options: Any) -> Trainer:
    return _trainer_on(name, Settings(), options)


def _trainer_on(name: str, settings: Settings, options: dict[str, Any]) -> Trainer:
    options = {"weight_decay": 1e-2, "epsilon": 1e-3, "seed": 7, "epochs": 1, **options}
    return find(name).trainer(small(), _plan(small(), Recipe(**options)), settings)


def _losses(trainer: Trainer, first: int, last: int, rate: float = 0.01) -> list[float]:
    return [float(trainer.step(BATCHES[step - 1], rate, step)) for step in range(first, last + 1)]


def _assert_same(
    actual: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float
) -> None:
    assert sorted(actual) == sorted(expected)
    for key, array in expected.items():
        np.testing.assert_allclose(actual[key], array, rtol=tolerance, atol=tolerance, err_msg=key)
