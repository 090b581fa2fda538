"""PyTorch as everyone knows it: eager, float32, PyTorch's default memory layout.

The baseline; never delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.runtimes.contract import Runtime, Session


class PyTorchEager(Runtime):
    """Runs the same file as a `torch.nn.Module`, pre-processing included."""

    name = "pytorch"
    package = "torch"
    install = "pip install 'allotrope[pytorch]'"
    precisions = ("float32",)

    def open(
        self, path: Path, precision: str, threads: int | None = None, **options: Any
    ) -> Session:
        return EagerSession(path, threads)


class EagerSession:
    """A network as an eager module in evaluation mode, all convolutions contiguous [n, c, h, w]."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import torch

        from allotrope.frameworks.pytorch.module import NetworkModule
        from allotrope.network.reading.read import load

        if threads is not None:
            torch.set_num_threads(threads)
        self._torch = torch
        self._module = NetworkModule(load(path), torch.contiguous_format).eval()

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, such as {"label": [n, k]} for {"row": [n, c]}."""
        with self._torch.inference_mode():
            tensors = {name: self._torch.from_numpy(array) for name, array in inputs.items()}
            outputs = self._module.outputs(tensors)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def run_whole(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same: a batch is never run in parts."""
        return self.run(inputs)

    def tune(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Nothing is chosen: it is PyTorch's defaults that everything is compared with."""
        return {}
