"""What the rules for PyTorch ask of a node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.conversion.source import Expression, call, literal
from allotrope.conversion.translation import Site

DTYPES = {
    "bool": "torch.bool", "uint8": "torch.uint8", "uint16": "torch.uint16", "uint32": "torch.uint32", "uint64": "torch.uint64",
    "int8": "torch.int8", "int16": "torch.int16", "int32": "torch.int32", "int64": "torch.int64", "float16": "torch.float16",
    "bfloat16": "torch.bfloat16", "float32": "torch.float32", "float64": "torch.float64", "complex64": "torch.complex64",
    "complex128": "torch.complex128",
}  # fmt: skip


def dtype_name(dtype: np.dtype) -> str:
    """PyTorch's name of a dtype."""
    return DTYPES[np.dtype(dtype).name]


class PyTorchSite(Site):
    """A node, in the terms of PyTorch."""

    def tensor(self, position: int = 0) -> str:
        """An input as a tensor, where a number would not do."""
        name, known = self.node.inputs[position], self.known(position)
        if known is None:
            return self.input(position)
        if known.dtype == object:
            raise self.no("lengths that are known only when it runs are used as values here")
        return self.layers.buffer(name, known)

    def lengths(self, position: int) -> list[int | str]:
        """An input that says a shape: numbers, and the source of those that are known only when it runs."""
        known = self.known(position)
        if known is None:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        return [length if isinstance(length, str) else int(length) for length in known.reshape(-1)]

    def integers(self, position: int) -> list[int] | None:
        """An input of whole numbers; None where it is left out. Raises: NoForm where it is not known."""
        if not self.has(position):
            return None
        found = self.lengths(position)
        if any(isinstance(length, str) for length in found):
            raise self.no(f"its input '{self.node.inputs[position]}' is known only when it runs")
        return [int(length) for length in found]

    def number(self, position: int) -> float | int | None:
        """An input of one number; None where it is left out."""
        if not self.has(position):
            return None
        known = self.known(position)
        if known is None or known.size != 1 or known.dtype == object:
            raise self.no(f"its input '{self.node.inputs[position]}' is computed from data")
        found: float | int = known.reshape(-1)[0].item()
        return found

    def axis(self, axis: int, position: int = 0) -> int:
        """An axis counted from the front, where the rank is known."""
        return axis % self.rank(position) if axis < 0 and self.shape(position) is not None else axis

    def name(self) -> str:
        """What a layer of this node is called where no weight says it."""
        return self.node.name or self.node.outputs[0] or self.node.operator

    def weight(self, position: int) -> np.ndarray | None:
        """An input that is an array which no other layer holds yet; None where it is left out, computed, or shared."""
        array = self.array(position)
        return array if array is not None and self.layers.are_free([self.node.inputs[position]]) else None

    def named(self, position: int, array: np.ndarray) -> tuple[str, np.ndarray]:
        """An input's name in the network, with the form in which a layer holds it."""
        return self.node.inputs[position], array

    def spatial(self) -> int:
        """How many spatial axes the first input has."""
        return self.rank(0) - 2

    def layer(self, made: Expression, arrays: dict[str, tuple[str, np.ndarray]], state: Sequence[str] = ()) -> str:
        """A layer of this node."""
        originals = {name: array for i, name in enumerate(self.node.inputs) if (array := self.array(i)) is not None}
        return self.layers.layer(self.name(), made, arrays, originals, state)


def even(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all are the same."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def unusual(value: object, usual: object) -> object:
    """The value, or None where it is the default and need not be said."""
    return None if value == usual else value


def padded(x: str, pads: Sequence[tuple[int, int]], value: float | None = None) -> Expression:
    """x with more at the ends of its last axes; `pads` in their order."""
    flat = [n for pair in reversed(pads) for n in pair]
    return call("F.pad", x, literal(tuple(flat)), value=None if value is None else literal(value))


def symmetric(pads: Sequence[tuple[int, int]]) -> bool:
    """Whether both ends of each axis get the same."""
    return all(before == after >= 0 for before, after in pads)
