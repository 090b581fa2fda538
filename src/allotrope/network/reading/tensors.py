"""Arrays from TensorProto, every size checked before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from allotrope.errors import ModelError

_TYPED: dict[int, tuple[str, type]] = {
    TensorProto.FLOAT: ("float_data", np.float32),
    TensorProto.DOUBLE: ("double_data", np.float64),
    TensorProto.INT64: ("int64_data", np.int64),
    TensorProto.INT32: ("int32_data", np.int32),
}
_BITS = {
    "UINT4": 4,
    "INT4": 4,
    "FLOAT4E2M1": 4,
    "UINT2": 2,
    "INT2": 2,
    "FLOAT6E2M3": 6,
    "FLOAT6E3M2": 6,
}
_LARGEST = 2**40
_LARGEST_SPARSE = 2**26
MOST_AXES = 64

External = Callable[[TensorProto, int], bytes]
"""Gives the bytes of a tensor that lies in another file, checked to be as many as are expected."""


def array_of(tensor: TensorProto, external: External | None = None) -> np.ndarray:
    """The tensor as a read-only array.

    Raises: ModelError where its size is not what its type and shape need.
    """
    dtype = element_type(tensor)
    shape = tuple(int(length) for length in tensor.dims)
    if len(shape) > MOST_AXES:
        raise ModelError(
            f"tensor '{tensor.name}' has {len(shape)} axes; NumPy takes up to {MOST_AXES}."
        )
    if (
        any(length < 0 for length in shape)
        or math.prod(length for length in shape if length) > _LARGEST
    ):
        raise ModelError(f"tensor '{tensor.name}' has the impossible shape {list(shape)}.")
    count = math.prod(shape)
    if tensor.data_location == TensorProto.EXTERNAL:
        if external is None:
            raise ModelError(
                f"tensor '{tensor.name}' lies in another file, which only a model that is loaded "
                "from a path can have."
            )
        return _from_bytes(
            tensor, external(tensor, byte_count(tensor.data_type, count)), dtype, shape
        )
    if tensor.data_type == TensorProto.STRING:
        return _strings(tensor, shape)
    if tensor.HasField("raw_data"):
        return _from_bytes(tensor, tensor.raw_data, dtype, shape)
    return _typed(tensor, dtype, shape)


def element_type(tensor: TensorProto) -> np.dtype:
    """Its NumPy type. Raises: ModelError where there is none."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except KeyError as error:
        raise ModelError(
            f"tensor '{tensor.name}' has the unknown element type {tensor.data_type}."
        ) from error


def byte_count(data_type: int, count: int) -> int:
    """How many bytes `count` elements take in a file."""
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(data_type))
    return math.ceil(
        count * _BITS.get(TensorProto.DataType.Name(data_type), dtype.itemsize * 8) / 8
    )


def _from_bytes(
    tensor: TensorProto, raw: bytes, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    expected = byte_count(tensor.data_type, math.prod(shape))
    if len(raw) != expected:
        raise ModelError(
            f"tensor '{tensor.name}' of type {dtype} and shape {list(shape)} needs {expected} "
            f"bytes and has {len(raw)}."
        )
    if TensorProto.DataType.Name(tensor.data_type) in _BITS:
        packed = TensorProto(data_type=tensor.data_type, dims=shape, raw_data=raw)
        return _frozen(onnx.numpy_helper.to_array(packed))
    little = np.frombuffer(
        raw, dtype=dtype if dtype.itemsize == 1 or dtype.kind == "V" else dtype.newbyteorder("<")
    )
    return _frozen(little.astype(dtype, copy=False).reshape(shape))


def _typed(tensor: TensorProto, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    expected = math.prod(shape)
    name, kind = _TYPED.get(tensor.data_type, ("", None))
    if kind is not None:
        numbers = getattr(tensor, name)
        _check_count(tensor, len(numbers), expected)
        return _frozen(np.fromiter(numbers, dtype=kind, count=expected).reshape(shape))
    longest = max(
        len(field)
        for field in (tensor.int32_data, tensor.uint64_data, tensor.float_data, tensor.double_data)
    )
    packed = TensorProto.DataType.Name(tensor.data_type) in _BITS
    # A complex number takes two entries.
    entries = 2 * expected if dtype.kind == "c" else expected
    if packed:
        entries = byte_count(tensor.data_type, expected)
    _check_count(tensor, longest, entries)
    if expected == 0:
        return _frozen(np.empty(shape, dtype))
    try:
        return _frozen(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(
            f"tensor '{tensor.name}' of type {dtype} and shape {list(shape)} cannot be read: "
            f"{error}"
        ) from error


def _strings(tensor: TensorProto, shape: tuple[int, ...]) -> np.ndarray:
    _check_count(tensor, len(tensor.string_data), math.prod(shape))
    array = np.empty(len(tensor.string_data), dtype=object)
    try:
        array[:] = [text.decode() for text in tensor.string_data]
    except UnicodeDecodeError as error:
        raise ModelError(f"tensor '{tensor.name}' holds text that is no UTF-8: {error}.") from error
    return _frozen(array.reshape(shape))


def _check_count(tensor: TensorProto, count: int, expected: int) -> None:
    if count != expected:
        raise ModelError(
            f"tensor '{tensor.name}' of shape {list(tensor.dims)} needs {expected} values and "
            f"has {count}."
        )


def _frozen(array: Any) -> np.ndarray:
    array = np.asarray(array)
    array.flags.writeable = False
    return array


def dense(sparse: onnx.SparseTensorProto) -> np.ndarray:
    """A sparse tensor, filled in. Raises: ModelError where its indices do not fit its shape."""
    shape, values, indices = (
        tuple(int(n) for n in sparse.dims),
        array_of(sparse.values),
        array_of(sparse.indices),
    )
    called = f"sparse tensor '{sparse.values.name}' of shape {list(shape)}"
    if (
        len(shape) > MOST_AXES
        or any(n < 0 for n in shape)
        or math.prod(n for n in shape if n) > _LARGEST_SPARSE
    ):
        raise ModelError(
            f"{called} cannot be filled in; up to {MOST_AXES} axes and {_LARGEST_SPARSE:,} "
            "elements can."
        )
    if values.dtype.kind == "O" or indices.dtype != np.int64 or indices.ndim not in (1, 2):
        raise ModelError(
            f"{called} has {values.dtype} values and {indices.dtype} indices "
            f"{list(indices.shape)}, not numbers at int64 places."
        )
    places = tuple(indices.T) if indices.ndim == 2 else (indices,)
    lengths = shape if indices.ndim == 2 else (math.prod(shape),)
    if len(places) != len(lengths) or any(
        ((p < 0) | (p >= n)).any() for p, n in zip(places, lengths, strict=True)
    ):
        raise ModelError(f"{called} has indices that do not fit.")
    filled = np.zeros(lengths, values.dtype)
    try:
        filled[places] = values
    except (IndexError, ValueError) as error:
        raise ModelError(f"{called} has indices that do not fit: {error}") from error
    return _frozen(filled.reshape(shape))
