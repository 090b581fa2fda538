"""Keras on JAX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from allotrope.frameworks.jax.arrays import to_numpy
from allotrope.frameworks.jax.primitives import JaxPrimitives
from allotrope.frameworks.jax.product_precision import products
from allotrope.frameworks.jax.trainer import NARROW
from allotrope.frameworks.keras.engine_model import EngineModel
from allotrope.frameworks.keras.importing import keras


class JaxModel(EngineModel):
    """A model of Keras on JAX."""

    always_compiled = True  # JAX without it is only for debugging
    to_numpy = staticmethod(to_numpy)

    @staticmethod
    def set_threads(threads: int | None) -> None:
        """JAX alone decides."""

    @staticmethod
    @contextmanager
    def precisely(precision: str) -> Iterator[None]:
        with jax.enable_x64(True), products(precision, jax.default_backend()):
            yield

    def prepare(self, layout: str | None) -> JaxPrimitives:
        precision = "float32"
        if self.compute_dtype == "bfloat16":
            precision = "bfloat16"
        return JaxPrimitives(NARROW[precision])

    def array(self, x: Any) -> jax.Array:
        if isinstance(x, keras.Variable):
            return x.value
        return x

    def train_step(
        self, state: tuple[Any, ...], data: Any
    ) -> tuple[dict[str, jax.Array], tuple[Any, ...]]:
        logs: dict[str, jax.Array] = {}
        for _ in self.passes():
            logs, state = super().train_step(state, data)
        learning, fixed, optimizer, metrics = state
        variables = [
            *self.trainable_variables,
            *self.non_trainable_variables,
            *self.optimizer.variables,
        ]
        with keras.StatelessScope(
            list(zip(variables, [*learning, *fixed, *optimizer], strict=True))
        ) as scope:
            self.after_step()
        fixed = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return logs, (learning, fixed, optimizer, metrics)
