"""A look at the bytes of a model before they are parsed: whole, not too deep, and not made of more pieces than memory can hold.

Parsing turns an empty node of two bytes into a hundred, so a small file could fill the memory. Only lengths and field numbers
are read here (https://protobuf.dev/programming-guides/encoding), at about a million fields a second.
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
_COUNTED = frozenset({"node", "initializer", "sparse_initializer", "input", "output"})
_PACKED_VARINTS = frozenset({"int32_data", "int64_data", "uint64_data", "dims", "ints"})
Bytes = Any
"""bytes, or anything with the same indexing, such as a memory map."""


def check_wire(data: Bytes) -> None:
    """Raises: ModelError where the bytes are cut off, are no model, or hold more than is accepted."""
    try:
        _walk(data)
    except IndexError as error:
        raise ModelError("the file ends in the middle of a value: it is cut off, or no ONNX model. Fetch or export it again.") from error


def _walk(data: Bytes) -> None:
    position, end, fields = 0, len(data), _fields(onnx.ModelProto.DESCRIPTOR.full_name)
    stack: list[tuple[int, Any]] = []
    count = nodes = varints = 0
    while True:
        while position == end:
            if not stack:
                return
            end, fields = stack.pop()
        count += 1
        start = position
        tag, position = _varint(data, position)
        inner, name = fields.get(tag >> 3, (None, ""))
        wire = tag & 7
        if wire == _BYTES:
            length, position = _varint(data, position)
            if position + length > end:
                raise _damaged(start, f"claims {length} bytes where {end - position} are left")
            if inner is None:
                varints += length if name in _PACKED_VARINTS else 0
                position += length
                continue
            nodes += name in _COUNTED
            stack.append((end, fields))
            end, fields = position + length, _fields(inner)
            if count > LARGEST_FIELDS or nodes > LARGEST_NODES or varints > LARGEST_VARINTS or len(stack) > DEEPEST:
                raise _too_much(count, nodes, varints, len(stack))
        elif wire == _VARINT:
            _, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            position += 8 if wire == _FIXED64 else 4
        else:
            raise _damaged(start, "is of no kind that ONNX has")
        if position > end or tag >> 3 == 0:
            raise _damaged(start, "ends after what it is part of")
        if count > LARGEST_FIELDS:
            raise _too_much(count, nodes, varints, len(stack))


def _varint(data: Bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    if byte < 128:
        return byte, position + 1
    value, shift = byte & 127, 7
    while byte >= 128:
        position += 1
        byte = data[position]
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:
            raise _damaged(position, "is too long a number")
    return value, position + 1


def _damaged(position: int, what: str) -> ModelError:
    return ModelError(f"the field at byte {position} {what}: the file is cut off, damaged, or no ONNX model. Fetch or export it again.")


def _too_much(count: int, nodes: int, varints: int, depth: int) -> ModelError:
    limits = (
        ("nodes, arrays and values", nodes, LARGEST_NODES),
        ("fields", count, LARGEST_FIELDS),
        ("bytes of integer lists", varints, LARGEST_VARINTS),
        ("messages inside each other", depth, DEEPEST),
    )
    kind, limit = next((kind, limit) for kind, found, limit in limits if found > limit)
    return ModelError(
        f"the model has more than {limit:,} {kind}, the most that is accepted. Store arrays as raw_data, and split the graph."
    )


@cache
def _fields(message: str) -> dict[int, tuple[str | None, str]]:
    """Field numbers of a message: the message inside, if there is one, and the name."""
    descriptor = onnx.ModelProto.DESCRIPTOR.file.pool.FindMessageTypeByName(message)
    return {f.number: (f.message_type.full_name if f.message_type else None, f.name) for f in descriptor.fields}
