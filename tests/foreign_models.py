"""Models of one of ONNX Runtime's own operators, and arrays for them."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx
from onnx import helper

from allotrope.network.reading.foreign.operator_table import MICROSOFT
from onnx_models import drawn_from, model

F = np.float32
RNG = np.random.default_rng(5)

f = partial(drawn_from, RNG)


def q(*shape, dtype=np.uint8):
    low, high = (0, 255) if dtype == np.uint8 else (-127, 127)
    return RNG.integers(low, high + 1, shape).astype(dtype)


def scale(number=0.05):
    return np.array(number, F)


def zero(number, dtype=np.uint8):
    return np.array(number, dtype)


def foreign(
    operator, names, values, fixed=None, *, count=1, version=17, domain=MICROSOFT, **attributes
):
    """A model of one operator, and what it is given. `names` are its inputs, `-` one left out.

    What is given when it is run has a free first axis; `fixed` are arrays of the file.
    """
    inputs = [name.replace("-", "") for name in names.split()]
    made = helper.make_node(
        operator, inputs, [f"y{i}" for i in range(count)], domain=domain, **attributes
    )
    begins = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), free(x.shape))
        for name, x in values.items()
    ]
    ends = [onnx.ValueInfoProto(name=f"y{i}") for i in range(count)]
    built = model([made], begins, ends, fixed, opset=version, ir_version=8)
    built.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return built, values


def free(shape):
    return ["n", *shape[1:]] if shape else []


ROWS = {"x": f(2, 5, 6)}
IMAGE = {"x": f(2, 4, 7, 6)}
KERNEL = {"w": f(6, 4, 3, 3), "b": f(6)}
NORM = {"s": f(6), "h": f(6), "k": f(6)}
QUERY = {"q": f(2, 5, 8), "k": f(2, 7, 8), "v": f(2, 7, 8)}
GROUPED = {"q": f(2, 5, 64), "k": f(2, 5, 32), "v": f(2, 5, 32), "l": np.array([4, 4], np.int32)}
GROUPS = {"num_heads": 4, "kv_num_heads": 2, "count": 3}
TURNS = {"c": f(16, 8), "s": f(16, 8)}
TOTAL_5 = {"t": np.array(5, np.int32)}
HIDDEN = np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)
PAST = f(2, 2, 2, 3, 4)
PROJECTION = {"w": f(6, 24), "b": f(24)}
TABLES = {"words": f(9, 6), "places": f(12, 6), "segments": f(2, 6), **NORM}
IDS = {
    "ids": RNG.integers(0, 9, (2, 5)).astype(np.int32),
    "kinds": RNG.integers(0, 2, (2, 5)).astype(np.int32),
}


def bits(number, columns=3, length=40, block=16, with_zeros=True):
    """Weights of a few bits: [columns, blocks, bytes], their scales and their zero points."""
    blocks = -(-length // block)
    arrays = {
        "w": RNG.integers(0, 256, (columns, blocks, block * number // 8)).astype(np.uint8),
        "s": np.abs(f(columns * blocks)),
        "z": RNG.integers(0, 256, (columns * -(-blocks * number // 8),)).astype(np.uint8),
    }
    made = foreign(
        "MatMulNBits",
        "x w s z" if with_zeros else "x w s",
        {"x": f(2, 3, length)},
        arrays if with_zeros else {"w": arrays["w"], "s": arrays["s"]},
        K=length,
        N=columns,
        bits=number,
        block_size=block,
    )
    return made
