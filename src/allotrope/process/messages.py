"""Messages between processes: a count, then each part with its length, little-endian.

Only the standard library is imported, so that a bare Python can read and write them.
"""

from __future__ import annotations

import struct
from typing import BinaryIO


def pack(parts: list[bytes]) -> bytes:
    """A message as bytes."""
    lengths_and_parts = (struct.pack("<Q", len(part)) + part for part in parts)
    return struct.pack("<I", len(parts)) + b"".join(lengths_and_parts)


def read(stream: BinaryIO) -> list[bytes]:
    """The next message; empty at the end."""
    start = stream.read(4)
    if len(start) < 4:
        return []
    (count,) = struct.unpack("<I", start)
    return [stream.read(*struct.unpack("<Q", stream.read(8))) for _ in range(count)]
