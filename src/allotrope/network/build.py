"""Networks written in code, one node at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from allotrope.errors import ModelError
from allotrope.network.graph import UNKNOWN, Dimension, Graph, Node, Value
from allotrope.network.names import free_name, with_names
from allotrope.network.network import Network
from allotrope.network.reading.shapes import infer_shapes


class Builder:
    """Collects nodes, weights and constants.

    Operators and attributes are ONNX's own, of `normalize.OPSET`.

    A value is called after the node that makes it, so that messages and tables name the layer.
    """

    def __init__(self, name: str = "network") -> None:
        """Begin an empty network called `name`."""
        self.name = name
        self._inputs: list[Value] = []
        self._outputs: list[str] = []
        self._nodes: list[Node] = []
        self._weights: dict[str, np.ndarray] = {}
        self._trainable: set[str] = set()
        self._constants: dict[str, np.ndarray] = {}
        self._names: set[str] = set()

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[Dimension]) -> str:
        """Add an input; a free length is a name such as `n`."""
        self._claim(name)
        self._inputs.append(Value(name, np.dtype(dtype), tuple(shape)))
        return name

    def weight(self, name: str, array: np.ndarray, *, trainable: bool = True) -> str:
        """Add a weight; one that is not trainable is state or frozen."""
        self._claim(name)
        self._weights[name] = array
        if trainable:
            self._trainable.add(name)
        return name

    def constant(self, array: npt.ArrayLike, name: str = "constant") -> str:
        """Add an array that training never changes."""
        name = self._free(name)
        self._constants[name] = np.asarray(array)
        return name

    @overload
    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any] | None = ...,
        *,
        name: str = ...,
    ) -> str: ...
    @overload
    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any] | None = ...,
        *,
        name: str = ...,
        outputs: int,
    ) -> tuple[str, ...]: ...
    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        outputs: int | None = None,
    ) -> str | tuple[str, ...]:
        """Add a node and return the name of its output, or a tuple of as many as `outputs` says.

        Raises: ModelError if an input has not been made yet.
        """
        unmade = sorted(set(inputs) - self._names - {""})
        if unmade:
            raise ModelError(
                f"node '{name or operator}' ({operator}) uses {', '.join(map(repr, unmade))}, "
                "which nothing before it makes."
            )
        name = self._free(name or operator.lower())
        made = (
            (name,)
            if outputs is None
            else tuple(self._free(f"{name}.{index}") for index in range(outputs))
        )
        self._nodes.append(Node(operator, tuple(inputs), made, dict(attributes or {}), name))
        return name if outputs is None else made

    def output(self, value: str, name: str | None = None) -> None:
        """Make `value` an output of the network, called `name` where one is given."""
        if name is not None and name != value:
            self._claim(name)
            self._rename(value, name)
            value = name
        self._outputs.append(value)

    def network(self) -> Network:
        """The finished network, with the shape of every value that can be inferred."""
        unknown = tuple(Value(name, UNKNOWN, None) for name in self._outputs)
        graph = Graph(
            tuple(self._inputs), unknown, tuple(self._nodes), dict(self._constants), name=self.name
        )
        return Network(
            infer_shapes(graph, self._weights), self._weights, frozenset(self._trainable)
        )

    def _rename(self, value: str, name: str) -> None:
        makers = [index for index, node in enumerate(self._nodes) if value in node.outputs]
        if not makers or value in self._outputs:
            self._nodes.append(Node("Identity", (value,), (name,), name=name))
            return
        self._nodes = [with_names(node, {value: name}) for node in self._nodes]

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise ModelError(
                f"the name '{name}' is used twice in network '{self.name}'; every value and "
                "weight needs its own."
            )
        self._names.add(name)

    def _free(self, name: str) -> str:
        """`name`, or it with the first number that makes it new."""
        return free_name(name, self._names)
