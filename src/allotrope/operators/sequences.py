"""Sequences of arrays: Python lists that flow through the graph.

Their lengths and places are host values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import axis_of
from allotrope.operators.operator_table import operator
from allotrope.operators.shaping import narrow

Sequence = list[Any]


@operator("SequenceConstruct")
def sequence_construct(p: Any, *arrays: Any) -> tuple[Sequence]:
    """The arrays as a sequence."""
    return (list(arrays),)


@operator("SequenceEmpty")
def sequence_empty(p: Any, *, dtype: int = 1) -> tuple[Sequence]:
    """A sequence of nothing."""
    return ([],)


@operator("SequenceLength")
def sequence_length(p: Any, sequence: Sequence) -> np.ndarray:
    """How many arrays there are, int64."""
    return np.asarray(len(sequence), np.int64)


@operator("SequenceAt", host=("position",))
def sequence_at(p: Any, sequence: Sequence, position: np.ndarray) -> Any:
    """The array at a place, negative from the end."""
    return sequence[_place(position, len(sequence), len(sequence) - 1)]


@operator("SequenceInsert", host=("position",))
def sequence_insert(
    p: Any, sequence: Sequence, x: Any, position: np.ndarray | None = None
) -> tuple[Sequence]:
    """The sequence with an array before a place, or after all."""
    place = len(sequence)
    if position is not None:
        place = _place(position, place, place)
    return ([*sequence[:place], x, *sequence[place:]],)


@operator("SequenceErase", host=("position",))
def sequence_erase(
    p: Any, sequence: Sequence, position: np.ndarray | None = None
) -> tuple[Sequence]:
    """The sequence without the array at a place, or without the last."""
    if position is None:
        position = np.asarray(-1)
    place = _place(position, len(sequence), len(sequence) - 1)
    return ([*sequence[:place], *sequence[place + 1 :]],)


def _place(position: Any, length: int, last: int) -> int:
    place = int(np.asarray(position).reshape(()))
    if not -length <= place <= last:
        raise ModelError(f"place {place} is not in a sequence of {length}.")
    if place < 0:
        return place + length
    return place


@operator("SplitToSequence", host=("lengths",))
def split_to_sequence(
    p: Any, x: Any, lengths: np.ndarray | None = None, *, axis: int = 0, keepdims: int = 1
) -> tuple[Sequence]:
    """Pieces of x along an axis: of these lengths, or of one length with a shorter last.

    Without lengths they are of length 1, and lose the axis unless keepdims.
    """
    shape = p.shape(x)
    axis = axis_of(axis, len(shape))
    sizes = np.asarray(1)
    if lengths is not None:
        sizes = np.asarray(lengths)
    if sizes.ndim:
        ends = np.cumsum(sizes)
    else:
        ends = np.minimum(np.arange(0, shape[axis], int(sizes)) + int(sizes), shape[axis])
    # Pieces end where the next ones begin.
    starts = [0, *(int(e) for e in ends[:-1])]
    pieces = [narrow(p, x, axis, start, int(end)) for start, end in zip(starts, ends, strict=True)]
    if lengths is None and not keepdims:
        pieces = [p.reshape(piece, (*shape[:axis], *shape[axis + 1 :])) for piece in pieces]
    return (pieces,)


def _array(p: Any, x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return p.constant(x)
    return x


@operator("ConcatFromSequence")
def concat_from_sequence(p: Any, sequence: Sequence, *, axis: int, new_axis: int = 0) -> Any:
    """The arrays one after the other along an axis, or along a new one."""
    if not sequence:
        raise ModelError("a sequence of nothing cannot be concatenated.")
    arrays = [_array(p, one) for one in sequence]
    if new_axis:
        shape = p.shape(arrays[0])
        # Counted among the axes of the result, which has one more.
        at = axis % (len(shape) + 1)
        arrays = [p.reshape(a, (*shape[:at], 1, *shape[at:])) for a in arrays]
    return p.concatenate(arrays, axis)
