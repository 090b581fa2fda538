"""The table of what brings an operator of an old opset up to date, and what such an adapter has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node, Value
from allotrope.network.names import free_name

Adapter = Callable[[Node, "Upgrade"], "list[Node]"]


ADAPTERS: dict[str, tuple[int, Adapter]] = {}


LATE = frozenset({"Hardmax", "LogSoftmax", "Softmax"})
"""Operators that need shapes which old opsets do not infer; old or new, they do not change the
shape."""


def before(version: int, *operators: str) -> Callable[[Adapter], Adapter]:
    """Register what brings these operators, as they were before an opset version, up to date."""

    def register(adapter: Adapter) -> Adapter:
        ADAPTERS.update(dict.fromkeys(operators, (version, adapter)))
        return adapter

    return register


@dataclass
class Upgrade:
    """One graph on its way.

    It has what is known of the graph's values, names that are taken, those that somebody uses,
    and constants that were added.
    """

    opset: int
    known: Callable[[], Mapping[str, Value]]
    arrays: Mapping[str, np.ndarray]
    taken: set[str]
    used: frozenset[str]
    added: dict[str, np.ndarray] = field(default_factory=dict)

    def constant(self, node: Node, suffix: str, array: Any) -> str:
        """A new constant that belongs to a node; gives its name."""
        name = self.fresh(node, suffix)
        self.added[name] = np.asarray(array)
        return name

    def fresh(self, node: Node, suffix: str) -> str:
        """A value name that is not taken."""
        return free_name(f"{node.label}/{suffix}", self.taken)

    def dtype(self, name: str) -> np.dtype:
        """The type of a value, float32 where inference does not know it."""
        value = self.known().get(name)
        return value.dtype if value is not None else np.dtype(np.float32)

    def rank(self, name: str) -> int:
        """The number of axes of a value. Raises: UnsupportedError where it is not known."""
        shape = self.shape(name)
        if shape is None:
            raise UnsupportedError(f"the number of axes of '{name}' is not known")
        return len(shape)

    def shape(self, name: str) -> tuple[Any, ...] | None:
        """The shape of a value as far as it is known."""
        value = self.known().get(name)
        return value.shape if value is not None else None


def adapter_of(node: Node, opset: int, late: bool) -> Adapter | None:
    """What brings a node of an opset up to date in this stage; None if it is as it was."""
    version, adapter = ADAPTERS.get(node.operator, (0, None))
    return (
        adapter
        if node.domain == "" and opset < version and (node.operator in LATE) == late
        else None
    )


def changed(
    node: Node,
    *,
    drop: tuple[str, ...] = (),
    inputs: tuple[str, ...] | None = None,
    **attributes: Any,
) -> Node:
    """The node without some attributes, with others, and perhaps with other inputs."""
    old = {name: value for name, value in node.attributes.items() if name not in drop}
    return replace(
        node, inputs=node.inputs if inputs is None else inputs, attributes=old | attributes
    )


def attribute_to_input(
    node: Node, up: Upgrade, attribute: str, position: int, scalar: bool = False
) -> Node:
    """An integer attribute that became an input."""
    if attribute not in node.attributes:
        return node
    values = node.attributes[attribute]
    array = np.array(values if scalar else np.atleast_1d(values), dtype=np.int64)
    inputs = (
        *node.inputs,
        *[""] * (position - len(node.inputs)),
        up.constant(node, attribute, array),
    )
    return changed(node, drop=(attribute,), inputs=inputs)


def onnx_type(dtype: np.dtype) -> int:
    """ONNX's number for a type."""
    return int(np_dtype_to_tensor_dtype(dtype))
