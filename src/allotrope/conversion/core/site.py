"""A node in its place: what a rule of a target may ask about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.lengths import is_symbolic
from allotrope.conversion.core.source import Expression
from allotrope.network.graph import Node, Value

if TYPE_CHECKING:
    from allotrope.conversion.core.translation import Translation


class Site:
    """One node in its place, as its rule sees it. A target adds what its own rules ask for.

    `keeps_inputs`: the variables of the inputs are needed to the end. `foreign` are dtypes that the
    target's functions hardly take.
    """

    keeps_inputs: ClassVar[bool] = False
    foreign: ClassVar[tuple[np.dtype, ...]] = ()

    def __init__(self, translation: Translation, node: Node, index: int) -> None:
        self.translation, self.node, self.index = translation, node, index

    @property
    def layers(self) -> Any:
        """The layers of the model."""
        return self.translation.layers

    def __len__(self) -> int:
        return len(self.node.inputs)

    def has(self, position: int) -> bool:
        """Whether this input is given."""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def wants(self, position: int) -> bool:
        """Whether something uses this output, or may."""
        return position < len(self.node.outputs) and self.node.outputs[position] != ""

    def input(self, position: int = 0) -> str:
        """The source of an input."""
        return self.translation.source_of(self.node.inputs[position])

    def tensor(self, position: int = 0) -> str:
        """An input as an array, where a number would not do."""
        name, known = self.node.inputs[position], self.known(position)
        if known is None:
            return self.input(position)
        if known.dtype == object:
            raise self.no("lengths that are known only when it runs are used as values here")
        return str(self.layers.buffer(name, known))

    def first(self, position: int = 0) -> str:
        """An input in ONNX's order of axes."""
        return self.tensor(position)

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default where it is not given."""
        return self.node.attributes.get(name, default)

    def known(self, position: int) -> np.ndarray | None:
        """An input that is known before the network runs, as a constant is.

        Lengths may be among its elements.
        """
        if self.has(position):
            return self.translation.known.get(self.node.inputs[position])
        return None

    def array(self, position: int) -> np.ndarray | None:
        """An input that is a weight or a constant."""
        if not self.has(position):
            return None
        name = self.node.inputs[position]
        # Weights first: a constant of the same name lies in a subgraph.
        array = self.translation.network.weights.get(name)
        if array is None:
            array = self.translation.known.get(name)
        if array is None or is_symbolic(array):
            return None
        return array

    def value(self, position: int = 0) -> Value | None:
        """What shape inference says of an input."""
        array = self.known(position)
        name = self.node.inputs[position]
        if array is None:
            return self.translation.values.get(name)
        if is_symbolic(array):
            return Value(name, np.dtype(np.int64), array.shape)
        return Value(name, array.dtype, array.shape)

    def shape(self, position: int = 0) -> tuple[Any, ...] | None:
        """The shape of an input: numbers, names of free lengths, None."""
        value = self.value(position)
        if value is None:
            return None
        return value.shape

    def rank(self, position: int = 0) -> int:
        """How many axes an input has. Raises: NoForm where that is not known."""
        shape = self.shape(position)
        if shape is None:
            raise NoForm(f"it is not known how many axes '{self.node.inputs[position]}' has")
        return len(shape)

    def is_float(self, position: int = 0) -> bool:
        """Whether an input is of floats."""
        value = self.value(position)
        return value is None or value.dtype.kind not in "biu"

    def output_shape(self) -> tuple[Any, ...] | None:
        """The shape of the first output."""
        value = self.translation.values.get(self.node.outputs[0])
        if value is None:
            return None
        return value.shape

    def temporary(self, expression: Expression) -> str:
        """A line of its own for a part of the result."""
        return self.temporaries(expression, "{}")[0]

    def temporaries(self, expression: Expression, pattern: str) -> list[str]:
        """The same for an expression that gives several values, set as in the pattern."""
        return self.translation.temporaries(expression, self.index, pattern)

    def length(self, position: int, axis: int) -> str:
        """The source that computes the length of an input's axis."""
        return f"{self.input(position)}.shape[{axis}]"

    def lengths(self, position: int) -> list[int | str]:
        """An input that says a shape: numbers, and the source of those known only when it runs."""
        known = self.known(position)
        if known is None:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        if is_symbolic(known):
            return list(known.reshape(-1))
        return [int(length) for length in known.reshape(-1)]

    def integers(self, position: int) -> list[int] | None:
        """An input of whole numbers; None where it is left out.

        Raises: NoForm where it is not known.
        """
        if not self.has(position):
            return None
        lengths = self.lengths(position)
        if any(isinstance(length, str) for length in lengths):
            raise self.no(f"its input '{self.node.inputs[position]}' is known only when it runs")
        return [int(length) for length in lengths]

    def number(self, position: int) -> float | int | None:
        """An input of one number; None where it is left out."""
        if not self.has(position):
            return None
        known = self.known(position)
        if known is None or known.size != 1 or known.dtype == object:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        number: float | int = known.reshape(-1)[0].item()
        return number

    def axis(self, axis: int, position: int = 0) -> int:
        """An axis counted from the front, where the rank is known."""
        if axis < 0 and self.shape(position) is not None:
            return axis % self.rank(position)
        return axis

    def name(self) -> str:
        """What a layer of this node is called where no weight says it."""
        return self.node.name or self.node.outputs[0] or self.node.operator

    def weight(self, position: int) -> np.ndarray | None:
        """An input that is an array which no other layer holds yet.

        None where it is left out, computed, or shared.
        """
        array = self.array(position)
        if array is not None and self.layers.are_free([self.node.inputs[position]]):
            return array
        return None

    def named(self, position: int, array: np.ndarray) -> tuple[str, np.ndarray]:
        """An input's name in the network, with the form in which a layer holds it."""
        return self.node.inputs[position], array

    def spatial(self) -> int:
        """How many spatial axes the first input has."""
        return self.rank(0) - 2

    def no(self, reason: str) -> NoForm:
        """The error that says why the node has no form here."""
        return NoForm(reason)
