"""PyTorch's primitives, and arrays to and from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from allotrope.errors import UnsupportedError
from allotrope.frameworks.primitives import Primitives, check_axes, highest, lowest
from allotrope.frameworks.pytorch.clip import clip
from allotrope.frameworks.pytorch.neural import PyTorchNeural
from allotrope.frameworks.pytorch.shaping import PyTorchShaping
from allotrope.frameworks.reference.primitives import ReferencePrimitives

DTYPES: dict[np.dtype, torch.dtype] = {
    np.dtype(n): t
    for n, t in {
        "bool": torch.bool, "int8": torch.int8, "int16": torch.int16, "int32": torch.int32,
        "int64": torch.int64, "uint8": torch.uint8, "uint16": torch.uint16,
        "uint32": torch.uint32, "uint64": torch.uint64, "float16": torch.float16,
        "float32": torch.float32, "float64": torch.float64, "complex64": torch.complex64,
        "complex128": torch.complex128, ml_dtypes.bfloat16: torch.bfloat16,
        ml_dtypes.float8_e4m3fn: torch.float8_e4m3fn,
        ml_dtypes.float8_e4m3fnuz: torch.float8_e4m3fnuz,
        ml_dtypes.float8_e5m2: torch.float8_e5m2,
        ml_dtypes.float8_e5m2fnuz: torch.float8_e5m2fnuz,
    }.items()
}  # fmt: skip
NUMPY_DTYPES = {t: n for n, t in DTYPES.items()}
_AS_BITS = ("bfloat16", "float8")
"""Dtypes of ml_dtypes, which pass between NumPy and PyTorch only as bits."""
_BITS = {1: np.uint8, 2: np.int16}
_TORCH_BITS = {1: torch.uint8, 2: torch.int16}


def torch_dtype(dtype: np.dtype) -> torch.dtype:
    """PyTorch's name of a dtype. Raises: UnsupportedError where it has none."""
    try:
        return DTYPES[np.dtype(dtype)]
    except KeyError:
        raise UnsupportedError(f"PyTorch has no dtype {dtype}.") from None


def to_tensor(value: np.ndarray, device: str = "cpu") -> Tensor:
    """A tensor with its own copy of the value."""
    dtype = torch_dtype(value.dtype)
    if value.dtype.name.startswith(_AS_BITS):
        return (
            torch.from_numpy(value.view(_BITS[value.dtype.itemsize]).copy()).view(dtype).to(device)
        )
    return torch.from_numpy(np.array(value)).to(device)


def shared_tensor(value: np.ndarray, device: str) -> Tensor:
    """A tensor on the device; on the CPU in the value's own memory, if PyTorch can use that."""
    if value.dtype.name.startswith(_AS_BITS) or not value.flags.writeable:
        return to_tensor(value, device)
    return torch.from_numpy(value).to(device, non_blocking=True)


def to_numpy(x: Tensor) -> np.ndarray:
    """The value as a NumPy array. Raises: UnsupportedError for more axes than that can have."""
    check_axes(x.dim())
    x, dtype = x.detach().cpu(), NUMPY_DTYPES[x.dtype]
    if dtype.name.startswith(_AS_BITS):
        return np.asarray(x.contiguous().view(_TORCH_BITS[dtype.itemsize]).numpy().view(dtype))
    return np.asarray(x.numpy())


_HOST = ReferencePrimitives()
_WIDE_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def kernel(name: str, native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A primitive as PyTorch's own function.

    NumPy computes it for wide unsigned integers, for which PyTorch has hardly any kernel.
    """

    def run(self: PyTorchPrimitives, x: Tensor, *others: Any) -> Tensor:
        if x.dtype not in _WIDE_UNSIGNED:
            return native(x, *others)
        arrays = map(_on_host, (x, *others))
        return to_tensor(getattr(_HOST, name)(*arrays), self.device)

    return run


def _on_host(operand: Any) -> Any:
    if isinstance(operand, Tensor):
        return to_numpy(operand)
    return operand


def _divide(x: Tensor, y: Tensor | float) -> Tensor:
    if x.is_floating_point() or x.is_complex():
        return torch.div(x, y)
    return torch.div(x, y, rounding_mode="trunc")


def _maximum(x: Tensor, y: Tensor | float) -> Tensor:
    if isinstance(y, Tensor):
        return torch.maximum(x, y)
    return torch.clamp(x, min=y)


def _minimum(x: Tensor, y: Tensor | float) -> Tensor:
    if isinstance(y, Tensor):
        return torch.minimum(x, y)
    return torch.clamp(x, max=y)


def _clip(
    x: Tensor, low: Tensor | float | None, high: Tensor | float | None, overwrite: bool = False
) -> Tensor:
    if low is None and high is None:
        return x
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        # Of two bounds PyTorch takes both as tensors or none.
        if low is not None:
            low = torch.as_tensor(low, dtype=x.dtype, device=x.device)
        if high is not None:
            high = torch.as_tensor(high, dtype=x.dtype, device=x.device)
    elif low is not None and high is not None:
        return clip(x, low, high, overwrite)
    return torch.clamp(x, low, high)


class PyTorchPrimitives(PyTorchNeural, PyTorchShaping, Primitives):
    """Primitives over `torch.Tensor`.

    `memory_format` is the layout that convolutions are given; None leaves it as it comes.
    """

    title = "PyTorch"

    def __init__(
        self, device: str = "cpu", memory_format: torch.memory_format | None = None
    ) -> None:
        """Constants are put on `device` once and kept."""
        self.device, self.memory_format = device, memory_format
        self._constants: dict[int, tuple[np.ndarray, Tensor]] = {}

    # --- arrays
    def constant(self, value: np.ndarray) -> Tensor:
        value = np.asarray(value)
        if value.flags.writeable:
            return to_tensor(value, self.device)
        if id(value) not in self._constants:
            # One that was made in inference could never stand beside a weight that learns.
            with torch.inference_mode(False):
                self._constants[id(value)] = (value, to_tensor(value, self.device))
        return self._constants[id(value)][1]

    def to_host(self, x: Tensor) -> np.ndarray:
        return to_numpy(x)

    def differentiated(self, x: Tensor) -> bool:
        return x.requires_grad and torch.is_grad_enabled()

    def shape(self, x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape)

    def dtype(self, x: Tensor) -> np.dtype:
        return NUMPY_DTYPES[x.dtype]

    def cast(self, x: Tensor, dtype: np.dtype) -> Tensor:
        wanted = torch_dtype(dtype)
        if wanted == torch.float8_e4m3fn and x.is_floating_point():
            x = torch.where(
                x.abs() > 464, torch.nan, x
            )  # past 448 and half a step, where PyTorch would saturate
        return x.to(wanted)

    def beside(self, x: Tensor) -> PyTorchPrimitives:
        device = str(x.device)
        if device == self.device:
            return self
        return PyTorchPrimitives(device, self.memory_format)

    def overwriting(self) -> PyTorchPrimitives:
        return _Overwriting(self.device, self.memory_format)

    def full(self, shape: Sequence[int], value: float | int | bool, dtype: np.dtype) -> Tensor:
        return torch.full(tuple(shape), value, dtype=torch_dtype(dtype), device=self.device)

    def arange(self, count: int, dtype: np.dtype) -> Tensor:
        return torch.arange(count, dtype=torch_dtype(dtype), device=self.device)

    # --- elementwise, one operand
    negative = staticmethod(torch.neg)
    abs = kernel("abs", torch.abs)
    sign = kernel("sign", torch.sign)
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    sqrt = staticmethod(torch.sqrt)
    tanh = staticmethod(torch.tanh)
    sigmoid = staticmethod(torch.sigmoid)
    erf = staticmethod(torch.erf)
    relu = staticmethod(torch.relu)
    sin = staticmethod(torch.sin)
    cos = staticmethod(torch.cos)
    tan = staticmethod(torch.tan)
    asin = staticmethod(torch.asin)
    acos = staticmethod(torch.acos)
    atan = staticmethod(torch.atan)
    sinh = staticmethod(torch.sinh)
    cosh = staticmethod(torch.cosh)
    asinh = staticmethod(torch.asinh)
    acosh = staticmethod(torch.acosh)
    atanh = staticmethod(torch.atanh)
    floor = staticmethod(torch.floor)
    ceil = staticmethod(torch.ceil)
    round = staticmethod(torch.round)
    stop_gradient = staticmethod(torch.Tensor.detach)
    isnan = staticmethod(torch.isnan)
    logical_not = staticmethod(torch.logical_not)
    bitwise_not = kernel("bitwise_not", torch.bitwise_not)

    def bit_cast(self, x: Tensor, dtype: np.dtype) -> Tensor:
        return x.view(torch_dtype(dtype))

    def gelu(self, x: Tensor, approximate: bool) -> Tensor:
        if approximate:
            return F.gelu(x, approximate="tanh")
        return F.gelu(x)

    silu = staticmethod(F.silu)
    hard_swish = staticmethod(F.hardswish)

    def softplus(self, x: Tensor) -> Tensor:
        return torch.logaddexp(x, torch.zeros((), dtype=x.dtype, device=x.device))

    # --- elementwise, two operands and three
    add = kernel("add", torch.add)
    subtract = kernel("subtract", torch.sub)
    multiply = kernel("multiply", torch.mul)
    power = kernel("power", torch.pow)
    equal = kernel("equal", torch.eq)
    less = kernel("less", torch.lt)
    greater = kernel("greater", torch.gt)
    bitwise_xor = kernel("bitwise_xor", torch.bitwise_xor)
    bitwise_and = kernel("bitwise_and", torch.bitwise_and)
    bitwise_or = kernel("bitwise_or", torch.bitwise_or)
    logical_and = staticmethod(torch.logical_and)
    logical_or = staticmethod(torch.logical_or)
    logical_xor = staticmethod(torch.logical_xor)
    floored_remainder = kernel("floored_remainder", torch.remainder)
    truncated_remainder = kernel("truncated_remainder", torch.fmod)
    shift_left = kernel("shift_left", torch.bitwise_left_shift)
    shift_right = kernel("shift_right", torch.bitwise_right_shift)

    divide = kernel("divide", _divide)
    maximum = kernel("maximum", _maximum)
    minimum = kernel("minimum", _minimum)
    clip = kernel("clip", _clip)

    def where(self, condition: Tensor, x: Tensor | float, y: Tensor | float) -> Tensor:
        return torch.where(_lying_as(x, condition), x, y)

    # --- reductions
    def sum(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        return torch.sum(x, dim=_axes(x, axes), keepdim=keepdims, dtype=x.dtype)

    def mean(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        return torch.mean(x, dim=_axes(x, axes), keepdim=keepdims)

    def max(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        if not x.numel():
            return self._of_nothing(x, axes, keepdims, lowest(self.dtype(x)))
        return torch.amax(x, dim=_axes(x, axes), keepdim=keepdims)

    def min(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        if not x.numel():
            return self._of_nothing(x, axes, keepdims, highest(self.dtype(x)))
        return torch.amin(x, dim=_axes(x, axes), keepdim=keepdims)

    def _of_nothing(
        self, x: Tensor, axes: Sequence[int] | None, keepdims: bool, value: float | int | bool
    ) -> Tensor:
        over = {a % x.dim() for a in _axes(x, axes)}
        if keepdims:
            lengths = [n ** (i not in over) for i, n in enumerate(x.shape)]
        else:
            lengths = [n for i, n in enumerate(x.shape) if i not in over]
        return self.full(lengths, value, self.dtype(x))

    def product(
        self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Tensor:
        for axis in sorted((a % x.dim() for a in _axes(x, axes)), reverse=True):
            x = torch.prod(x, dim=axis, keepdim=keepdims, dtype=x.dtype)
        return x

    def log_sum_exp(
        self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Tensor:
        return torch.logsumexp(x, dim=_axes(x, axes), keepdim=keepdims)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        return torch.max(x, dim=axis).indices

    def cumulative_sum(self, x: Tensor, axis: int) -> Tensor:
        return torch.cumsum(x, axis, dtype=x.dtype)

    def cumulative_product(self, x: Tensor, axis: int) -> Tensor:
        return torch.cumprod(x, axis, dtype=x.dtype)

    def top_k(self, x: Tensor, k: int, axis: int, largest: bool) -> tuple[Tensor, Tensor]:
        values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
        return values.narrow(axis, 0, k), places.narrow(axis, 0, k)

    def softmax(self, x: Tensor, axis: int) -> Tensor:
        if x.dtype != torch.float16:
            return torch.softmax(x, axis)
        # Rounded after each step, as ONNX's own meaning is.
        powers = torch.exp(x - torch.amax(x, axis, keepdim=True))
        return powers / torch.sum(powers, axis, keepdim=True)

    def log_softmax(self, x: Tensor, axis: int) -> Tensor:
        return torch.log_softmax(x, axis)

    def fourier(self, x: Tensor, inverse: bool) -> Tensor:
        if x.device.type == "cpu" and not (x.requires_grad and torch.is_grad_enabled()):
            # NumPy rounds as ONNX's cases expect, which MKL's transform does not.
            return to_tensor(_HOST.fourier(to_numpy(x), inverse))
        z = torch.view_as_complex(x.contiguous())
        transform = torch.fft.fft
        if inverse:
            transform = torch.fft.ifft
        return torch.view_as_real(transform(z, dim=-1))


class _Overwriting(PyTorchPrimitives):
    """The same, in place where that is possible."""

    relu = staticmethod(torch.relu_)
    clip = kernel("clip", lambda x, low, high: _clip(x, low, high, overwrite=True))


def _lying_as(x: Tensor | float, condition: Tensor) -> Tensor:
    """The condition in x's order in memory: over two orders `where` takes ten times as long."""
    if not isinstance(x, Tensor) or condition.shape != x.shape or condition.stride() == x.stride():
        return condition
    return torch.empty_like(x, dtype=torch.bool).copy_(condition)


def _axes(x: Tensor, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(x.dim()))
    return tuple(axes)
