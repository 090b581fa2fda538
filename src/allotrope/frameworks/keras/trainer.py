"""Training steps in Keras: its `train_on_batch`, with the plan's loss, optimizer and average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Arrays, Batch, Collective, Trainer, TrainingPlan
from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.keras.module import NetworkModel
from allotrope.frameworks.keras.optimizer import PlannedOptimizer
from allotrope.frameworks.primitives import Array
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.together import Together
from allotrope.frameworks.updates import averaging_share, check_state, delivered, loss_of, single
from allotrope.network.network import Network

POLICIES = {
    "float32": "float32",
    "tensorfloat32": "float32",
    "bfloat16": "mixed_bfloat16",
}
"""Keras's dtype policy for each precision."""


class LatestLoss(keras.metrics.Metric):
    """The loss of the latest batch in float64; Keras's own mean is kept in float32."""

    def __init__(self) -> None:
        """Holds 0 before the first batch."""
        super().__init__(name="loss")
        self.latest = self.add_variable(
            shape=(), initializer="zeros", dtype="float64", name="latest"
        )

    def update_state(self, loss: Array, sample_weight: Any = None) -> None:
        self.latest.assign(keras.ops.cast(loss, "float64"))

    def result(self) -> Array:
        return keras.ops.convert_to_tensor(self.latest)

    def reset_state(self) -> None:
        """The next batch replaces it."""


class PlannedModel(NetworkModel):
    """A network that is trained as its plan says.

    `averaged` holds the moving average of its weights and state.
    """

    def __init__(
        self,
        network: Network,
        plan: TrainingPlan,
        layout: str,
        dtype: str,
        collective: Collective | None = None,
    ) -> None:
        """Raises: UnsupportedError."""
        super().__init__(network, plan.seed, layout, dtype)
        self.plan, self.latest_loss = plan, LatestLoss()
        self.together = Together(collective, self.program)
        for name in plan.frozen & network.trainable:
            self.by_name[name].trainable = False
        self.averaged: NetworkModel | None = None
        if plan.averages:
            self.averaged = NetworkModel(network, plan.seed, layout, dtype)
            self.averaged.trainable = False

    @property
    def metrics(self) -> list[Any]:
        """The loss alone: the training loop measures the rest."""
        return [self.latest_loss]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Array:
        """The plan's loss, of targets `y` and weights `sample_weight` by name."""
        targets, weights = _tensors(y), _tensors(sample_weight or {})
        outputs = self.together.whole(self.named(y_pred), self.share)
        loss = loss_of(self.program.p, self.plan, outputs, targets, weights)
        if not self.above:
            self.latest_loss.update_state(loss)
        return self.together.part(loss)

    def passes(self) -> Iterator[None]:
        """One, or the plan's two: up to where the loss is highest near, then down from there."""
        if self.plan.sharpness is not None:
            self.climbing = self.optimizer.climbing = True
            yield
            self.climbing = self.optimizer.climbing = False
            self.above = True
        yield
        self.above = False
        self.optimizer.before = ()

    def after_step(self) -> None:
        """The average follows."""
        if self.averaged is None:
            return
        p = self.program.p
        followed = {name: self.array(variable) for name, variable in self.by_name.items()}
        slots = {
            name: {slot: self.array(value) for slot, value in own.items()}
            for name, own in self.optimizer.slots.items()
        }
        followed |= delivered(p, self.plan, followed, slots)
        step = p.cast(self.array(self.optimizer.iterations), np.dtype(np.float64))
        share = averaging_share(p, self.plan.average, step)
        for name, variable in self.averaged.by_name.items():
            if self.plan.average is None:
                variable.assign(followed[name])
            elif "float" in variable.dtype:
                average = self.array(variable)
                distance = p.subtract(followed[name], average)
                variable.assign(p.add(average, p.multiply(distance, share)))


class KerasTrainer(Trainer):
    """A network in training, on one device, with one set of settings."""

    def __init__(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> None:
        """Raises: UnsupportedError for operators without a meaning.

        UsageError for threads that cannot be set any more.
        """
        NetworkModel.set_threads(settings.threads)
        if settings.device == "cuda":
            self.device = "gpu:0"
        else:
            self.device = settings.device
        self._next: int | None = None
        self.precision = settings.precision
        with self._here():
            policy = POLICIES[settings.precision]
            self.model = PlannedModel(network, plan, settings.layout, policy, collective)
            self.optimizer = PlannedOptimizer(self.model, plan, self.model.together)
            compiled = settings.compiled or self.model.always_compiled
            self.model.compile(self.optimizer, jit_compile=compiled)
            if self.model.averaged is None:
                self.delivered = self.model
            else:
                self.delivered = self.model.averaged
            self.delivered.jit_compile = compiled

    @contextmanager
    def _here(self) -> Iterator[None]:
        """Within: on the trainer's device, in its precision, with every 64-bit type."""
        with NetworkModel.precisely(self.precision), keras.device(self.device):
            yield

    def step(self, batch: Batch, learning_rate: float, step: int) -> float:
        """One update; see the contract."""
        with self._here():
            if step != self._next:  # both count on by themselves
                self.model.training_step.assign(step)
                self.optimizer.iterations.assign(step - 1)
            self._next = step + 1
            self.optimizer.rate.assign(learning_rate)
            self.model.share = self.model.together.share(batch.targets)
            columns = _examples(batch.inputs), dict(batch.targets), dict(batch.weights) or None
            loss: float = self.model.train_on_batch(*columns, return_dict=True)["loss"]
            return loss

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        with self._here():
            outputs = self.delivered.predict_on_batch(_examples(inputs))
            return single(ReferencePrimitives(), self.model.named(outputs))

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        variables = self.delivered.by_name
        return {name: self.model.to_numpy(variable.value) for name, variable in variables.items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        variables = self._state_variables()
        return {name: self.model.to_numpy(variable.value) for name, variable in variables.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError if names or shapes differ."""
        variables = self._state_variables()
        check_state({name: variable.shape for name, variable in variables.items()}, state)
        with self._here():
            for name, variable in variables.items():
                variable.assign(state[name])

    def _state_variables(self) -> dict[str, Any]:
        variables = {f"weights/{n}": variable for n, variable in self.model.by_name.items()}
        for n, slots in self.optimizer.slots.items():
            variables |= {f"optimizer/{slot}/{n}": variable for slot, variable in slots.items()}
        if self.model.averaged is not None:
            averaged = self.model.averaged.by_name
            variables |= {f"average/{n}": variable for n, variable in averaged.items()}
        return variables


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Array]:
    return {name: keras.ops.convert_to_tensor(x) for name, x in arrays.items()}


def _examples(inputs: Arrays) -> dict[str, np.ndarray]:
    """The inputs as Keras wants them: each with a first axis, of which it takes the length."""
    return {name: np.atleast_1d(x) for name, x in inputs.items()}
