"""Primitives of a framework outside of any training, for what is written once over them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CLASSES = {
    "reference": "ReferencePrimitives",
    "pytorch": "PyTorchPrimitives",
    "jax": "JaxPrimitives",
    "tensorflow": "TensorFlowPrimitives",
}


@contextmanager
def primitives_of(framework: str) -> Iterator:
    """The framework's primitives, with every 64-bit type; Keras has those of its engine."""
    if framework not in CLASSES:
        pytest.skip(f"{framework} computes by the primitives of its engine")
    module = importlib.import_module(f"allotrope.frameworks.{framework}.primitives")
    made = getattr(module, CLASSES[framework])()
    if framework != "jax":
        yield made
        return
    import jax

    with jax.enable_x64(True):
        yield made


def compiled(framework: str, function):
    """The function, compiled by JAX, which takes long for each operation by itself."""
    if framework != "jax":
        return function
    import jax

    return jax.jit(function)
