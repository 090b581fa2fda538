"""What an optimizer knows of one weight in one step, and numbers over primitives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.frameworks.contract import OptimizerOptions

Slots = dict[str, Any]
"""What an optimizer remembers of one weight, by name."""
Changed = tuple[Any, Slots]
"""A new weight and its slots."""
_DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True, slots=True)
class AtStep:
    """One weight in one step: its gradient, slots, learning rate and decay, over primitives `p`.

    `step` counts from 1; it and `rate` are numbers of Python, or arrays without dimensions. The
    gradient has the l2 decay in it, the weight is decayed if decay is decoupled; `decay` is for
    those that decay by themselves.
    """

    p: Any
    options: OptimizerOptions
    weight: Any
    gradient: Any
    slots: Slots
    rate: Any
    decay: float
    step: Any

    def by(self, change: Any, slots: Slots) -> Changed:
        """The weight less the learning rate times the change."""
        return self.p.subtract(self.weight, self.p.multiply(change, self.rate)), slots

    def mean(self, slot: str, value: Any, decay: float) -> Any:
        """The moving mean of this slot with the value: decay * mean + (1 - decay) * value."""
        p = self.p
        return p.add(p.multiply(self.slots[slot], decay), p.multiply(value, 1 - decay))

    def number(self, value: Any) -> Any:
        """A number of Python or of the framework as a float64 array without dimensions."""
        p = self.p.beside(self.weight)
        return p.add(p.full((), 0.0, _DOUBLE), value)

    def times(self, x: Any, number: Any) -> Any:
        """x times a number that `number` made."""
        return self.p.multiply(x, self.p.cast(number, self.p.dtype(x)))

    def norm(self, x: Any) -> Any:
        """The root of the sum of squares, an array without dimensions."""
        return self.p.sqrt(self.p.sum(self.p.multiply(x, x)))

    def bias(self, decay: float) -> Any:
        """1 - decay^step, of which a moving mean that began at 0 is short."""
        return 1 - decay**self.step


def as_matrix(p: Any, x: Any) -> Any:
    """x [m, ...] as [m, all others]: a dense layer, or a convolution with a row for each filter."""
    shape = p.shape(x)
    return p.reshape(x, (shape[0], math.prod(shape[1:])))


def moments(at: AtStep) -> tuple[Any, Any]:
    """The moving means of the gradient and of its square."""
    squared = at.p.multiply(at.gradient, at.gradient)
    mean = at.mean("mean", at.gradient, at.options.momentum)
    return mean, at.mean("square", squared, at.options.beta2)


Update = Callable[[AtStep], Changed]
