"""Operators that ONNX has too, by the same or another name."""

from __future__ import annotations

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("ExpandDims")
def expand_dims(w: Writer, x: str, axis: str) -> str:
    """x with one more axis."""
    return w.add("Unsqueeze", x, w.ints(w.integer(axis, "axis")))


@foreign("GatherND")
def gather_nd(w: Writer, data: str, indices: str) -> str:
    """ONNX's GatherND."""
    return w.add("GatherND", data, indices)


@foreign("GridSample")
def grid_sample(
    w: Writer,
    x: str,
    grid: str,
    *,
    align_corners: int = 0,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
) -> str:
    """ONNX's GridSample, whose modes have other names."""
    modes = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
    if mode not in modes:
        raise UnsupportedError(f"its mode '{mode}' is not known")
    return w.add(
        "GridSample",
        x,
        grid,
        align_corners=align_corners,
        mode=modes[mode],
        padding_mode=padding_mode,
    )


@foreign("Pad")
def pad(w: Writer, x: str, pads: str, value: str | None = None, *, mode: str = "constant") -> str:
    """ONNX's Pad; its pads may be a row."""
    pads = w.add("Reshape", pads, w.ints(-1))
    if value:
        value = w.add("Reshape", value, w.constant(np.zeros(0), np.int64))
    return w.add("Pad", x, pads, value or None, mode=mode)


@foreign("Range")
def range_(w: Writer, start: str, limit: str, delta: str | None = None) -> str:
    """ONNX's Range; the step is 1 if none is given."""
    scalar = w.constant(np.zeros(0), np.int64)
    start, limit = w.add("Reshape", start, scalar), w.add("Reshape", limit, scalar)
    if delta:
        step = w.add("Reshape", delta, scalar)
    else:
        step = w.add("CastLike", w.constant(1, np.int64), start)
    return w.add("Range", start, limit, step)


@foreign("Trilu")
def trilu(w: Writer, x: str, k: str | None = None, *, upper: int = 1) -> str:
    """ONNX's Trilu."""
    return w.add("Trilu", x, k, upper=upper)
