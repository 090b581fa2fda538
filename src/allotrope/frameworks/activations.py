"""The primitives that activate: of each there is a kernel in frameworks, or what it is made of."""

from __future__ import annotations

import abc
from typing import Any

from allotrope.frameworks.neural import Array


class ActivationPrimitives(abc.ABC):
    """Functions of each element by itself, between the layers of a network."""

    @abc.abstractmethod
    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x))."""

    @abc.abstractmethod
    def relu(self, x: Array) -> Array:
        """max(x, 0), with gradient 0 at 0."""

    @abc.abstractmethod
    def gelu(self, x: Array, approximate: bool) -> Array:
        """x * Phi(x), exact or by the tanh form (Hendrycks and Gimpel 2016)."""

    def silu(self: Any, x: Array) -> Array:
        """x * sigmoid(x) (Ramachandran et al. 2017)."""
        return self.multiply(x, self.sigmoid(x))

    def hard_swish(self: Any, x: Array) -> Array:
        """x * clip(x + 3, 0, 6) / 6 (Howard et al. 2019); at a bound the slope is that beyond it.

        So PyTorch's and TensorFlow's kernels have it: 0 at -3, 1 at 3.
        """
        below = self.multiply(x, self.multiply(self.relu(self.add(x, 3)), 1 / 6))
        return self.where(self.less(x, 3), below, x)

    @abc.abstractmethod
    def softplus(self, x: Array) -> Array:
        """log(1 + exp(x)) without overflow."""
