"""Numbers rounded to the steps of an integer type and back, with gradients to learn by."""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.operators.operator_table import operator
from allotrope.operators.quantized import spread

FLOAT32 = np.dtype(np.float32)


@operator("QuantizeDequantize", domain="allotrope")
def quantize_dequantize(
    p: Any,
    x: Any,
    scale: Any,
    zero_point: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    low: int = 0,
    high: int = 255,
) -> Any:
    """What DequantizeLinear makes of QuantizeLinear's integers from `low` to `high`.

    The gradient passes the rounding as if it were not there (straight through, Bengio et al. 2013,
    arxiv.org/abs/1308.3432), and is 0 beyond the ends. By the same formula the scale has the
    gradient of learned step sizes (Esser et al. 2020, arxiv.org/abs/1902.08153): q - x / scale
    inside, the end itself beyond.
    """
    dtype, shape = p.dtype(x), p.shape(x)
    # In half precision the steps of the rounding would be rounded themselves.
    wide = FLOAT32 if dtype.itemsize < FLOAT32.itemsize else dtype
    if wide != dtype:
        x = p.cast(x, wide)
    step = spread(p, scale, shape, axis, block_size, wide)
    lowest: Any = float(low)
    highest: Any = float(high)
    if zero_point is not None:
        offset = spread(p, zero_point, shape, axis, block_size, wide)
        lowest, highest = (p.add(p.negative(offset), end) for end in (lowest, highest))
    inside = p.maximum(p.minimum(p.divide(x, step), highest), lowest)
    # inside + (rounded - inside) is the rounded number to the bit: the difference is exact.
    whole = p.add(inside, p.stop_gradient(p.subtract(p.round(inside), inside)))
    y = p.multiply(whole, step)
    return y if wide == dtype else p.cast(y, dtype)
