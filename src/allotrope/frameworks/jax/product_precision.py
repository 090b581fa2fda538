"""How JAX makes products of float32 on devices that can round them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax


def products(precision: str, platform: str) -> AbstractContextManager[Any]:
    """Within: rounded to TensorFloat-32 (10 bits) for `tensorfloat32`, else as they are.

    By itself JAX rounds them on GPUs and TPUs. CPUs round nothing, and are left alone.
    """
    if platform == "cpu":
        return nullcontext()
    if precision == "tensorfloat32":
        return jax.default_matmul_precision("tensorfloat32")
    return jax.default_matmul_precision("highest")
