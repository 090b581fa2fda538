"""Clip between two numbers with a gradient in one kernel: torch.clamp takes 5 to 10 times that."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

ONE_KERNEL = (torch.float32, torch.bfloat16)


def clip(x: Tensor, low: float, high: float, overwrite: bool = False) -> Tensor:
    """x kept between two numbers, in its own place where that is allowed.

    An element at a bound has all of the gradient.
    """
    # In its own place only if no gradient needs x.
    if not (x.requires_grad and torch.is_grad_enabled()):
        if overwrite:
            return torch.clamp_(x, low, high)
        return torch.clamp(x, low, high)
    outside = just_outside(low, high, x.dtype)
    if outside is None or torch._C._are_functorch_transforms_active():
        return torch.clamp(x, low, high)
    clipped: Tensor = _Clip.apply(x, (low, high), outside)
    return clipped


class _Clip(torch.autograd.Function):
    """The gradient is hardtanh's, which leaves out its bounds: it is given the numbers beyond ours.

    There is no `setup_context`, with which each call costs as much as the kernel of a small array.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bounds: tuple[float, float], outside: tuple[float, float]
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.outside = outside
        return torch.clamp(x, *bounds)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward.default(gradient, x, *ctx.outside), None, None


@functools.lru_cache
def just_outside(low: float, high: float, dtype: torch.dtype) -> tuple[float, float] | None:
    """The numbers next to two bounds; None where the gradient cannot be hardtanh's with these."""
    if dtype not in ONE_KERNEL or not low < high:
        return None
    below, above = beyond(low, -1, dtype), beyond(high, 1, dtype)
    if below is None or above is None:
        return None
    return below, above


def beyond(bound: float, sign: int, dtype: torch.dtype) -> float | None:
    """The number of the dtype next to a bound, above or below it.

    None where the bound itself is no number of the dtype.

    Next to 0 it is the smallest normal number, because processors may be told to take smaller ones
    for 0.
    """
    if bound == 0:
        return sign * torch.finfo(dtype).tiny
    mantissa, exponent = math.frexp(bound)
    step = math.ldexp(torch.finfo(dtype).eps, exponent - 1)
    if not (bound / step).is_integer():
        return None
    # Towards 0 from a power of two numbers lie half as far apart.
    if abs(mantissa) == 0.5 and sign * bound < 0:
        step /= 2
    return bound + sign * step
