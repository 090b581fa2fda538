"""What the rules for PyTorch ask of a node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.site import Site
from allotrope.conversion.core.source import Expression, call, literal

DTYPES = {
    name: f"torch.{name}"
    for name in (
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    )
}


def dtype_name(dtype: np.dtype) -> str:
    """PyTorch's name of a dtype. Raises: NoForm where it has none in ordinary use."""
    name = np.dtype(dtype).name
    if name not in DTYPES:
        raise NoForm(f"{name} is no ordinary dtype in PyTorch")
    return DTYPES[name]


class PyTorchSite(Site):
    """A node, in the terms of PyTorch."""

    foreign = (np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64))

    def layer(
        self, made: Expression, arrays: dict[str, tuple[str, np.ndarray]], state: Sequence[str] = ()
    ) -> str:
        """A layer of this node."""
        originals = {
            name: array
            for i, name in enumerate(self.node.inputs)
            if (array := self.array(i)) is not None
        }
        return self.layers.layer(self.name(), made, arrays, originals, state)


def padded(x: str, pads: Sequence[tuple[int, int]], value: float | None = None) -> Expression:
    """x with more at the ends of its last axes; `pads` in their order."""
    flat = [n for pair in reversed(pads) for n in pair]
    if value is None:
        return call("F.pad", x, literal(tuple(flat)))
    return call("F.pad", x, literal(tuple(flat)), value=literal(value))
