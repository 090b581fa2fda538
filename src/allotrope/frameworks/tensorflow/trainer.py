"""Training steps in TensorFlow: one `tf.function` from a batch to new weights.

With bfloat16 and XLA if the settings ask for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Arrays, Batch, Collective, Trainer, TrainingPlan
from allotrope.frameworks.tensorflow.arrays import to_numpy, to_tensor
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.module import NetworkModule
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives
from allotrope.frameworks.tensorflow.product_precision import products
from allotrope.frameworks.together import Together
from allotrope.frameworks.updates import (
    averaging_share,
    check_state,
    climbed,
    clipped,
    delivered,
    loss_of,
    nothing_to_learn,
    single,
    updated,
)
from allotrope.network.network import Network

Tensor = Any


REMEMBERED = ("channels_last", "grouped", "flattened", "stored", "turned")
"""What a tensor may remember."""


def _narrow(x: Tensor) -> Tensor:
    if not tf.is_tensor(x) or x.dtype != tf.float32:
        return x
    y = tf.cast(x, tf.bfloat16)
    for name in REMEMBERED:
        if hasattr(x, name):
            setattr(y, name, _narrow(getattr(x, name)))
    return y


class MixedPrimitives(TensorFlowPrimitives):
    """Convolutions and matrix products in bfloat16 over float32 weights.

    Losses and logarithms in float32.
    """

    def convolution(self, x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
        return super().convolution(_narrow(x), _narrow(weight), bias, *rest)

    def convolution_transpose(self, x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        return super().convolution_transpose(_narrow(x), _narrow(weight), *rest)

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        return super().matmul(_narrow(x), _narrow(y))

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return super().linear(_narrow(x), _narrow(weight), bias)

    def einsum(self, equation: str, *arrays: Tensor) -> Tensor:
        return super().einsum(equation, *map(_narrow, arrays))

    def concatenate(self, arrays: Sequence[Tensor], axis: int) -> Tensor:
        mixed = len({x.dtype for x in arrays}) > 1
        return super().concatenate([_narrow(x) for x in arrays] if mixed else arrays, axis)


class TensorFlowTrainer(Trainer):
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
        set_threads(settings.threads)
        self.plan, self.network, self.precision = plan, network, settings.precision
        if settings.device == "cuda":
            self.device = "/GPU:0"
        else:
            self.device = "/CPU:0"
        primitives = TensorFlowPrimitives()
        if settings.precision == "bfloat16":
            primitives = MixedPrimitives()
        with tf.device(self.device):
            kernels = not plan.optimizer.by_shape
            self.model = NetworkModule(network, plan.seed, primitives, as_kernels=kernels)
            self.together = Together(collective, self.model.program)
            learning = network.trainable - plan.frozen
            self.trained = [name for name in network.weights if name in learning]
            self.slots = {name: self._slots(name) for name in self.trained}
            self.average: dict[str, Any] | None = None
            if plan.averages:
                values = self.model.values()
                self.average = {n: tf.Variable(x, trainable=False) for n, x in values.items()}
        traced = {"jit_compile": settings.compiled, "reduce_retracing": False, "autograph": False}
        self._step = tf.function(self._trace_step, **traced)
        self._evaluate = tf.function(self._trace_evaluation, **traced)

    def _slots(self, name: str) -> dict[str, Any]:
        weight = tf.convert_to_tensor(self.model.weights[name])
        fresh = self.plan.optimizer.slots(self.model.program.p, weight)
        return {slot: tf.Variable(value, trainable=False) for slot, value in fresh.items()}

    @contextmanager
    def _here(self) -> Iterator[None]:
        """Within: on the trainer's device, in its precision."""
        with tf.device(self.device), products(self.precision):
            yield

    def step(self, batch: Batch, learning_rate: float, step: int) -> Tensor:
        """One update; see the contract."""
        with self._here():
            columns = map(_tensors, (batch.inputs, batch.targets, batch.weights))
            numbers = tf.constant(learning_rate, tf.float64), tf.constant(step, tf.int32)
            return self._step(*columns, *numbers)

    def _trace_step(
        self,
        inputs: dict[str, Tensor],
        targets: dict[str, Tensor],
        weights: dict[str, Tensor],
        learning_rate: Tensor,
        step: Tensor,
    ) -> Tensor:
        p, values = self.model.program.p, self.model.values()
        trained = [values[name] for name in self.trained]
        share = self.together.share(targets)

        def differentiated(trained: list[Tensor]) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
            known = {**values, **dict(zip(self.trained, trained, strict=True))}
            with tf.GradientTape() as tape:
                tape.watch(trained)
                outputs, updates = self.model.outputs(inputs, known, True, step, share)
                outputs = self.together.whole(outputs, share)
                loss = loss_of(p, self.plan, outputs, targets, weights)
                part = self.together.part(loss)
            parts = _dense(tape.gradient(part, trained), trained)
            return loss, updates, self.together.summed(parts)

        loss, updates, gradients = differentiated(trained)
        if self.plan.sharpness is not None:
            _, _, gradients = differentiated(climbed(p, trained, gradients, self.plan.sharpness))
        gradients = clipped(p, gradients, self.plan.clip_norm)
        new = dict(updates)
        for name, weight, gradient in zip(self.trained, trained, gradients, strict=True):
            new[name] = self._updated(
                name, weight, gradient, learning_rate, tf.cast(step, tf.float64)
            )
        for name, value in new.items():
            self.model.weights[name].assign(value)
        if self.average is not None:
            slots = {n: _values(own) for n, own in self.slots.items()}
            known = {**values, **new}
            followed = {**known, **delivered(p, self.plan, known, slots)}
            self._follow(followed, tf.cast(step, tf.float64))
        return loss

    def _updated(
        self, name: str, weight: Tensor, gradient: Tensor, learning_rate: Tensor, step: Tensor
    ) -> Tensor:
        """A weight after one step; its slots are assigned."""
        p, own = self.model.program.p, self.slots[name]
        slots = _values(own)
        weight, slots = updated(p, self.plan, name, weight, gradient, slots, learning_rate, step)
        for slot, value in slots.items():
            own[slot].assign(value)
        return weight

    def _follow(self, values: Mapping[str, Tensor], step: Tensor) -> None:
        assert self.average is not None
        share = averaging_share(self.model.program.p, self.plan.average, step)
        for name, average in self.average.items():
            if self.plan.average is None:
                average.assign(values[name])
            elif average.dtype.is_floating:
                average.assign_add((values[name] - average) * tf.cast(share, average.dtype))

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        with self._here():
            outputs = self._evaluate(_tensors(inputs))
            return {value.name: to_numpy(outputs[value.name]) for value in self.network.outputs}

    def _trace_evaluation(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        p = self.model.program.p
        values = {name: tf.convert_to_tensor(x) for name, x in self._delivered().items()}
        with p.without_gradients():
            return single(p, self.model.outputs(inputs, values, False, 0)[0])

    def _delivered(self) -> dict[str, Any]:
        if self.average is None:
            return self.model.weights
        return self.average

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        order = self.model.order
        return {name: order.named(name, to_numpy(x)) for name, x in self._delivered().items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        order, variables = self.model.order, self._state_variables()
        return {f"{kind}/{name}": order.named(name, to_numpy(x)) for kind, name, x in variables}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError if names or shapes differ."""
        order = self.model.order
        shapes = {f"{kind}/{n}": self._shape(n, x) for kind, n, x in self._state_variables()}
        check_state(shapes, state)
        for kind, name, variable in self._state_variables():
            variable.assign(to_tensor(order.stored(name, state[f"{kind}/{name}"])))

    def _shape(self, name: str, variable: Any) -> tuple[int, ...]:
        """The shape in a state: that of the weight if the variable is stored as it is."""
        if name in self.model.order.shapes:
            return self.model.order.named_shapes[name]
        return tuple(variable.shape)

    def _state_variables(self) -> Iterator[tuple[str, str, Any]]:
        """Each with its kind and its weight's name."""
        yield from (("weights", name, variable) for name, variable in self.model.weights.items())
        for name, slots in self.slots.items():
            yield from ((f"optimizer/{slot}", name, x) for slot, x in slots.items())
        yield from (("average", name, variable) for name, variable in (self.average or {}).items())


def _dense(gradients: Sequence[Any], weights: Sequence[Tensor]) -> list[Tensor]:
    """Of every weight, 0 for those that the loss does not depend on.

    Raises: UnsupportedError if it depends on none.
    """
    if all(gradient is None for gradient in gradients):
        raise nothing_to_learn()
    return [
        tf.zeros_like(weight) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]


def _values(variables: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: tf.convert_to_tensor(variable) for name, variable in variables.items()}


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: to_tensor(x) for name, x in arrays.items()}


def set_threads(threads: int | None) -> None:
    """Raises: UsageError if TensorFlow has begun with another number."""
    threading = tf.config.threading
    if threads is None or threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise UsageError(
            "TensorFlow can set its number of threads only before its first computation; "
            "start a new process for it."
        ) from error
