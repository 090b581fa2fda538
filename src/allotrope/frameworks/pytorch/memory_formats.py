"""How arrays lie in memory: PyTorch's format for each layout that settings name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEMORY_FORMATS = {"default": torch.contiguous_format, "channels-last": torch.channels_last}
OF_VOLUMES = {torch.channels_last: torch.channels_last_3d}
"""The formats that have another name for arrays with three spatial axes."""


def in_format(x: Tensor, memory_format: torch.memory_format) -> Tensor:
    """`x` as it lies in this format, or as it is if it has other than two or three spatial axes."""
    if x.dim() == 5:
        return x.contiguous(memory_format=OF_VOLUMES.get(memory_format, memory_format))
    if x.dim() == 4:
        return x.contiguous(memory_format=memory_format)
    return x


def lay_out(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Puts a module's weights and state into this format, where they stay the same tensors."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = in_format(tensor.data, memory_format)
