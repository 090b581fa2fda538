"""Pictures that Pillow cannot write: 16 bits a channel in colour, TIFF of any type of number."""

from __future__ import annotations

import struct
import zlib

import numpy as np

PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
SUB = 1
TIFF_KINDS = {"u": 1, "i": 2, "f": 3}
SHORT, LONG = 3, 4


def png_bytes(values: np.ndarray) -> bytes:
    """A PNG of 16 bits from uint16 [h, w, c], its rows filtered by the pixel to the left."""
    height, width, channels = values.shape
    pixel = 2 * channels
    rows = b""
    for row in values:
        plain = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        left = np.concatenate([np.zeros(pixel, np.uint8), plain[:-pixel]])
        rows += bytes([SUB]) + (plain - left).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOURS[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff_bytes(
    values: np.ndarray, order: str = "<", photometric: int | None = None, deflated: bool = False
) -> bytes:
    """A TIFF from [h, w] or [h, w, c]; `order` is < or >, `photometric` 0: zero is white."""
    height, width, channels = (*values.shape, 1)[:3]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if deflated else data
    if photometric is None:
        photometric = 2 if channels >= 3 else 1
    bits, kind = values.dtype.itemsize * 8, TIFF_KINDS[values.dtype.kind]
    pad = len(data) % 2
    directory = 8 + len(data) + pad
    extra = directory + 2 + 12 * (11 if channels == 4 else 10) + 4

    def several(number: int, place: int) -> int:
        return number if channels == 1 else place

    tags = [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, channels, several(bits, extra)),
        (259, SHORT, 1, 8 if deflated else 1),
        (262, SHORT, 1, photometric),
        (273, LONG, 1, 8),
        (277, SHORT, 1, channels),
        (278, LONG, 1, height),
        (279, LONG, 1, len(data)),
        *([(338, SHORT, 1, 2)] if channels == 4 else []),  # the fourth is transparency
        (339, SHORT, channels, several(kind, extra + 2 * channels)),
    ]
    text = (
        struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, directory)
        + data
        + b"\0" * pad
    )
    text += struct.pack(order + "H", len(tags))
    for tag, type_, count, value in tags:
        short = type_ == SHORT and count == 1
        text += struct.pack(order + "HHI", tag, type_, count)
        text += struct.pack(order + "HH", value, 0) if short else struct.pack(order + "I", value)
    lists = struct.pack(order + f"{channels}H", *[bits] * channels) + struct.pack(
        order + f"{channels}H", *[kind] * channels
    )
    return text + struct.pack(order + "I", 0) + lists
