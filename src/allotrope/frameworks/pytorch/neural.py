"""PyTorch's own kernels for layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from allotrope.errors import ModelError
from allotrope.frameworks.neural import NeuralPrimitives, outgrows
from allotrope.frameworks.primitives import lowest
from allotrope.frameworks.pytorch.memory_formats import in_format


class PyTorchNeural(NeuralPrimitives):
    """Layers over `torch.Tensor`.

    The part of `PyTorchPrimitives` that convolves, normalizes, recurs and attends.
    """

    matmul = staticmethod(torch.matmul)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if x.dim() == 2:
            return torch.addmm(bias, x, weight)
        return torch.addmm(bias, x.flatten(0, -2), weight).unflatten(0, x.shape[:-1])

    def convolution(
        self: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
        dilations: Sequence[int],
        groups: int,
    ) -> Tensor:
        if groups == 1 and x.shape[2:].numel() == weight.shape[2:].numel() == 1 and not _any(pads):
            return _of_points(x, weight, bias)
        if self.memory_format is not None:
            x = in_format(x, self.memory_format)
        long = _is_rounded(x) and outgrows(weight.shape[2:], dilations, x.shape[2:])
        x, padding = _symmetric(x, pads, 0.0, always_pad=long)
        run = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
        return run(x, weight, bias, tuple(strides), padding, tuple(dilations), groups)

    def max_pool(
        self: Any,
        x: Tensor,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Tensor:
        fits = all(
            before <= k // 2 and after <= k // 2
            for k, (before, after) in zip(kernel, pads, strict=True)
        )
        x, padding = _symmetric(x, pads, lowest(self.dtype(x)), always_pad=not fits)
        run = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 3]
        return run(x, tuple(kernel), tuple(strides), padding)

    def average_pool(
        self,
        x: Tensor,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Tensor:
        fits = all(before <= k // 2 for k, (before, _) in zip(kernel, pads, strict=True))
        x, padding = _symmetric(x, pads, 0.0, always_pad=not fits)
        run = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
        return run(x, tuple(kernel), tuple(strides), padding, count_include_pad=True)

    def convolution_transpose(
        self,
        x: Tensor,
        weight: Tensor,
        strides: Sequence[int],
        dilations: Sequence[int],
        groups: int,
    ) -> Tensor:
        run = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[x.dim() - 3]
        return run(x, weight, stride=tuple(strides), dilation=tuple(dilations), groups=groups)

    einsum = staticmethod(torch.einsum)
    determinant = staticmethod(torch.linalg.det)

    def layer_normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor | None, shape: Sequence[int], epsilon: float
    ) -> Tensor:
        if scale.shape == tuple(shape) and (bias is None or bias.shape == tuple(shape)):
            return F.layer_norm(x, tuple(shape), scale, bias, epsilon)
        y = F.layer_norm(x, tuple(shape), eps=epsilon) * scale
        if bias is None:
            return y
        return y + bias

    def normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> Tensor:
        if (
            mean.requires_grad or variance.requires_grad
        ):  # for which PyTorch's kernel has no gradient
            mean, factor, bias = (
                a.reshape(-1, *[1] * (x.dim() - 2))
                for a in (mean, scale * torch.rsqrt(variance + epsilon), bias)
            )
            return (x - mean) * factor + bias
        return _ordered(
            F.batch_norm(_ordered(x), mean, variance, scale, bias, training=False, eps=epsilon)
        )

    def batch_normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        _check_channels(x, scale, bias)
        x = _ordered(x)
        y, mean, inverse_deviation = torch.native_batch_norm(
            x, scale, bias, None, None, True, 0.0, epsilon
        )
        return _ordered(y), mean, inverse_deviation.pow(-2) - epsilon

    def batch_normalize_tracked(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        momentum: float,
        epsilon: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The kernel moves a running variance towards n / (n - 1) times the population's.

        So it is told to go (n - 1) / n as far. It writes into the running statistics, which those
        that were computed from weights do not allow.
        """
        count = x.numel() // max(1, x.shape[1])
        are_state = not (mean.requires_grad or variance.requires_grad)
        float32 = scale.dtype == mean.dtype == variance.dtype == torch.float32
        if count < 2 or not (are_state and float32):
            return super().batch_normalize_tracked(
                x, scale, bias, mean, variance, momentum, epsilon
            )
        _check_channels(x, scale, bias, mean, variance)
        share = (1 - momentum) * (count - 1) / count
        running = torch.mul(variance, momentum / (1 - share))
        x = _ordered(x)
        y, batch_mean, _ = torch.native_batch_norm(
            x, scale, bias, torch.empty_like(mean), running, True, share, epsilon
        )
        return _ordered(y), torch.lerp(mean, batch_mean.to(mean.dtype), 1 - momentum), running

    # --- sequences
    def scaled_dot_product_attention(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, scale: float
    ) -> Tensor | None:
        if q.dtype == torch.float16 and q.device.type == "cpu":
            # Without a kernel it is rounded after each step, as ONNX's own meaning is.
            return None
        return F.scaled_dot_product_attention(q, k, v, bias, 0.0, causal, scale=scale)

    def rnn(
        self,
        x: Tensor,
        weight: Tensor,
        recurrence: Tensor,
        bias: Tensor,
        hidden: Tensor,
        activation: str,
    ) -> tuple[Tensor, Tensor]:
        if activation == "Tanh":
            run = torch.rnn_tanh
        else:
            run = torch.rnn_relu
        y, last = run(
            x, hidden[None], [weight, recurrence, *bias.chunk(2)], True, 1, 0.0, False, False, False
        )
        return y, last[0]

    def gru(
        self, x: Tensor, weight: Tensor, recurrence: Tensor, bias: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights = [_gates(w, (1, 0, 2)) for w in (weight, recurrence, *bias.chunk(2))]
        y, last = torch.gru(x, hidden[None], weights, True, 1, 0.0, False, False, False)
        return y, last[0]

    def lstm(
        self,
        x: Tensor,
        weight: Tensor,
        recurrence: Tensor,
        bias: Tensor,
        hidden: Tensor,
        cell: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        weights = [_gates(w, (0, 2, 3, 1)) for w in (weight, recurrence, *bias.chunk(2))]
        y, last, last_cell = torch.lstm(
            x, (hidden[None], cell[None]), weights, True, 1, 0.0, False, False, False
        )
        return y, last[0], last_cell[0]


def _ordered(x: Tensor) -> Tensor:
    """x, and the gradient that comes back to it, in one order of memory if its shape leaves two.

    Along an axis of length 1 any stride will do, so that a tensor may be in two orders at once. The
    gradient of PyTorch's normalization on CPUs takes x by one of them and the gradient of y by the
    other, and is wrong (PyTorch 2.13; pytorch/pytorch#63224). A view as a row and back costs
    nothing and has the strides of its shape; so has what its own gradient makes of any other.
    """
    if not torch.is_grad_enabled() or x.dim() < 4 or 1 not in (x.shape[0], *x.shape[2:]):
        return x
    if (
        x.dim() == 4
        and not x.is_contiguous()
        and x.is_contiguous(memory_format=torch.channels_last)
    ):
        last = x.permute(0, 2, 3, 1)
        return last.reshape(-1).view(last.shape).permute(0, 3, 1, 2)
    return x.reshape(-1).view(x.shape)


def _check_channels(x: Tensor, *arrays: Tensor) -> None:
    """Raises: ModelError if an array is too short: PyTorch's kernel would read beyond it."""
    channels = x.shape[1]
    for array in arrays:
        if array.numel() != channels:
            shapes = ", ".join(str(list(a.shape)) for a in arrays)
            raise ModelError(
                f"scale, bias and statistics must each have {channels} numbers, one a channel; "
                f"their shapes are {shapes}."
            )


def _gates(x: Tensor, order: Sequence[int]) -> Tensor:
    """The gates of x [gates * h, ...] in another order."""
    gates = x.chunk(len(order))
    return torch.cat([gates[i] for i in order])


def _any(pads: Sequence[tuple[int, int]]) -> bool:
    return any(before or after for before, after in pads)


def _is_rounded(x: Tensor) -> bool:
    """Whether a product of x is one of bfloat16, or of another type shorter than float32."""
    return x.element_size() < 4 or torch.is_autocast_enabled(x.device.type)


def _of_points(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Of [n, c, 1, …] with a kernel of one place: a product, where a convolution takes longer.

    So gates of channels are made (squeeze and excitation).
    """
    rows = F.linear(x.flatten(1), weight.flatten(1), bias)
    return rows.reshape(*rows.shape, *x.shape[2:])


def _symmetric(
    x: Tensor, pads: Sequence[tuple[int, int]], value: float, always_pad: bool = False
) -> tuple[Tensor, tuple[int, ...]]:
    """The padding as PyTorch's kernels take it, one number an axis.

    What they cannot take is padded beforehand.
    """
    if not always_pad and all(before == after for before, after in pads):
        return x, tuple(before for before, _ in pads)
    return F.pad(x, [n for pair in reversed(pads) for n in pair], value=value), (0,) * len(pads)
