"""Training steps in JAX: one compiled function from weights, slots and a batch to new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Arrays, Batch, Trainer, TrainingPlan
from allotrope.frameworks.jax.arrays import to_array, to_numpy
from allotrope.frameworks.jax.collective import JaxProcesses
from allotrope.frameworks.jax.primitives import JaxPrimitives
from allotrope.frameworks.jax.product_precision import products
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.together import Together
from allotrope.frameworks.updates import (
    check_state,
    climbed,
    clipped,
    delivered,
    loss_of,
    single,
    updated,
)
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program

Values = dict[str, jax.Array]
DONATED = (0, 1, 2, 3)
"""The arguments of a step whose memory its results take."""
NARROW = {"float32": None, "tensorfloat32": None, "bfloat16": np.dtype(ml_dtypes.bfloat16)}


class JaxTrainer(Trainer):
    """A network in training, on one device, with one set of settings.

    Always compiled; JAX alone decides on threads and layout.
    """

    def __init__(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: JaxProcesses | None = None,
    ) -> None:
        """Raises: UnsupportedError for operators without a meaning."""
        self.plan, self.device = plan, jax.local_devices(backend=settings.device)[0]
        self.precision = settings.precision
        self.p = JaxPrimitives(NARROW[settings.precision])
        self.program = Program(lowered(network), self.p, ReferencePrimitives())
        self.together = Together(collective, self.program)
        self.output_names = tuple(value.name for value in network.outputs)
        self.names = tuple(network.weights)
        with self._here():
            weights = {name: to_array(array) for name, array in network.weights.items()}
            self.learning = {
                n: w for n, w in weights.items() if n in network.trainable - plan.frozen
            }
            self.fixed = {n: w for n, w in weights.items() if n not in self.learning}
            self.slots = {n: plan.optimizer.slots(self.p, w) for n, w in self.learning.items()}
            self.averaged: Values = {}
            if plan.averages:
                self.averaged = {n: jnp.copy(w) for n, w in weights.items()}
        if collective is None:
            self._step = jax.jit(self._one_step, donate_argnums=DONATED)
        else:
            self._step = collective.compiled(self._one_step, DONATED)
        self._evaluate = jax.jit(self._answers)

    @contextmanager
    def _here(self) -> Iterator[None]:
        """Within: on the trainer's device, in its precision, with every 64-bit type."""
        rounding = products(self.precision, self.device.platform)
        with jax.enable_x64(True), jax.default_device(self.device), rounding:
            yield

    def step(self, batch: Batch, learning_rate: float, step: int) -> jax.Array:
        """One update; see the contract."""
        columns = dict(batch.inputs), dict(batch.targets), dict(batch.weights)
        with self._here():
            # Python's numbers take part in float32 computations as constants do, and are themselves
            # computed with in float64.
            self.learning, self.fixed, self.slots, self.averaged, loss = self._step(
                self.learning,
                self.fixed,
                self.slots,
                self.averaged,
                columns,
                float(learning_rate),
                float(step),
                np.int32(step),
            )
        return loss

    def _one_step(
        self,
        learning: Values,
        fixed: Values,
        slots: Any,
        averaged: Values,
        columns: tuple[Values, Values, Values],
        rate: Any,
        step: Any,
        stream: Any,
    ) -> tuple[Values, Values, Any, Values, jax.Array]:
        inputs, targets, weights = columns
        share = self.together.share(targets)

        def part_after(learning: Values) -> tuple[jax.Array, tuple[jax.Array, Values]]:
            context = Context(training=True, seed=self.plan.seed, step=stream, share=share)
            outputs = self._outputs({**fixed, **learning, **inputs}, context)
            outputs = self.together.whole(outputs, share)
            loss = loss_of(self.p, self.plan, outputs, targets, weights)
            return self.together.part(loss), (loss, context.updates)

        def differentiated(learning: Values) -> tuple[jax.Array, Values, Values]:
            parts = jax.value_and_grad(part_after, has_aux=True)
            (_, (loss, updates)), gradients = parts(learning)
            summed = self.together.summed(list(gradients.values()))
            return loss, updates, dict(zip(gradients, summed, strict=True))

        loss, updates, gradients = differentiated(learning)
        if self.plan.sharpness is not None:
            above = self._above(learning, gradients, self.plan.sharpness)
            _, _, gradients = differentiated(above)
        learning, slots = self._updated(learning, gradients, slots, rate, step)
        fixed = {**fixed, **updates}
        followed = {**fixed, **learning, **delivered(self.p, self.plan, learning, slots)}
        return learning, fixed, slots, self._averaged(followed, averaged, step), loss

    def _above(self, learning: Values, gradients: Values, far: float) -> Values:
        slopes = [gradients[name] for name in learning]
        above = climbed(self.p, list(learning.values()), slopes, far)
        return dict(zip(learning, above, strict=True))

    def _outputs(self, values: Values, context: Context) -> Values:
        return dict(zip(self.output_names, self.program(values, context), strict=True))

    def _updated(
        self, weights: Values, gradients: Values, slots: Any, rate: Any, step: Any
    ) -> tuple[Values, Any]:
        bounds = clipped(self.p, list(gradients.values()), self.plan.clip_norm)
        bounded = dict(zip(gradients, bounds, strict=True))
        new = {
            n: updated(self.p, self.plan, n, weight, bounded[n], slots[n], rate, step)
            for n, weight in weights.items()
        }
        return {n: weight for n, (weight, _) in new.items()}, {
            n: slot for n, (_, slot) in new.items()
        }

    def _averaged(self, weights: Values, averaged: Values, step: Any) -> Values:
        if not self.plan.averages:
            return {}
        if self.plan.average is None:
            return {n: weights[n].astype(a.dtype) for n, a in averaged.items()}
        share = 1 - jnp.minimum(self.plan.average, (1 + step) / (10 + step))
        moving = {n: a for n, a in averaged.items() if jnp.issubdtype(a.dtype, jnp.floating)}
        moved = {n: (a + (weights[n] - a) * share).astype(a.dtype) for n, a in moving.items()}
        return {**averaged, **moved}

    def _answers(self, weights: Values, inputs: Values) -> Values:
        outputs = self._outputs({**weights, **inputs}, Context(seed=self.plan.seed))
        return single(self.p, outputs)

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        with self._here():
            answers = self._evaluate(self._delivered(), dict(inputs))
            return {name: to_numpy(answers[name]) for name in self.output_names}

    def _delivered(self) -> Values:
        return self.averaged or {**self.fixed, **self.learning}

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        delivered = self._delivered()
        return {name: to_numpy(delivered[name]) for name in self.names}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return {name: to_numpy(value) for name, value in self._state_arrays().items()}

    def _state_arrays(self) -> Values:
        arrays = {f"weights/{n}": w for n, w in {**self.fixed, **self.learning}.items()}
        for n, slots in self.slots.items():
            arrays |= {f"optimizer/{slot}/{n}": x for slot, x in slots.items()}
        return arrays | {f"average/{n}": w for n, w in self.averaged.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError if names or shapes differ."""
        arrays = self._state_arrays()
        check_state({name: array.shape for name, array in arrays.items()}, state)
        with self._here():
            self.learning = {n: to_array(state[f"weights/{n}"]) for n in self.learning}
            self.fixed = {n: to_array(state[f"weights/{n}"]) for n in self.fixed}
            self.slots = {
                n: {slot: to_array(state[f"optimizer/{slot}/{n}"]) for slot in slots}
                for n, slots in self.slots.items()
            }
            self.averaged = {n: to_array(state[f"average/{n}"]) for n in self.averaged}
