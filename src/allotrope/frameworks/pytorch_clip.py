"""Clip between two numbers with a gradient in one kernel: that of `torch.clamp` takes five, ten times as long."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

ONE_KERNEL = (torch.float32, torch.bfloat16)


def clip(x: Tensor, low: float, high: float) -> Tensor:
    """x kept between two numbers; an element at a bound has all of the gradient."""
    if not (x.requires_grad and torch.is_grad_enabled() and x.dtype in ONE_KERNEL and low < high):
        return torch.clamp(x, low, high)
    below, above = beyond(low, -1, x.dtype), beyond(high, 1, x.dtype)
    if below is None or above is None:
        return torch.clamp(x, low, high)
    found: Tensor = _Clip.apply(x, low, high, below, above)
    return found


class _Clip(torch.autograd.Function):
    """The gradient is hardtanh's, which leaves out its bounds, so it is given the numbers just beyond ours."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, low: float, high: float, below: float, above: float) -> Tensor:
        return torch.clamp(x, low, high)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.bounds = inputs[3:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, x, *ctx.bounds), None, None, None, None


def beyond(bound: float, sign: int, dtype: torch.dtype) -> float | None:
    """The number of the dtype next to a bound, above or below it; None where the bound itself is no number of the dtype.

    Next to 0 it is the smallest normal number, because processors may be told to take smaller ones for 0.
    """
    if bound == 0:
        return sign * torch.finfo(dtype).tiny
    mantissa, exponent = math.frexp(bound)
    step = math.ldexp(torch.finfo(dtype).eps, exponent - 1)
    if not (bound / step).is_integer():
        return None
    inwards = abs(mantissa) == 0.5 and sign * bound < 0  # towards 0 from a power of two numbers lie half as far apart
    return bound + sign * (step / 2 if inwards else step)
