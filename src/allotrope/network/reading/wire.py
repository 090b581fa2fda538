"""A look at the bytes of a model before they are parsed.

They must be whole, not too deep, and not made of more pieces than memory can hold.

Parsing turns an empty node of two bytes into a hundred, so a small file could fill the memory. Only
lengths and field numbers are read here (https://protobuf.dev/programming-guides/encoding), at about
a million fields a second.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx

from allotrope.errors import ModelError

LARGEST_FIELDS = 1_500_000
LARGEST_NODES = 50_000
LARGEST_VARINTS = 16 * 2**20
DEEPEST = 60

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PLAIN, _TEXT, _PACKED, _COUNTED = 0, 1, 2, 3
_UNKNOWN_FIELD = (_PLAIN, None)
Fields = dict[int, tuple[int, str | None]]
Bytes = Any
"""bytes, or anything with the same indexing, such as a memory map."""


def check_wire(data: Bytes) -> None:
    """Raises: ModelError if the bytes are cut off, are no model, or hold more than is accepted."""
    try:
        _walk(data)
    except IndexError as error:
        raise ModelError(
            "the file ends in the middle of a value: it is cut off, or no ONNX model. Fetch or "
            "export it again."
        ) from error


def _walk(data: Bytes) -> None:
    position, end, fields = 0, len(data), _fields(onnx.ModelProto.DESCRIPTOR.full_name)
    stack: list[tuple[int, Fields]] = []
    count = counted = varints = 0
    while True:
        # A message may end where those around it end: all of them are left.
        while position == end:
            if not stack:
                return
            end, fields = stack.pop()
        count += 1
        start = position
        tag, position = _varint(data, position)
        kind, inner = fields.get(tag >> 3, _UNKNOWN_FIELD)
        wire = tag & 7
        if wire == _BYTES:
            length, position = _varint(data, position)
            # Checked before the message is entered: a length from a damaged file can be anything.
            if position + length > end:
                raise _damaged(start, f"claims {length} bytes where {end - position} are left")
            counted += kind == _COUNTED
            if inner is not None:
                # Messages inside are walked with a stack of our own: the depth of Python's is not
                # the file's to use.
                stack.append((end, fields))
                end, fields = position + length, _fields(inner)
            else:
                if kind == _TEXT:
                    _check_text(data, position, length)
                # A list of integers takes a byte each here and eight when it is parsed.
                varints += length if kind == _PACKED else 0
                position += length
        elif wire == _VARINT:
            _, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            position += 8 if wire == _FIXED64 else 4
        else:
            raise _damaged(start, "is of no kind that ONNX has")
        # Fields are numbered from 1: a 0 is what a file of zeros would consist of.
        if position > end or tag >> 3 == 0:
            raise _damaged(start, "ends after what it is part of")
        if (
            count > LARGEST_FIELDS
            or counted > LARGEST_NODES
            or varints > LARGEST_VARINTS
            or len(stack) > DEEPEST
        ):
            raise _too_much(count, counted, varints, len(stack))


def _check_text(data: Bytes, position: int, length: int) -> None:
    try:
        bytes(data[position : position + length]).decode()
    except UnicodeDecodeError as error:
        raise _damaged(position, "is a name that is no UTF-8") from error


def _varint(data: Bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    # Most numbers have one byte, and this is called for every field.
    if byte < 128:
        return byte, position + 1
    value, shift = byte & 127, 7
    while byte >= 128:
        position += 1
        byte = data[position]
        value |= (byte & 127) << shift
        shift += 7
        # 64 bits are ten bytes of seven; longer ones would only cost time.
        if shift > 70:
            raise _damaged(position, "is too long a number")
    return value, position + 1


def _damaged(position: int, what: str) -> ModelError:
    return ModelError(
        f"the field at byte {position} {what}: the file is cut off, damaged, or no ONNX model. "
        "Fetch or export it again."
    )


def _too_much(count: int, counted: int, varints: int, depth: int) -> ModelError:
    limits = (
        ("nodes, arrays and values", counted, LARGEST_NODES),
        ("fields", count, LARGEST_FIELDS),
        ("bytes of integer lists", varints, LARGEST_VARINTS),
        ("messages inside each other", depth, DEEPEST),
    )
    kind, limit = next((kind, limit) for kind, count, limit in limits if count > limit)
    return ModelError(
        f"the model has more than {limit:,} {kind}, the most that is accepted. Store arrays as "
        "raw_data, and split the graph."
    )


@cache
def _fields(message: str) -> Fields:
    """What is in each field of a message, by number: its kind, and the message inside if any."""
    descriptor = onnx.ModelProto.DESCRIPTOR.file.pool.FindMessageTypeByName(message)
    return {
        field.number: (_kind(field), field.message_type.full_name if field.message_type else None)
        for field in descriptor.fields
    }


def _kind(field: Any) -> int:
    if (
        field.name in ("node", "initializer", "sparse_initializer", "input", "output")
        and field.message_type
    ):
        return _COUNTED
    if field.name in ("int32_data", "int64_data", "uint64_data", "dims", "ints"):
        return _PACKED
    return _TEXT if field.type == field.TYPE_STRING else _PLAIN
