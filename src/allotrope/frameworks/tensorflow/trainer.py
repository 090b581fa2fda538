"""Training steps in TensorFlow: one `tf.function` from images to new weights, with bfloat16 and XLA where the settings ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Trainer, TrainingPlan
from allotrope.frameworks.tensorflow.arrays import to_numpy, to_tensor
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.module import NetworkModule
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives
from allotrope.frameworks.updates import averaging_share, check_state, clipped, updated
from allotrope.network.network import Network

Tensor = Any


def _narrow(x: Tensor) -> Tensor:
    if not tf.is_tensor(x) or x.dtype != tf.float32:
        return x
    y = tf.cast(x, tf.bfloat16)
    for name in ("channels_last", "flattened", "stored", "turned"):  # what tensors remember
        if hasattr(x, name):
            setattr(y, name, _narrow(getattr(x, name)))
    return y


class MixedPrimitives(TensorFlowPrimitives):
    """Convolutions and matrix products in bfloat16 over float32 weights; losses and logarithms in float32."""

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

    def __init__(self, network: Network, plan: TrainingPlan, settings: Settings) -> None:
        """Raises: UnsupportedError for operators without a meaning, UsageError for threads that cannot be set any more."""
        set_threads(settings.threads)
        self.plan, self.network = plan, network
        self.device = "/GPU:0" if settings.device == "cuda" else "/CPU:0"
        primitives = MixedPrimitives() if settings.precision == "bfloat16" else TensorFlowPrimitives()
        with tf.device(self.device):
            self.model = NetworkModule(network, plan.seed, primitives, as_kernels=True)
            self.trained = [name for name in network.weights if name in network.trainable and name not in plan.frozen]
            self.slots = {name: self._slots(name) for name in self.trained}
            values = self.model.values()
            self.average = None if plan.average is None else {n: tf.Variable(x, trainable=False) for n, x in values.items()}
        self._step = tf.function(self._trace_step, jit_compile=settings.compiled, reduce_retracing=False, autograph=False)
        self._evaluate = tf.function(self._trace_evaluation, jit_compile=settings.compiled, reduce_retracing=False, autograph=False)

    def _slots(self, name: str) -> dict[str, Any]:
        fresh = self.plan.optimizer.slots(self.model.program.p, tf.convert_to_tensor(self.model.weights[name]))
        return {slot: tf.Variable(value, trainable=False) for slot, value in fresh.items()}

    def step(self, images: np.ndarray, target: np.ndarray, learning_rate: float, step: int) -> Tensor:
        """One update; see the contract."""
        with tf.device(self.device):
            arguments = tf.constant(learning_rate, tf.float64), tf.constant(step, tf.int32)
            return self._step(tf.constant(images), tf.constant(target), *arguments)

    def _trace_step(self, images: Tensor, target: Tensor, learning_rate: Tensor, step: Tensor) -> Tensor:
        values = self.model.values()
        trained = [values[name] for name in self.trained]
        with tf.GradientTape() as tape:
            tape.watch(trained)
            logits, updates = self._logits(images, values, True, step)
            loss = self.plan.loss(self.model.program.p, tf.cast(logits, target.dtype), target)
        gradients = tape.gradient(loss, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = clipped(self.model.program.p, [tf.convert_to_tensor(g) for g in gradients], self.plan.clip_norm)
        new = dict(updates)
        for name, weight, gradient in zip(self.trained, trained, gradients, strict=True):
            new[name] = self._updated(name, weight, gradient, learning_rate, tf.cast(step, tf.float64))
        for name, value in new.items():
            self.model.weights[name].assign(value)
        if self.average is not None:
            self._follow({**values, **new}, tf.cast(step, tf.float64))
        return loss

    def _logits(self, images: Tensor, values: Mapping[str, Tensor], training: bool, step: Any) -> tuple[Tensor, dict[str, Tensor]]:
        outputs, updates = self.model.outputs({self.network.inputs[0].name: images}, values, training, step)
        return next(iter(outputs.values())), updates

    def _updated(self, name: str, weight: Tensor, gradient: Tensor, learning_rate: Tensor, step: Tensor) -> Tensor:
        """A weight after one step; its slots are assigned."""
        slots = {slot: tf.convert_to_tensor(variable) for slot, variable in self.slots[name].items()}
        weight, slots = updated(self.model.program.p, self.plan, name, weight, gradient, slots, learning_rate, step)
        for slot, value in slots.items():
            self.slots[name][slot].assign(value)
        return weight

    def _follow(self, values: Mapping[str, Tensor], step: Tensor) -> None:
        assert self.average is not None and self.plan.average is not None
        share = averaging_share(self.model.program.p, self.plan.average, step)
        for name, average in self.average.items():
            if average.dtype.is_floating:
                average.assign_add((values[name] - average) * tf.cast(share, average.dtype))

    def evaluate(self, images: np.ndarray) -> np.ndarray:
        """Logits [n, k]; see the contract."""
        with tf.device(self.device):
            return to_numpy(self._evaluate(tf.constant(images)))

    def _trace_evaluation(self, images: Tensor) -> Tensor:
        values = {name: tf.convert_to_tensor(variable) for name, variable in self._delivered().items()}
        with self.model.program.p.without_gradients():
            return tf.cast(self._logits(images, values, False, 0)[0], tf.float32)

    def _delivered(self) -> dict[str, Any]:
        return self.model.weights if self.average is None else self.average

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        return {name: self.model.order.named(name, to_numpy(variable)) for name, variable in self._delivered().items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return {f"{kind}/{name}": self.model.order.named(name, to_numpy(x)) for kind, name, x in self._state_variables()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError where names or shapes differ."""
        order = self.model.order
        check_state({f"{kind}/{name}": order.named_shapes[name] for kind, name, _ in self._state_variables()}, state)
        for kind, name, variable in self._state_variables():
            variable.assign(to_tensor(order.stored(name, state[f"{kind}/{name}"])))

    def _state_variables(self) -> Iterator[tuple[str, str, Any]]:
        """Each with its kind and its weight's name."""
        yield from (("weights", name, variable) for name, variable in self.model.weights.items())
        yield from ((f"optimizer/{slot}", name, x) for name, slots in self.slots.items() for slot, x in slots.items())
        yield from (("average", name, variable) for name, variable in (self.average or {}).items())


def set_threads(threads: int | None) -> None:
    """Raises: UsageError where TensorFlow has begun with another number."""
    if threads is None or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        message = "TensorFlow can set its number of threads only before its first computation; start a new process for it."
        raise UsageError(message) from error
