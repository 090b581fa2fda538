"""The reference runs networks: in float64, rounded once at the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Collective, Framework, Trainer, TrainingPlan
from allotrope.frameworks.inputs import check_inputs
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.network import Network

ROUNDED = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "DFT", "STFT"}
"""Operators whose results depend on how float32 rounds: steps, and transforms that ONNX's cases
hold to NumPy's own float32."""


class Reference(Framework):
    """Networks in NumPy, computed in float64 and rounded once at the outputs.

    Those with operators of `ROUNDED` in their own precision.
    """

    name = "reference"

    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name."""
        from allotrope.frameworks.lowering import lowered
        from allotrope.frameworks.widening import widened, widened_array
        from allotrope.network.used import every_node
        from allotrope.operators.interpret import Context, Program

        arrays, primitives, declared = (
            check_inputs(network, inputs),
            ReferencePrimitives(),
            network.outputs,
        )
        if not any(node.operator in ROUNDED for node in every_node(network.graph)):
            network, arrays = (
                widened(network),
                {name: widened_array(array) for name, array in arrays.items()},
            )
        outputs = Program(lowered(network), primitives, primitives)(
            {**network.weights, **arrays}, Context(training=training)
        )
        return {
            v.name: np.asarray(y).astype(v.dtype, copy=False)
            for v, y in zip(declared, outputs, strict=True)
        }

    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Raises: UnsupportedError, always."""
        self._refuse("gradients")

    def native(self, network: Network) -> Any:
        """Raises: UnsupportedError, always."""
        self._refuse("native models")

    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """Raises: UnsupportedError, always."""
        self._refuse("native models")

    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> Trainer:
        """Raises: UnsupportedError, always."""
        self._refuse("training")

    def settings(self) -> list[Settings]:
        """None: the reference does not train."""
        return []

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedError(
            f"the reference computes outputs only, no {what}; take its finite differences, or "
            "another framework."
        )


FRAMEWORK = Reference()
