"""What a network costs without being measured, between two networks that were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.verbs.pipeline.shrunk_values import Before


@dataclass(frozen=True)
class CostLine:
    """offset + slope * x."""

    offset: float
    slope: float

    @classmethod
    def through(cls, x: tuple[float, float], y: tuple[float, float]) -> Self:
        """The line through two points; one that does not rise goes through 0 and the first."""
        if x[0] > x[1] and y[0] > y[1]:
            slope = (y[0] - y[1]) / (x[0] - x[1])
            return cls(max(y[1] - slope * x[1], 0.0), slope)
        return cls(0.0, y[0] / max(x[0], 1.0))

    def __call__(self, x: float) -> float:
        """The value at x."""
        return self.offset + self.slope * x


@dataclass(frozen=True)
class Costs:
    """Seconds by multiply-adds, bytes by weights; each with a part that no cut takes away.

    They only order what may be cut: what is cut is timed.
    """

    milliseconds: CostLine
    sizes: CostLine

    @classmethod
    def of(cls, before: Before) -> Self:
        """By the network as it came and the narrowest that can be made of it."""
        ends = before.whole, before.least
        return cls(
            CostLine.through(_pair(ends, "multiply_adds"), _pair(ends, "latency_ms")),
            CostLine.through(_pair(ends, "weights"), _pair(ends, "size_bytes")),
        )

    def seconds(self, network: Network) -> float:
        """For one example."""
        return self.milliseconds(multiply_adds(network)) / 1e3

    def bytes(self, network: Network) -> float:
        """Of the file."""
        return self.sizes(parameters(network))


def _pair(ends: tuple[Mapping[str, float], Mapping[str, float]], key: str) -> tuple[float, float]:
    return ends[0][key], ends[1][key]
