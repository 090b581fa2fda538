"""Any framework as a backend of ONNX's own test suite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.network.network import Network
from allotrope.network.reading.read import load


class Prepared(BackendRep):
    """A network that is ready to run in one framework."""

    def __init__(self, network: Network, framework: str) -> None:
        self.network = network
        self.framework = framework

    def run(self, inputs: Sequence[Any], **options: Any) -> tuple[Any, ...]:
        """The outputs in the order of the network.

        `inputs` in its order too, those left out at the end being optional.

        Raises: AllotropeError where the framework lacks an operator or an input does not fit.
        """
        names = [value.name for value in self.network.inputs]
        if len(inputs) > len(names):
            raise UsageError(
                f"{len(inputs)} inputs were given; the network takes {len(names)}: "
                f"{', '.join(names)}."
            )
        outputs = self.network.run(dict(zip(names, inputs, strict=False)), framework=self.framework)
        return tuple(outputs[value.name] for value in self.network.outputs)


def onnx_backend(framework: str) -> type[Backend]:
    """An `onnx.backend.base.Backend` that runs models in `framework`.

    Raises: UsageError for an unknown framework, MissingDependencyError for one that is not
    installed.
    """
    find_framework(framework)

    class FrameworkBackend(Backend):
        """Runs ONNX models through Allotrope."""

        @classmethod
        def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> Prepared:
            return Prepared(load(model, repair=False), framework)

        @classmethod
        def run_model(
            cls,
            model: onnx.ModelProto,
            inputs: Sequence[np.ndarray],
            device: str = "CPU",
            **options: Any,
        ) -> tuple[Any, ...]:
            return cls.prepare(model, device).run(inputs)

        @classmethod
        def supports_device(cls, device: str) -> bool:
            return device == "CPU"

    return FrameworkBackend
