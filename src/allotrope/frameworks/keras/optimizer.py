"""The optimizer of a plan as an optimizer of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from allotrope.frameworks.contract import TrainingPlan
from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.keras.module import NetworkModel
from allotrope.frameworks.primitives import Array
from allotrope.frameworks.together import Together
from allotrope.frameworks.updates import climbed, clipped, nothing_to_learn, updated

_DOUBLE = np.dtype(np.float64)


class PlannedOptimizer(keras.optimizers.Optimizer):
    """Changes the weights of a model as its plan says.

    `rate` is the learning rate, in float64 where Keras's own is float32.
    """

    slots: Mapping[str, Mapping[str, Any]]
    rate: Any
    _array: Callable[[Any], Array]
    climbing: bool
    """Whether the next gradients say where to climb from the weights, and change nothing else."""
    before: Sequence[Array]
    """The weights before they climbed, as `trainable_variables` are; none if they did not."""

    def __init__(self, model: NetworkModel, plan: TrainingPlan, together: Together) -> None:
        """For the trainable weights that the plan does not freeze."""
        super().__init__(learning_rate=lambda: self._array(self.rate))
        self.plan, self._p, self._array = plan, model.program.p, model.array
        self._together = together
        self.rate = self.add_variable(shape=(), initializer="zeros", dtype="float64", name="rate")
        trained = {name: variable for name, variable in model.by_name.items() if variable.trainable}
        self._names = tuple(trained)
        self.climbing, self.before = False, ()
        self.build(list(trained.values()))
        self.slots = MappingProxyType(
            {name: self._slots(variable) for name, variable in trained.items()}
        )

    def _slots(self, variable: Any) -> dict[str, Any]:
        fresh = self.plan.optimizer.slots(self._p, self._array(variable))
        slots = {slot: self._slot(variable, slot, value) for slot, value in fresh.items()}
        for slot, value in fresh.items():
            slots[slot].assign(value)
        return slots

    def _slot(self, variable: Any, name: str, value: Any) -> Any:
        shape, dtype = self._p.shape(value), self._p.dtype(value)
        if tuple(shape) == tuple(variable.shape) and dtype.name == variable.dtype:
            return self.add_variable_from_reference(variable, name=name)
        return self.add_variable(shape=shape, initializer="zeros", dtype=dtype.name, name=name)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """As Keras has it, after the gradients' common norm is bounded.

        None among the gradients stays. Raises: UnsupportedError if there is nothing else.
        """
        known = [self._array(gradient) for gradient in grads if gradient is not None]
        if not known:
            raise nothing_to_learn()
        known = self._together.summed(known)
        if self.climbing:
            summed = iter(known)
            grads = [None if gradient is None else next(summed) for gradient in grads]
            self._climb(grads, trainable_variables or self._trainable_variables)
            return
        bounded = iter(clipped(self._p, known, self.plan.clip_norm))
        gradients = list(grads)
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                gradients[place] = next(bounded)
        super().apply(gradients, trainable_variables)

    def _climb(self, grads: Sequence[Any], variables: Sequence[Any]) -> None:
        """The weights as far up the gradients as the plan says; what they were is `before`."""
        assert self.plan.sharpness is not None
        p, weights = self._p, [self._array(variable) for variable in variables]
        # Each in memory of its own: an engine may write over a variable's.
        self.before = tuple(p.add(weight, p.full((), 0.0, p.dtype(weight))) for weight in weights)
        sloping = [place for place, gradient in enumerate(grads) if gradient is not None]
        gradients = [self._array(grads[place]) for place in sloping]
        above = climbed(p, [weights[place] for place in sloping], gradients, self.plan.sharpness)
        for place, weight in zip(sloping, above, strict=True):
            self.assign(variables[place], weight)

    def update_step(self, gradient: Array, variable: Any, learning_rate: Array) -> None:
        """One weight and its slots."""
        name = self._names[self._get_variable_index(variable)]
        slots = {slot: self._array(value) for slot, value in self.slots[name].items()}
        step = self._p.cast(self._array(self.iterations), _DOUBLE) + 1
        weight = self._array(variable)
        if self.before:
            weight = self.before[self._get_variable_index(variable)]
        weight, slots = updated(
            self._p, self.plan, name, weight, gradient, slots, learning_rate, step
        )
        self.assign(variable, weight)
        for slot, value in slots.items():
            self.assign(self.slots[name][slot], value)
