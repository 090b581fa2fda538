"""What source and README say of a network: its name, what it takes and gives."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.conversion.core.source import printable
from allotrope.network.graph import Value
from allotrope.network.network import Network


def title(network: Network) -> str:
    """The name of the network."""
    return _quotable(network.graph.name) or "network"


def _quotable(text: str) -> str:
    """The text as it can stand in a docstring."""
    return printable(text).replace('"', "'").replace("\\", "/")


def ends(values: Sequence[Value]) -> str:
    """Names, kinds and shapes of inputs or outputs."""
    return ", ".join(map(described, values))


def _length(length: object) -> str:
    if length is None:
        return "?"
    return str(length)


def described(value: Value) -> str:
    """Name, kind and shape of an input or output."""
    sizes = ""
    if value.shape is not None:
        sizes = f" [{', '.join(map(_length, value.shape))}]"
    return _quotable(f"{value.name} {value.dtype}{sizes}")
