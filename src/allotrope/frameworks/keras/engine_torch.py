"""Keras on PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from allotrope.frameworks.keras.engine_model import EngineModel
from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.pytorch.memory_formats import MEMORY_FORMATS, in_format
from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives, to_numpy
from allotrope.frameworks.pytorch.product_precision import products


class TorchModel(EngineModel):
    """A model of Keras on PyTorch."""

    @staticmethod
    def to_numpy(x: Tensor) -> Any:
        return to_numpy(x).copy()

    @staticmethod
    def set_threads(threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)

    @staticmethod
    def precisely(precision: str) -> AbstractContextManager[Any]:
        return products(precision)

    def prepare(self, layout: str | None) -> PyTorchPrimitives:
        memory_format = None
        if layout is not None:
            memory_format = MEMORY_FORMATS[layout]
        if memory_format == torch.channels_last:
            for variable in self.variables:
                variable.value.data = in_format(variable.value.data, memory_format)
        return PyTorchPrimitives(self._device, memory_format)

    @property
    def _device(self) -> str:
        return str(self.training_step.value.device)

    def narrowing(self) -> AbstractContextManager[Any]:
        return torch.autocast(
            torch.device(self._device).type,
            torch.bfloat16,
            enabled=self.compute_dtype == "bfloat16",
        )

    def array(self, x: Any) -> Tensor:
        if isinstance(x, keras.Variable):
            return x.value
        return x

    def train_step(self, data: Any) -> dict[str, Tensor]:
        logs: dict[str, Tensor] = {}
        for _ in self.passes():
            logs = super().train_step(data)
        with torch.no_grad():
            self.after_step()
        return logs
