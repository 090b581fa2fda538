"""PyTorch's primitives that move elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from allotrope.frameworks.shaping import ShapingPrimitives

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


class PyTorchShaping(ShapingPrimitives):
    """The primitives of shaping over `torch.Tensor`."""

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return torch.reshape(x, tuple(shape))

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return torch.permute(x, tuple(axes))

    def broadcast_to(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return torch.broadcast_to(x, tuple(shape))

    def concatenate(self, arrays: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(tuple(arrays), dim=axis)

    def slice(
        self, x: Tensor, starts: Sequence[int], stops: Sequence[int | None], steps: Sequence[int]
    ) -> Tensor:
        backward = [i for i, step in enumerate(steps) if step < 0]
        index = []
        for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
            if step > 0:
                index.append(slice(start, stop, step))
            else:
                # PyTorch has no negative steps: flip the axis and count from its other end.
                last = x.shape[i] - 1
                if stop is not None:
                    stop = last - stop
                index.append(slice(last - start, stop, -step))
        if backward:
            x = torch.flip(x, backward)
        return x[tuple(index)]

    def split(self, x: Tensor, lengths: Sequence[int], axis: int) -> tuple[Tensor, ...]:
        # The slope of slices is a sum of arrays as large as x, of a split it is one.
        return torch.split(x, list(lengths), axis)

    def pad(
        self, x: Tensor, before: Sequence[int], after: Sequence[int], mode: str, value: float | int
    ) -> Tensor:
        if mode != "constant":
            return self._gathered_pad(x, before, after, mode)
        return F.pad(
            x,
            [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair],
            value=value,
        )

    def _gathered_pad(
        self, x: Tensor, before: Sequence[int], after: Sequence[int], mode: str
    ) -> Tensor:
        for axis, (low, high) in enumerate(zip(before, after, strict=True)):
            if low or high:
                places = np.arange(x.shape[axis])
                positions = np.pad(places, (low, high), mode=mode)  # type: ignore[call-overload]
                x = torch.index_select(x, axis, torch.from_numpy(positions).to(x.device))
        return x

    def take(self, x: Tensor, indices: Tensor, axis: int) -> Tensor:
        axis %= x.dim()
        flat = torch.index_select(x, axis, indices.reshape(-1).long())
        return flat.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])

    def flip(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return torch.flip(x, tuple(axes))

    def scatter(self, x: Tensor, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
        spread = indices.reshape(-1, *[1] * (x.dim() - 1)).expand(updates.shape)
        if reduction == "none":
            return torch.scatter(x, 0, spread, updates)
        return torch.scatter_reduce(x, 0, spread, updates, _REDUCTIONS[reduction])
