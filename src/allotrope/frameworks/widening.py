"""Networks in a wider float: float64 for the reference and for proofs, float32 for halves."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from allotrope.network.network import Network
from allotrope.network.rewriting.precision import with_types


@dataclass(frozen=True)
class Widening:
    """Floats of `narrow` kinds become `wide`; anything else stays as it is."""

    wide: np.dtype
    narrow: tuple[np.dtype, ...]

    def network(self, network: Network) -> Network:
        """The same network with every narrow value, weight, constant and cast in the wide float."""
        return with_types(network, dict.fromkeys(self.narrow, self.wide))

    def array(self, array: np.ndarray) -> np.ndarray:
        """The array, in the wide float if it is narrow."""
        if array.dtype in self.narrow:
            return array.astype(self.wide)
        return array

    def concerns(self, network: Network) -> bool:
        """Whether inputs, weights or values of a network are narrow."""
        values = [*network.inputs, *network.outputs, *network.graph.values.values()]
        arrays = [*network.weights.values(), *network.graph.constants.values()]
        dtypes = {value.dtype for value in values} | {array.dtype for array in arrays}
        return bool(dtypes & set(self.narrow))


DOUBLE = Widening(np.dtype(np.float64), (np.dtype(np.float32),))
"""float32 as float64."""
SINGLE = Widening(np.dtype(np.float32), (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)))
"""float16 and bfloat16 as float32."""


def widened_array(array: np.ndarray) -> np.ndarray:
    """float32 as float64; anything else as it is."""
    return DOUBLE.array(array)


def widened(network: Network) -> Network:
    """The same network with every float32 value, weight, constant and cast in float64."""
    return DOUBLE.network(network)
