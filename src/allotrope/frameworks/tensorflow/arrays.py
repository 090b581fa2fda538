"""Arrays to and from TensorFlow, and how its functions become primitives: dtypes and layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.primitives import Primitives
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import channels_first, kept, kept_by_both, twin

Tensor = Any

DTYPES: dict[np.dtype, Any] = {
    np.dtype(name): tf.as_dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128", ml_dtypes.bfloat16,
    )
}  # fmt: skip

_HOST = ReferencePrimitives()
HALVES = (tf.float16, tf.bfloat16)
_NARROW = (tf.int8, tf.int16, tf.uint8, tf.uint16, tf.uint32)


def tensor_dtype(dtype: np.dtype) -> Any:
    """TensorFlow's name of a dtype. Raises: UnsupportedError where there are no kernels for it."""
    try:
        return DTYPES[np.dtype(dtype)]
    except KeyError:
        raise UnsupportedError(f"TensorFlow has no kernels for dtype {dtype}.") from None


def to_tensor(value: np.ndarray) -> Tensor:
    """A tensor with its own copy of the value."""
    tensor_dtype(value.dtype)
    return tf.constant(value)


def to_numpy(x: Tensor) -> np.ndarray:
    """The value as a NumPy array of its own.

    Raises: UnsupportedError while a `tf.function` is traced.
    """
    if not hasattr(x, "numpy"):
        raise UnsupportedError(
            "a shape or index depends on the data; TensorFlow traces with static shapes."
        )
    return np.array(x.numpy())


def matched(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of one dtype.

    Numbers and traced numbers (no dimensions) give way, else the wider float wins.
    """
    if not tf.is_tensor(x):
        y, x = matched(y, x)
        return x, y
    if not tf.is_tensor(y):
        return x, tf.constant(y, x.dtype)
    if x.dtype == y.dtype:
        return x, y
    if y.shape.rank == 0 or (x.shape.rank != 0 and x.dtype.size > y.dtype.size):
        return x, cast_to(y, x.dtype)
    return cast_to(x, y.dtype), y


@kept
def cast_to(x: Tensor, dtype: Any) -> Tensor:
    """x in another dtype, in whichever order it is."""
    return tf.cast(x, dtype)


def _on_host(name: str, dtype: Any, shape: Sequence[int], *operands: Tensor) -> Tensor:
    y = tf.numpy_function(getattr(_HOST, name), operands, dtype)
    return tf.ensure_shape(y, shape)


def unary(native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A primitive of one operand; narrow integers go by way of int64, for few kernels take them."""
    run_kept = kept(native)

    def run(self: Primitives, x: Tensor) -> Tensor:
        if x.dtype in _NARROW:
            return tf.cast(native(tf.cast(x, tf.int64)), x.dtype)
        return run_kept(x)

    return run


def binary(name: str, native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A primitive of two operands.

    Narrow integers go by way of int64, and NumPy computes it for uint64.
    """
    run_kept = kept_by_both(native)

    def run(self: Primitives, x: Tensor, y: Any) -> Tensor:
        x, y = matched(x, y)
        if x.dtype in _NARROW:
            z = native(tf.cast(x, tf.int64), tf.cast(y, tf.int64))
            if z.dtype == tf.int64:
                return tf.cast(z, x.dtype)
            return z
        if x.dtype == tf.uint64:
            dtype = tf.uint64
            if name in ("equal", "less", "greater"):
                dtype = tf.bool
            return _on_host(name, dtype, tf.broadcast_static_shape(x.shape, y.shape), x, y)
        return run_kept(x, y)

    return run


def extreme(name: str, native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The larger or the smaller of two operands, which share the gradient if they are equal.

    TensorFlow would give the first all of it.
    """
    of_number, of_arrays = binary(name, native), binary(name, _shared_evenly(native))

    def run(self: Primitives, x: Tensor, y: Any) -> Tensor:
        if tf.is_tensor(y):
            return of_arrays(self, x, y)
        return of_number(self, x, y)

    return run


def _shared_evenly(native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @tf.custom_gradient
    def of_one_shape(x: Tensor, y: Tensor) -> Any:
        z = native(x, y)

        def gradients(gradient: Tensor) -> tuple[Tensor, Tensor]:
            share = (1 + tf.cast(tf.equal(z, x), x.dtype) - tf.cast(tf.equal(z, y), x.dtype)) / 2
            return gradient * share, gradient * (1 - share)

        return z, gradients

    def run(x: Tensor, y: Tensor) -> Tensor:
        if not x.dtype.is_floating:
            return native(x, y)
        shape = tf.broadcast_static_shape(x.shape, y.shape)
        return of_one_shape(_broadcast(x, shape), _broadcast(y, shape))

    return run


def _broadcast(x: Tensor, shape: Any) -> Tensor:
    """x in a shape, by a product: its gradient is a sum, as that of no other way is everywhere."""
    if x.shape == shape:
        return x
    return x * tf.ones(shape, x.dtype)


def bitwise(native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A primitive of two integers, which has a kernel for each kind of them."""

    def run(self: Primitives, x: Tensor, y: Any) -> Tensor:
        return native(*matched(x, y))

    return run


def reduction(
    native: Callable[..., Tensor], of_bool: Callable[..., Tensor] | None = None
) -> Callable[..., Tensor]:
    """A primitive over axes, in x's dtype.

    Narrow integers go by way of int64, narrow floats by way of float32.
    """

    def run(
        self: Primitives, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Tensor:
        if x.dtype in _NARROW:
            return tf.cast(native(tf.cast(x, tf.int64), axes, keepdims), x.dtype)
        if x.dtype in HALVES:
            return cast_to(run(self, cast_to(x, tf.float32), axes, keepdims), x.dtype)
        if x.dtype == tf.bool and of_bool is not None:
            return of_bool(x, axes, keepdims)
        y = twin(x)
        if y is None or axes is None or {a % 4 for a in axes} != {2, 3}:
            return native(x, axes and list(axes), keepdims)
        result = native(y, [1, 2], keepdims)
        if keepdims:
            return channels_first(result)
        return result

    return run
