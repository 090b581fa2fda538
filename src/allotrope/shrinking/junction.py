"""One node while its inputs' atoms are related to those of its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np

from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.graph import Dimension, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.operators import meanings  # noqa: F401 - fills the table
from allotrope.operators.operator_table import OPERATORS
from allotrope.shrinking.atoms import Atoms, Axis, Reason

Axes = tuple[Axis | None, ...]
"""Those of one value; None for an axis that nothing can cut."""


class Whole(Exception):
    """Raised by a rule: nothing of what the node takes can be cut; says why."""


class Junction:
    """A node, what is known of its inputs, and which of their axes its rule has spoken of."""

    def __init__(
        self,
        node: Node,
        inputs: Mapping[int, Axes],
        lookup: Lookup,
        atoms: Atoms,
        weights: Set[str],
        turned: bool = False,
    ) -> None:
        """`turned`: if an axis is parted, another one of its parts is to be cut than usual."""
        self.node, self.inputs, self.lookup, self.atoms = node, inputs, lookup, atoms
        self._weights, self.turned = weights, turned
        self.parted: Axis | None = None
        """What was parted, if there was a choice what of it is to be cut."""
        self._spoken_of: set[tuple[int, int]] = set()

    # --- what is known

    def has(self, position: int) -> bool:
        """Whether the node takes an input at this position."""
        return bool(self.node.input(position))

    def shape(self, position: int = 0) -> tuple[Dimension, ...]:
        """The lengths of an input, names and None among them."""
        return self.lookup.shape(self.node.inputs[position]) or ()

    def made(self, position: int = 0) -> tuple[Dimension, ...]:
        """The lengths of an output. Raises: Whole if they are not known."""
        shape = self.lookup.shape(self.node.outputs[position])
        if shape is None:
            raise Whole("the shape of a value is not known")
        return shape

    def constant(self, position: int) -> np.ndarray | None:
        """An input that steers; None if it is left out.

        Raises: Whole if it is not known beforehand.
        """
        name = self.node.input(position)
        if not name:
            return None
        array = self.lookup.arrays.get(name)
        if array is None or name in self._weights:
            raise Whole(f"its input '{name}' is not known beforehand")
        return array

    def number(self, position: int) -> float | None:
        """What a constant of one element is; None for everything else."""
        name = self.node.inputs[position]
        array = self.lookup.arrays.get(name)
        if array is None or name in self._weights or array.size != 1:
            return None
        return float(array.reshape(()))

    def axis(self, default: int, position: int = 0) -> int:
        """The node's axis, counted from the front."""
        rank = len(self.inputs[position])
        axis = int(self.node.attributes.get("axis", default))
        if not -rank <= axis < rank:
            raise Whole(f"there is no axis {axis}")
        return axis % rank

    # --- what a rule says

    def take(self, position: int, axis: int) -> Axis | None:
        """An axis of an input, which is spoken of from now on."""
        self._spoken_of.add((position, axis % len(self.inputs[position])))
        return self.inputs[position][axis]

    def unite(self, *axes: Axis | None, at: float | None = None) -> Axis | None:
        """The axes go together, place by place; None if one of them stays as it is."""
        known = [axis for axis in axes if axis is not None]
        if len({len(axis) for axis in known}) > 1:
            raise Whole("lengths that belong together differ")
        if len(known) < len(axes):
            for axis in known:
                self.freeze(axis, "it is matched with an axis that stays as it is")
            return None
        for axis in known[1:]:
            self.atoms.unite(known[0].atoms, axis.atoms)
        return Axis(known[0].atoms, at)

    def freeze(self, axis: Axis, why: str) -> None:
        """The places stay."""
        self.atoms.freeze(axis.atoms, Reason(self.node.operator, self.node.label, why))

    def contract(self, *axes: Axis | None) -> None:
        """The axes are multiplied and summed: what is removed must add 0 to the sum."""
        self.unite(*axes)
        if not any(axis is not None and axis.at == 0 for axis in axes):
            for axis in axes:
                if axis is not None:
                    self.freeze(axis, "what is removed would count in its sum")

    def passed(self, axis: Axis | None) -> Axis | None:
        """An axis of the output that is like one of an input, 0 where that is 0."""
        if axis is None or axis.at == 0:
            return axis
        return valued(axis)

    def worked_out(self, *numbers: float | None) -> float | None:
        """What the operator makes of numbers, one for each input; None if that is not known."""
        if any(n is None for n, name in zip(numbers, self.node.inputs, strict=True) if name):
            return None
        operator = OPERATORS[self.node.operator]
        attributes = {operator.attributes[k]: v for k, v in self.node.attributes.items()}
        inputs = [None if number is None else np.asarray(number, np.float64) for number in numbers]
        with np.errstate(all="ignore"):
            return float(operator.function(ReferencePrimitives(), *inputs, **attributes))

    # --- afterwards

    def release(self) -> None:
        """Nothing is spoken of after all."""
        self._spoken_of.clear()

    def close(self, reason: Reason) -> None:
        """Freezes every axis that was not spoken of."""
        for position, axes in self.inputs.items():
            for number, axis in enumerate(axes):
                if axis is not None and (position, number) not in self._spoken_of:
                    self.atoms.freeze(axis.atoms, reason)


def valued(axis: Axis | None, at: float | None = None) -> Axis | None:
    """The axis, of a value that is `at` where it is removed."""
    if axis is None:
        return None
    return Axis(axis.atoms, at)


def same(numbers: Sequence[float | None]) -> float | None:
    """The number that all of them are; None if they are not."""
    first = numbers[0]
    if all(number == first for number in numbers):
        return first
    return None
