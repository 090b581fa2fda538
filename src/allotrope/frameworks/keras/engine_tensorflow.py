"""Keras on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from allotrope.frameworks.keras.engine_model import EngineModel
from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.tensorflow.arrays import to_numpy
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives
from allotrope.frameworks.tensorflow.product_precision import products
from allotrope.frameworks.tensorflow.trainer import MixedPrimitives, set_threads

Tensor = Any
Step = Callable[[Any], Any]


class TensorFlowModel(EngineModel):
    """A model of Keras on TensorFlow.

    Keras lets TensorFlow trace its steps with a batch of unknown size, for which networks cannot be
    traced; here every size is traced by itself.
    """

    program: Any
    train_function: Any
    test_function: Any
    predict_function: Any
    precisely = staticmethod(products)
    set_threads = staticmethod(set_threads)
    to_numpy = staticmethod(to_numpy)

    def prepare(self, layout: str | None) -> TensorFlowPrimitives:
        # these primitives find their layout themselves
        if self.compute_dtype == "bfloat16":
            return MixedPrimitives()
        return TensorFlowPrimitives()

    def array(self, x: Any) -> Tensor:
        return tf.convert_to_tensor(x)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """As Keras has it, then `after_step`."""
        logs: dict[str, Tensor] = {}
        for _ in self.passes():
            logs = _without_sum_of_replicas(super().train_step, data)
        self.after_step()
        return logs

    def predict_step(self, data: Any) -> Any:
        """As Keras has it, with kernels that know no gradient."""
        with self.program.p.without_gradients():
            return super().predict_step(data)

    def make_train_function(self, force: bool = False) -> None:
        """As Keras has it, with a trace for every shape."""
        if self.train_function is None or force:
            self.train_function = self._on_iterator(self._traced(self.train_step))

    def make_test_function(self, force: bool = False) -> None:
        """As Keras has it, with a trace for every shape."""
        if self.test_function is None or force:
            self.test_function = self._on_iterator(self._traced(self.test_step))

    def make_predict_function(self, force: bool = False) -> None:
        """As Keras has it, with a trace for every shape."""
        if self.predict_function is None or force:
            step = self._traced(self.predict_step)

            def run(batches: list[Any]) -> Any:
                return keras.tree.map_structure(
                    lambda *parts: tf.concat(parts, 0), *map(step, batches)
                )

            self.predict_function = run

    def _traced(self, step: Step) -> Step:
        if self.run_eagerly:
            run = step
        else:
            run = tf.function(step, jit_compile=self.jit_compile, autograph=False)
        return lambda data: run(keras.tree.map_structure(_without_optional, data))

    def _on_iterator(self, step: Step) -> Callable[[Iterator[Any]], Any]:
        def run(batches: Iterator[Any]) -> Any:
            logs = None
            for _, data in zip(range(self.steps_per_execution), batches, strict=False):
                logs = step(data)
            if logs is None:
                raise StopIteration
            return logs

        return run


def _without_sum_of_replicas(step: Step, data: Any) -> Any:
    """step(data), in which Keras's optimizer does not sum gradients over replicas if there is one.

    That sum joins all gradients in one node, and TensorFlow 2.21 (Grappler's dependency optimizer)
    takes it for proof that every weight was read before any is assigned, then drops it. Where the
    loss is linear in the logits, as a critic's is, a gradient was now and then made with a weight
    that was already new.
    """
    if tf.distribute.has_strategy():
        return step(data)
    return tf.distribute.get_replica_context().merge_call(lambda _: step(data))


def _without_optional(x: Any) -> Any:
    """None where Keras sent TensorFlow's stand-in for it through a data set."""
    if isinstance(x, tf.experimental.Optional):
        return None
    return x
