"""Random bits as a pure function of (seed, step, node, position), the same in all frameworks.

Each framework computes them itself. The mixing function is the 32-bit finalizer "lowbias32" of C.
Wellons (2018), public domain, here over int32 arithmetic that wraps around, which every framework
has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_INT = np.dtype(np.int32)
_FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)


def keep_mask(p: Any, shape: Sequence[int], rate: float, context: Any) -> Any:
    """True with probability 1 - rate, of the given shape."""
    key = p.add(
        p.multiply(_scalar(p, context.step), 0x9E3779B1 - 2**32),
        _wrapped(context.seed * 0x85EBCA77 + context.index * 0xC2B2AE3D),
    )
    # The key is mixed before it is added, so that neighbouring steps share no stretch of bits.
    bits = mix(p, p.add(_positions(p, shape, context), mix(p, key)))
    # 24 bits: every framework compares whole numbers of that size exactly, as floats too.
    uniform = p.shift_right_logical(bits, 8)
    return p.reshape(p.greater(uniform, round(rate * 2**24) - 1), shape)


def _positions(p: Any, shape: Sequence[int], context: Any) -> Any:
    """The places of a mask's numbers in that of the whole batch, int32 [m]."""
    if context.share is None:
        return p.arange(math.prod(shape), _INT)
    return context.share.positions(p, shape, context.node.inputs[0])


def mix(p: Any, x: Any) -> Any:
    """A bijection of int32 in which every input bit moves every output bit."""
    for shift, factor in ((16, _FACTORS[0]), (15, _FACTORS[1])):
        x = p.multiply(p.bitwise_xor(x, p.shift_right_logical(x, shift)), factor)
    return p.bitwise_xor(x, p.shift_right_logical(x, 16))


def _scalar(p: Any, step: Any) -> Any:
    if isinstance(step, int):
        return p.constant(np.asarray(_wrapped(step), _INT))
    return step


def _wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
