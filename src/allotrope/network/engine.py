"""What computes a network.

Frameworks are built on networks, so a network cannot import them: the package names here who knows
them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Engine(Protocol):
    """What a network asks of a framework; `frameworks.contract.Framework` is one."""

    def run(self, network: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The network's outputs by name."""

    def gradients(
        self, network: Any, inputs: Mapping[str, Any], output_gradients: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""

    def native(self, network: Any) -> Any:
        """The network as the framework's own kind of trainable model."""

    def weights_of(self, model: Any) -> dict[str, Any]:
        """The weights and state of a native model, by their names in the network."""


_by_name: list[Callable[[str], Engine]] = []


def supply(by_name: Callable[[str], Engine]) -> None:
    """From now on engines are found by this function."""
    _by_name[:] = [by_name]


def engine(name: str) -> Engine:
    """The engine of this name. Raises: UsageError for an unknown name, MissingDependencyError."""
    (by_name,) = _by_name
    return by_name(name)
