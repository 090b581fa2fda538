"""Signals: Fourier transforms, whole and in frames, and the mel scale.

Complex numbers are pairs on a last axis of length 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import axis_of
from allotrope.operators.elementwise import dtype_of
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator
from allotrope.operators.shaping import narrow


@operator("DFT", host=("dft_length", "axis"))
def dft(
    p: Any,
    x: Any,
    dft_length: np.ndarray | None = None,
    axis: np.ndarray | None = None,
    *,
    inverse: int = 0,
    onesided: int = 0,
) -> Any:
    """Discrete Fourier transform of x [..., 1 or 2] along an axis.

    x is cut, or filled with zeros, to dft_length.
    onesided leaves out the bins that follow from symmetry: forward from the result, inverse from x,
    which then gives real numbers.
    """
    rank = len(p.shape(x))
    along = rank - 2
    if axis is not None:
        along = axis_of(axis, rank)
    if along == rank - 1:
        raise ModelError("the last axis holds real and imaginary parts and cannot be transformed.")
    # The axis goes before that of real and imaginary parts, where primitives want it.
    order = [i for i in range(rank) if i not in (along, rank - 1)] + [along, rank - 1]
    x = p.transpose(x, order)
    length = p.shape(x)[-2]
    if dft_length is not None:
        length = int(np.asarray(dft_length).reshape(()))
    elif inverse and onesided:
        length = 2 * (length - 1)
    y = transform(p, x, length, bool(inverse), bool(onesided))
    return p.transpose(y, [order.index(i) for i in range(rank)])


def transform(p: Any, x: Any, length: int, inverse: bool, onesided: bool) -> Any:
    """The transform of x [..., n, 1 or 2], n made `length`."""
    dtype = p.dtype(x)
    if dtype.itemsize < 4:
        x = p.cast(x, np.dtype(np.float32))
    rank, bins = len(p.shape(x)), length // 2 + 1
    if inverse and onesided:
        x = _fitted(p, _fitted(p, x, rank - 2, bins), rank - 1, 2)
        # From half of the bins all of them first, so that one primitive does every case.
        x = _mirrored(p, x, length)
    else:
        x = _fitted(p, _fitted(p, x, rank - 2, length), rank - 1, 2)
    y = p.fourier(x, inverse)
    if onesided and inverse:
        y = narrow(p, y, rank - 1, 0, 1)
    elif onesided:
        y = narrow(p, y, rank - 2, 0, bins)
    if p.dtype(y) == dtype:
        return y
    return p.cast(y, dtype)


def _fitted(p: Any, x: Any, axis: int, length: int) -> Any:
    """x cut, or with zeros after it, to a length along an axis."""
    shape = p.shape(x)
    if shape[axis] == length:
        return x
    if shape[axis] > length:
        return narrow(p, x, axis, 0, length)
    missing = [0] * len(shape)
    missing[axis] = length - shape[axis]
    return p.pad(x, [0] * len(shape), missing, "constant", 0)


def _mirrored(p: Any, x: Any, length: int) -> Any:
    """All bins of a real signal from its first half [..., length / 2 + 1, 2].

    The others are their complex conjugates in reverse.
    """
    axis = len(p.shape(x)) - 2
    rest = p.flip(narrow(p, x, axis, 1, (length + 1) // 2), (axis,))
    conjugate = p.multiply(rest, p.constant(np.array([1, -1], p.dtype(x))))
    return p.concatenate((x, conjugate), axis)


@operator("STFT", host=("frame_step", "frame_length"))
def stft(
    p: Any,
    x: Any,
    frame_step: np.ndarray,
    window: Any = None,
    frame_length: np.ndarray | None = None,
    *,
    onesided: int = 1,
) -> Any:
    """Fourier transforms of windowed frames of x [n, length, 1 or 2]: [n, frames, bins, 2]."""
    total = p.shape(x)[1]
    length = total
    if window is not None:
        length = p.shape(window)[0]
    if frame_length is not None:
        length = int(np.asarray(frame_length).reshape(()))
    step = int(np.asarray(frame_step).reshape(()))
    if step < 1 or not 1 <= length <= total:
        raise ModelError(
            f"frames of length {length} at steps of {step} do not fit into a signal of length "
            f"{total}."
        )
    starts = np.arange(0, total - length + 1, step)
    room_for((len(starts), length), np.dtype(np.int64))
    # All frames by one gather: a row of places for each.
    frames = p.take(x, p.constant(starts[:, None] + np.arange(length)), 1)
    if window is not None:
        frames = p.multiply(frames, p.reshape(_fitted(p, window, 0, length), (length, 1)))
    return transform(p, frames, length, False, bool(onesided))


@operator("MelWeightMatrix", host=("*",))
def mel_weight_matrix(
    p: Any,
    num_mel_bins: np.ndarray,
    dft_length: np.ndarray,
    sample_rate: np.ndarray,
    lower_edge_hertz: np.ndarray,
    upper_edge_hertz: np.ndarray,
    *,
    output_datatype: int = 1,
) -> np.ndarray:
    """Triangles on the mel scale: [dft_length / 2 + 1, num_mel_bins].

    mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987).
    """
    bands, length = int(num_mel_bins), int(dft_length)
    low = 2595 * np.log10(1 + float(lower_edge_hertz) / 700)
    high = 2595 * np.log10(1 + float(upper_edge_hertz) / 700)
    room_for((length // 2 + 1, bands + 2), np.dtype(np.float64))
    mel = low + np.arange(bands + 2) * (high - low) / (bands + 2)
    corners = ((length + 1) * 700 * (10 ** (mel / 2595) - 1) // int(sample_rate)).astype(np.int64)
    bins = np.arange(length // 2 + 1)[:, None]
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    with np.errstate(all="ignore"):
        # Where two corners are the same bin, a side is a step and not a slope.
        rising = np.where(centre > left, (bins - left) / (centre - left), bins == centre)
        falling = np.where(right > centre, (right - bins) / (right - centre), 0)
    inside = np.where(
        bins < centre,
        rising * (bins >= left),
        np.where(bins == centre, 1, falling * (bins < right)),
    )
    return np.asarray(inside.astype(dtype_of(output_datatype)))
