"""Arrays that lie beside the model, in one flat file: read without leaving the folder, written where one file is too small."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto

from allotrope.errors import ModelError
from allotrope.storage import replacing

_ALIGNMENT = 4096
_SPARSE = 2**28
"""Files from this size on must have their bytes on the disk: a hole costs nothing there and all of it in memory."""


class ExternalData:
    """The files that the tensors of one model name, all in the folder of the model."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the model."""
        self.folder = folder
        self._read: dict[tuple[str, int, int], bytes] = {}
        self._total: dict[str, int] = {}

    def __call__(self, tensor: TensorProto, expected: int) -> bytes:
        """The bytes of a tensor.

        Raises: ModelError where the file is not a plain one in this folder, or too short.
        """
        location, offset = self._place(tensor, expected)
        key = (location, offset, expected)
        if key not in self._read:
            self._read[key] = self._bytes(tensor, location, offset, expected)
        return self._read[key]

    def _place(self, tensor: TensorProto, expected: int) -> tuple[str, int]:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if not location or location in (".", "..") or any(mark in location for mark in "/\\:\0"):
            raise ModelError(f"tensor '{tensor.name}' lies in {location!r}; only the plain name of a file beside the model is accepted.")
        numbers = [entries.get(key, default) for key, default in (("offset", "0"), ("length", str(expected)))]
        if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in numbers):
            raise ModelError(f"tensor '{tensor.name}' has the impossible offset {numbers[0]!r} or length {numbers[1]!r} in '{location}'.")
        if int(numbers[1]) != expected:
            raise ModelError(f"tensor '{tensor.name}' needs {expected} bytes and is given {numbers[1]} in '{location}'.")
        return location, int(numbers[0])

    def _bytes(self, tensor: TensorProto, location: str, offset: int, expected: int) -> bytes:
        try:
            descriptor = os.open(self.folder / location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ModelError(f"tensor '{tensor.name}' lies in '{location}', which is not a plain file here: {error.strerror}.") from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise ModelError(f"tensor '{tensor.name}' lies in '{location}', a device, folder or hard link and not a file of its own.")
            if found.st_size > _SPARSE and found.st_blocks * 512 < found.st_size // 8:
                raise ModelError(f"tensor '{tensor.name}' lies in '{location}', which claims {found.st_size:,} bytes and is mostly holes.")
            if offset + expected > found.st_size:
                raise ModelError(
                    f"tensor '{tensor.name}' needs bytes {offset} to {offset + expected} of '{location}', which has {found.st_size}."
                )
            self._total[location] = self._total.get(location, 0) + expected
            if self._total[location] > found.st_size:
                raise ModelError(f"tensor '{tensor.name}' overlaps with others in '{location}', which has {found.st_size} bytes.")
            return _exactly(descriptor, offset, expected)
        finally:
            os.close(descriptor)


def _exactly(descriptor: int, offset: int, count: int) -> bytes:
    """So many bytes; one read gives 2 GiB at most."""
    parts = []
    while count > 0:
        part = os.pread(descriptor, min(count, 2**30), offset)
        if not part:
            raise ModelError("the file became shorter while it was read.")
        parts.append(part)
        offset, count = offset + len(part), count - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_external(path: Path, arrays: Mapping[str, np.ndarray]) -> list[TensorProto]:
    """Write the arrays into one file, each on a page of its own; gives the tensors that point there.

    Raises: RunFolderError where it cannot be written.
    """
    from onnx import numpy_helper

    tensors = []
    with replacing(path) as file:
        for name, array in arrays.items():
            file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
            tensor = numpy_helper.from_array(array, name)
            place = {"location": path.name, "offset": str(file.tell()), "length": str(len(tensor.raw_data))}
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in place.items():
                tensor.external_data.add(key=key, value=value)
            tensors.append(tensor)
    return tensors
