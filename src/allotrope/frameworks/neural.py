"""The primitives that are layers, or large parts of them: each framework has fast kernels."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

from allotrope.errors import UnsupportedError

Array = Any
"""An array of the framework."""
Body = Callable[[list[Array], list[Array]], tuple[list[Array], list[Array]]]
"""What `Primitives.scan` repeats: states and slices to states and results."""


def outgrows(kernel: Sequence[int], dilations: Sequence[int], lengths: Sequence[int]) -> bool:
    """Whether a kernel is longer than the image along any spatial axis.

    Of such convolutions oneDNN's bfloat16 kernels leave places of the weight's gradient unwritten
    if they pad by themselves (PyTorch 2.13 and TensorFlow 2.21, on processors with AVX-512): it is
    then whatever the memory held before. They get images that are padded beforehand.
    """
    sides = zip(kernel, dilations, lengths, strict=True)
    return any((k - 1) * dilation + 1 > length for k, dilation, length in sides)


class NeuralPrimitives(abc.ABC):
    """The part of `Primitives` that computes layers; its conventions are there."""

    @abc.abstractmethod
    def matmul(self, x: Array, y: Array) -> Array:
        """Matrix product, as numpy.matmul."""

    @abc.abstractmethod
    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        """x [..., k] @ weight [k, m] + bias, which broadcasts."""

    @abc.abstractmethod
    def convolution(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
        dilations: Sequence[int],
        groups: int,
    ) -> Array:
        """Cross-correlation of x [n, c, *spatial] with weight [m, c / groups, *kernel].

        Pads are (before, after) an axis.
        """

    @abc.abstractmethod
    def max_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Array:
        """Largest of each window of x [n, c, *spatial], the first of equals as gradients go.

        Padding never wins.

        Windows that do not fit are dropped.
        """

    @abc.abstractmethod
    def average_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Array:
        """Mean of each window of x [n, c, *spatial], padding counted as zeros.

        Windows that do not fit are dropped.
        """

    @abc.abstractmethod
    def convolution_transpose(
        self, x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
    ) -> Array:
        """The transposed convolution of x [n, c, *spatial] with weight [c, m / groups, *kernel].

        The whole of it: nothing is cut off.
        """

    @abc.abstractmethod
    def einsum(self, equation: str, *arrays: Array) -> Array:
        """As numpy.einsum."""

    @abc.abstractmethod
    def determinant(self, x: Array) -> Array:
        """Determinants of x [..., m, m]."""

    @abc.abstractmethod
    def layer_normalize(
        self, x: Array, scale: Array, bias: Array | None, shape: Sequence[int], epsilon: float
    ) -> Array:
        """The last axes, of the given shape, normalized together, then times scale plus bias.

        At least float32 within.
        """

    @abc.abstractmethod
    def normalize(
        self, x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float
    ) -> Array:
        """(x - mean) / sqrt(variance + epsilon) * scale + bias on axis 1 of x [n, c, *spatial].

        The rest [c].
        """

    @abc.abstractmethod
    def batch_normalize(
        self, x: Array, scale: Array, bias: Array, epsilon: float
    ) -> tuple[Array, Array, Array]:
        """Normalize x [n, c, *spatial] by its own mean and population variance.

        Gives also these two, [c], without gradient.
        """

    def batch_normalize_tracked(
        self: Any,
        x: Array,
        scale: Array,
        bias: Array,
        mean: Array,
        variance: Array,
        momentum: float,
        epsilon: float,
    ) -> tuple[Array, Array, Array]:
        """As `batch_normalize`, but gives the running mean and variance.

        They are momentum * old + (1 - momentum) * that of x.
        """
        y, new_mean, new_variance = self.batch_normalize(x, scale, bias, epsilon)

        def moved(old: Array, new: Array) -> Array:
            new = self.cast(new, self.dtype(old))
            return self.add(self.multiply(old, momentum), self.multiply(new, 1 - momentum))

        return y, moved(mean, new_mean), moved(variance, new_variance)

    @abc.abstractmethod
    def fourier(self, x: Array, inverse: bool) -> Array:
        """Discrete Fourier transform of x [..., n, 2], real and imaginary parts.

        float32 or float64; the inverse divides by n.
        """

    # --- sequences; what a framework does not supply is made of the other primitives
    def scaled_dot_product_attention(
        self, q: Array, k: Array, v: Array, bias: Array | None, causal: bool, scale: float
    ) -> Array | None:
        """softmax(q kᵀ scale + bias) v by a kernel of the framework's own; None if it has none.

        q [n, h, q, d], k and v [n, h, k, d], bias broadcasts to [n, h, q, k] and leaves each query
        a key; causal: query i sees keys 0 to i.
        """
        return None

    def scan(
        self: Any, body: Body, states: list[Array], inputs: list[Array], length: int
    ) -> tuple[list[Array], list[Array]]:
        """body(states, slices) -> (states, results), once for each place on axis 0 of the inputs.

        Gives the last states, and the results stacked.

        States keep their shapes and dtypes. Raises: UnsupportedError for a length of 0, where the
        results have no known shape.
        """
        if length == 0:
            raise UnsupportedError("a sequence of length 0 is not supported.")
        steps: list[list[Array]] = []
        for i in range(length):
            states, results = body(states, [self._at(x, i) for x in inputs])
            steps.append([self.reshape(y, (1, *self.shape(y))) for y in results])
        return states, [self.concatenate(column, 0) for column in zip(*steps, strict=True)]

    def _at(self: Any, x: Array, place: int) -> Array:
        lengths = list(self.shape(x))[1:]
        starts, stops = [place] + [0] * len(lengths), [place + 1, *lengths]
        return self.reshape(self.slice(x, starts, stops, [1] * len(starts)), lengths)

    def rnn(
        self,
        x: Array,
        weight: Array,
        recurrence: Array,
        bias: Array,
        hidden: Array,
        activation: str,
    ) -> tuple[Array, Array] | None:
        """One direction of ONNX's RNN by a kernel of the framework's own; None if it has none.

        Gives all of y [t, n, h] and the last hidden state.

        x [t, n, c], weight [h, c], recurrence [h, h], bias [2 h], hidden [n, h]; activation is Tanh
        or Relu.
        """
        return None

    def gru(
        self, x: Array, weight: Array, recurrence: Array, bias: Array, hidden: Array
    ) -> tuple[Array, Array] | None:
        """The same of ONNX's GRU with linear_before_reset and default activations.

        weight [3 h, c], gates in ONNX's order z, r, h.
        """
        return None

    def lstm(
        self, x: Array, weight: Array, recurrence: Array, bias: Array, hidden: Array, cell: Array
    ) -> tuple[Array, Array, Array] | None:
        """The same of ONNX's LSTM with default activations, and the last cell state.

        weight [4 h, c], gates in ONNX's order i, o, f, c.
        """
        return None
