"""Processes that train together by `torch.distributed`: gloo, between CUDA devices NCCL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from allotrope.frameworks.contract import Collective

PATIENCE = timedelta(minutes=30)
"""How long a sum may take. Who leads ends processes that wait for one that is gone sooner."""


class TorchProcesses(Collective):
    """The default process group of this process."""

    def __init__(self, rank: int, size: int, addresses: Sequence[str], device: str) -> None:
        """Joins the group that gathers at the first HOST:PORT."""
        super().__init__(rank, size)
        backend = "gloo"
        if device == "cuda":
            devices = torch.cuda.device_count()
            hosts = [address.rpartition(":")[0] for address in addresses]
            backend = between_devices(hosts, devices)
            torch.cuda.set_device(hosts[:rank].count(hosts[rank]) % devices)
        meeting = f"tcp://{addresses[0]}"
        dist.init_process_group(
            backend, init_method=meeting, rank=rank, world_size=size, timeout=PATIENCE
        )

    def sum(self, x: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(x)
        return summed


def between_devices(hosts: Sequence[str], devices: int) -> str:
    """The engine of processes on these hosts, with so many CUDA devices each.

    NCCL refuses two processes on one device; gloo carries what they have through memory.
    """
    crowded = max(map(hosts.count, hosts)) > devices
    return "gloo" if crowded else "nccl"


class _Sum(torch.autograd.Function):
    """The sum over all processes; what comes back to it is summed too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(x: Tensor) -> Tensor:
    y = x.contiguous().clone()
    dist.all_reduce(y)
    return y
