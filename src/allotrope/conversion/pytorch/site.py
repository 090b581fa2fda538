"""What the rules for PyTorch ask of a node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.site import Site
from allotrope.conversion.core.source import Expression, call, literal

DTYPES = {
    "bool": "torch.bool", "uint8": "torch.uint8", "uint16": "torch.uint16", "uint32": "torch.uint32", "uint64": "torch.uint64",
    "int8": "torch.int8", "int16": "torch.int16", "int32": "torch.int32", "int64": "torch.int64", "float16": "torch.float16",
    "bfloat16": "torch.bfloat16", "float32": "torch.float32", "float64": "torch.float64", "complex64": "torch.complex64",
    "complex128": "torch.complex128",
}  # fmt: skip


def dtype_name(dtype: np.dtype) -> str:
    """PyTorch's name of a dtype. Raises: NoForm where it has none in ordinary use."""
    name = np.dtype(dtype).name
    if name not in DTYPES:
        raise NoForm(f"{name} is no ordinary dtype in PyTorch")
    return DTYPES[name]


class PyTorchSite(Site):
    """A node, in the terms of PyTorch."""

    foreign = (np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64))

    def layer(self, made: Expression, arrays: dict[str, tuple[str, np.ndarray]], state: Sequence[str] = ()) -> str:
        """A layer of this node."""
        originals = {name: array for i, name in enumerate(self.node.inputs) if (array := self.array(i)) is not None}
        return self.layers.layer(self.name(), made, arrays, originals, state)


def padded(x: str, pads: Sequence[tuple[int, int]], value: float | None = None) -> Expression:
    """x with more at the ends of its last axes; `pads` in their order."""
    flat = [n for pair in reversed(pads) for n in pair]
    return call("F.pad", x, literal(tuple(flat)), value=None if value is None else literal(value))
