"""Training steps in JAX: one compiled function from weights, slots and a batch to new weights and slots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Trainer, TrainingPlan
from allotrope.frameworks.jax.primitives import JaxPrimitives, to_array, to_numpy
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.updates import check_state, clipped, updated
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program

Arrays = dict[str, jax.Array]
NARROW = {"float32": None, "bfloat16": np.dtype(ml_dtypes.bfloat16)}


class JaxTrainer(Trainer):
    """A network in training, on one device, with one set of settings. Always compiled; JAX alone decides on threads and layout."""

    def __init__(self, network: Network, plan: TrainingPlan, settings: Settings) -> None:
        """Raises: UnsupportedError for operators without a meaning."""
        self.plan, self.device = plan, jax.devices(settings.device)[0]
        self.p = JaxPrimitives(NARROW[settings.precision])
        self.program = Program(lowered(network), self.p, ReferencePrimitives())
        self.input_name = network.inputs[0].name
        self.names = tuple(network.weights)
        with self._here():
            weights = {name: to_array(array) for name, array in network.weights.items()}
            self.learning = {n: w for n, w in weights.items() if n in network.trainable - plan.frozen}
            self.fixed = {n: w for n, w in weights.items() if n not in self.learning}
            self.slots = {n: plan.optimizer.slots(self.p, w) for n, w in self.learning.items()}
            self.averaged = {n: jnp.copy(w) for n, w in weights.items()} if plan.average is not None else {}
        self._step = jax.jit(self._one_step, donate_argnums=(0, 1, 2, 3))
        self._evaluate = jax.jit(self._logits)

    @contextmanager
    def _here(self) -> Iterator[None]:
        """Within: on the trainer's device, with every 64-bit type."""
        with jax.enable_x64(True), jax.default_device(self.device):
            yield

    def step(self, images: np.ndarray, target: np.ndarray, learning_rate: float, step: int) -> jax.Array:
        """One update; see the contract."""
        with self._here():
            # Python's numbers take part in float32 computations as constants do, and are themselves computed with in float64.
            self.learning, self.fixed, self.slots, self.averaged, loss = self._step(
                self.learning, self.fixed, self.slots, self.averaged, images, target, learning_rate, float(step), np.int32(step)
            )
        return loss

    def _one_step(
        self, learning: Arrays, fixed: Arrays, slots: Any, averaged: Arrays, images: Any, target: Any, rate: Any, step: Any, stream: Any
    ) -> tuple[Arrays, Arrays, Any, Arrays, jax.Array]:
        def loss_of(learning: Arrays) -> tuple[jax.Array, Arrays]:
            context = Context(training=True, seed=self.plan.seed, step=stream)
            logits = self.program({**fixed, **learning, self.input_name: images}, context)[0]
            return self.plan.loss(self.p, logits.astype(target.dtype), target), context.updates

        (loss, updates), gradients = jax.value_and_grad(loss_of, has_aux=True)(learning)
        learning, slots = self._updated(learning, gradients, slots, rate, step)
        fixed = {**fixed, **updates}
        return learning, fixed, slots, self._averaged({**fixed, **learning}, averaged, step), loss

    def _updated(self, weights: Arrays, gradients: Arrays, slots: Any, rate: Any, step: Any) -> tuple[Arrays, Any]:
        bounded = dict(zip(gradients, clipped(self.p, list(gradients.values()), self.plan.clip_norm), strict=True))
        new = {n: updated(self.p, self.plan, n, weight, bounded[n], slots[n], rate, step) for n, weight in weights.items()}
        return {n: weight for n, (weight, _) in new.items()}, {n: kept for n, (_, kept) in new.items()}

    def _averaged(self, weights: Arrays, averaged: Arrays, step: Any) -> Arrays:
        if self.plan.average is None:
            return {}
        share = 1 - jnp.minimum(self.plan.average, (1 + step) / (10 + step))
        moving = {n: a for n, a in averaged.items() if jnp.issubdtype(a.dtype, jnp.floating)}
        return {**averaged, **{n: (a + (weights[n] - a) * share).astype(a.dtype) for n, a in moving.items()}}

    def _logits(self, weights: Arrays, images: Any) -> jax.Array:
        return self.program({**weights, self.input_name: images}, Context(seed=self.plan.seed))[0].astype(np.float32)

    def evaluate(self, images: np.ndarray) -> np.ndarray:
        """Logits [n, k]; see the contract."""
        with self._here():
            return to_numpy(self._evaluate(self._delivered(), images))

    def _delivered(self) -> Arrays:
        return self.averaged or {**self.fixed, **self.learning}

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        found = self._delivered()
        return {name: to_numpy(found[name]) for name in self.names}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return {name: to_numpy(value) for name, value in self._state_arrays().items()}

    def _state_arrays(self) -> Arrays:
        arrays = {f"weights/{n}": w for n, w in {**self.fixed, **self.learning}.items()}
        arrays |= {f"optimizer/{slot}/{n}": x for n, slots in self.slots.items() for slot, x in slots.items()}
        return arrays | {f"average/{n}": w for n, w in self.averaged.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError where names or shapes differ."""
        arrays = self._state_arrays()
        check_state({name: array.shape for name, array in arrays.items()}, state)
        with self._here():
            self.learning = {n: to_array(state[f"weights/{n}"]) for n in self.learning}
            self.fixed = {n: to_array(state[f"weights/{n}"]) for n in self.fixed}
            self.slots = {n: {s: to_array(state[f"optimizer/{s}/{n}"]) for s in slots} for n, slots in self.slots.items()}
            self.averaged = {n: to_array(state[f"average/{n}"]) for n in self.averaged}
