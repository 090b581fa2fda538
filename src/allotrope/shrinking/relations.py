"""The atoms of every axis of every value: nodes relate those that they take to those they make."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.used import used
from allotrope.shrinking.atoms import Atoms, Axis, Reason
from allotrope.shrinking.junction import Axes, Junction, Whole

Rule = Callable[[Junction], Sequence[Axes]]
"""Gives the axes of each output.

What it does not take of an input by `Junction.take` stays whole.
"""

RULES: dict[str, Rule] = {}
OWN = "allotrope"
"""The domain of operators that only networks in training have; no name is ONNX's too."""

NO_RULE = "there is no rule for how this operator treats an axis that is cut"


def relates(*operators: str) -> Callable[[Rule], Rule]:
    """Enters a rule for operators of ONNX's own, or of ours."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(operators, function))
        return function

    return enter


@dataclass(frozen=True, slots=True)
class ArrayUse:
    """An array as one node takes it; `axes` are None if it is taken whole, in whatever way."""

    name: str
    index: int
    position: int
    axes: Axes | None


class Relations:
    """A network's values with the atoms of their axes; None for axes that nothing can cut."""

    def __init__(self, network: Network, turned: Set[int] = frozenset()) -> None:
        """`turned` are the nodes, by index, that part an axis otherwise than usual."""
        self.network = network
        self.lookup = Lookup(network.graph, network.weights)
        self.atoms = Atoms()
        self.values: dict[str, Axes] = {}
        self.inputs: list[dict[int, Axes]] = []
        """Of each node, in their order: the axes of its inputs by position."""
        self.uses: list[ArrayUse] = []
        self.parted: dict[int, Axis] = {}
        """The axes that were parted where there was a choice, by the index of the node."""
        self._turned = turned
        self._tied: dict[str, Axes] = {}
        for value in network.inputs:
            self.values[value.name] = self._of_input(value)
        for index, node in enumerate(network.graph.nodes):
            self._relate(index, node)
        for value in network.outputs:
            self._freeze(value.name, Reason("output", value.name, "it is what the network gives"))
        self._freeze_tied()

    @functools.cached_property
    def roots(self) -> np.ndarray:
        """What stands for the set of every atom, now that all are related: int64 [atoms]."""
        return self.atoms.roots(np.arange(len(self.atoms)))

    def of_node(self, index: int) -> Iterator[Axis]:
        """Every axis that a node takes or makes and that could be cut."""
        node = self.network.graph.nodes[index]
        made = [self.values.get(name, ()) for name in node.outputs if name]
        for axes in (*self.inputs[index].values(), *made):
            yield from (axis for axis in axes if axis is not None)

    def named_axes(self) -> Iterator[tuple[str, Axis]]:
        """Every axis that could be cut, with the name of its value."""
        arrays = [(use.name, use.axes) for use in self.uses if use.axes is not None]
        for name, axes in (*self.values.items(), *arrays):
            yield from ((name, axis) for axis in axes if axis is not None)

    def _relate(self, index: int, node: Node) -> None:
        taken = {
            position: self._taken(index, position, name)
            for position, name in enumerate(node.inputs)
            if name
        }
        self.inputs.append(taken)
        weights = self.network.weights.keys()
        junction = Junction(node, taken, self.lookup, self.atoms, weights, index in self._turned)
        made, why = self._made(node, junction)
        if junction.parted is not None:
            self.parted[index] = junction.parted
        # What a rule did not speak of stays, so that a rule can forget nothing.
        junction.close(Reason(node.operator, node.label, why))
        # Graphs inside take values by name; nobody follows these.
        for name in used(node) - set(node.inputs):
            self._freeze(name, Reason(node.operator, node.label, NO_RULE))
        for name, axes in zip(node.outputs, made, strict=False):
            if name:
                self.values[name] = axes

    def _made(self, node: Node, junction: Junction) -> tuple[Sequence[Axes], str]:
        """The axes of each output, and why what was not taken stays."""
        nothing = [self._whole(name) for name in node.outputs]
        rule = RULES.get(node.operator)
        is_known = rule is not None and node.domain in ("", OWN)
        if rule is None or not is_known or next(node.subgraphs, None) is not None:
            return nothing, NO_RULE
        names = (*filter(None, node.inputs), node.outputs[0])
        if any(self.lookup.rank(name) < 0 for name in names):
            return nothing, "the shape of a value is not known"
        try:
            made = list(rule(junction))
        except Whole as whole:
            junction.release()
            return nothing, str(whole)
        return [*made, *nothing[len(made) :]], "it needs the axis as a whole"

    def _taken(self, index: int, position: int, name: str) -> Axes:
        """The axes of an input; an array has atoms of its own wherever it is used.

        Weights of several axes have the same everywhere: what is tied stays one parameter.
        """
        array = self.lookup.arrays.get(name)
        if array is None:
            return self.values.get(name, ())
        axes = self._tied.get(name)
        if axes is None:
            axes = tuple(Axis(self.atoms.fresh(n), self._number(name)) for n in array.shape)
        if name in self.network.weights and array.ndim > 1:
            self._tied[name] = axes
        self.uses.append(ArrayUse(name, index, position, axes))
        return axes

    def _number(self, name: str) -> float | None:
        """What an array is at removed places: weights are 0 there, constants what they are."""
        if name in self.network.weights:
            return 0.0
        array = self.lookup.arrays[name]
        if array.size and array.dtype.kind in "biuf" and (array == array.flat[0]).all():
            return float(array.flat[0])
        return None

    def _of_input(self, value: Value) -> Axes:
        reason = Reason("input", value.name, "it is what the network takes")
        return tuple(
            Axis(self.atoms.fresh(length, reason)) if isinstance(length, int) else None
            for length in value.shape or ()
        )

    def _whole(self, name: str) -> Axes:
        return (None,) * max(self.lookup.rank(name), 0)

    def _freeze(self, name: str, reason: Reason) -> None:
        if name in self.lookup.arrays:
            self.uses.append(ArrayUse(name, -1, -1, None))
        for axis in self.values.get(name, ()):
            if axis is not None:
                self.atoms.freeze(axis.atoms, reason)

    def _freeze_tied(self) -> None:
        """What is tied to an array that is taken whole stays whole too."""
        for use in self.uses:
            if use.axes is None:
                for axis in filter(None, self._tied.get(use.name, ())):
                    self.atoms.freeze(axis.atoms, Reason("array", use.name, "it is taken whole"))
