"""The precisions in which each kind of device can train."""

from __future__ import annotations

from allotrope.config import PRECISIONS


def precisions(device: str) -> tuple[str, ...]:
    """float32 first, which rounds nothing further; TensorFloat-32 is of NVIDIA's GPUs alone."""
    if device == "cuda":
        return PRECISIONS
    return tuple(name for name in PRECISIONS if name != "tensorfloat32")
