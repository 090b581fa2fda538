"""Arrays that lie beside the model: read without leaving its folder, or written."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto

from allotrope.errors import ModelError
from allotrope.network.reading.file_formats import HEAD, other_format
from allotrope.storage import replacing

_ALIGNMENT = 4096
_SPARSE = 2**28
"""Files from this size on must have their bytes on the disk: holes cost memory alone."""
_SHOWN = 5


class ExternalData:
    """The files that the tensors of one model name, in the folder of the model or below it."""

    def __init__(self, model: Path) -> None:
        """`model` is its path; if that is a link, the real file's folder counts as its own, too."""
        self.folders = list(dict.fromkeys([model.parent, Path(os.path.realpath(model)).parent]))
        self._read: dict[tuple[str, int, int], bytes] = {}
        self._total: dict[str, int] = {}
        self._refused: dict[str, str] = {}

    def __call__(self, tensor: TensorProto, expected: int) -> bytes:
        """The bytes of a tensor.

        Raises: ModelError where the file is not a plain one of this model, or too short.
        """
        location, offset = self._place(tensor, expected)
        # Tensors may share their bytes, which are read once and counted once.
        key = (location, offset, expected)
        if key not in self._read:
            self._read[key] = self._bytes(tensor, location, offset, expected)
        return self._read[key]

    def _place(self, tensor: TensorProto, expected: int) -> tuple[str, int]:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = _inside(tensor.name, entries.get("location", ""))
        offset, length = entries.get("offset", "0"), entries.get("length", str(expected))
        if not all(
            # int() would take other digits, signs and underscores as well, and numbers of any
            # length.
            text.isascii() and text.isdigit() and len(text) < 19
            for text in (offset, length)
        ):
            raise ModelError(
                f"tensor '{tensor.name}' in '{location}' has the impossible offset {offset!r} or "
                f"length {length!r}."
            )
        if int(length) != expected:
            raise ModelError(
                f"tensor '{tensor.name}' needs {expected} bytes and has {length} in '{location}'."
            )
        return location, int(offset)

    def _bytes(self, tensor: TensorProto, location: str, offset: int, expected: int) -> bytes:
        if location in self._refused:
            raise ModelError(self._refused[location])
        with self._opened(location) as descriptor:
            status = os.fstat(descriptor)
            # A device or pipe has no size, gives bytes for ever, or waits for somebody.
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(
                    f"the weights lie in '{location}', a device or folder and not a file."
                )
            # A file of holes takes no disk and all of the memory.
            if status.st_size > _SPARSE and status.st_blocks * 512 < status.st_size // 8:
                raise ModelError(
                    f"the weights lie in '{location}', which claims {status.st_size:,} bytes and "
                    "is mostly holes."
                )
            if offset + expected > status.st_size:
                raise _too_short(tensor.name, location, descriptor, offset, expected)
            # Else many tensors, each the whole file, would make a small file fill the memory.
            self._total[location] = self._total.get(location, 0) + expected
            if self._total[location] > status.st_size:
                raise ModelError(
                    f"tensor '{tensor.name}' overlaps with others in '{location}', which has "
                    f"{status.st_size} bytes."
                )
            return _exactly(descriptor, offset, expected)

    @contextlib.contextmanager
    def _opened(self, location: str) -> Iterator[int]:
        """A descriptor of the file. Raises: ModelError if it is not there, or not the model's."""
        folder = next(
            (folder for folder in self.folders if os.path.lexists(folder / location)), None
        )
        if folder is None:
            self._refused[location] = _missing(self.folders[0], location)
            raise ModelError(self._refused[location])
        # Links are followed once, here; from then on the real path is opened without any.
        real = Path(os.path.realpath(folder / location))
        for root in _roots(folder):
            if real.is_relative_to(root):
                descriptor = _open_below(root, real.relative_to(root).parts, location)
                try:
                    yield descriptor
                finally:
                    os.close(descriptor)
                return
        raise ModelError(
            f"the weights lie in '{location}', which is a link to '{real}', outside of the model's "
            "own folder. Copy that file to where the link is."
        )


def _inside(tensor: str, location: str) -> str:
    """The location as names with / between. Raises: ModelError where it could leave the folder."""
    parts = [part for part in location.replace("\\", "/").split("/") if part != "."]
    if (
        location.startswith(("/", "\\"))
        or not all(parts)
        or not parts
        or ".." in parts
        or "\0" in location
        or ":" in parts[0]
    ):
        raise ModelError(
            f"tensor '{tensor}' lies in {location!r}; only files in the model's folder or below it "
            "are accepted."
        )
    return "/".join(parts)


def _roots(folder: Path) -> list[Path]:
    """The real folders in which a model's files may lie.

    These are its own, and for a snapshot in Hugging Face's cache the blobs of the same repository.

    That cache is `models--<owner>--<name>/` with `blobs/<hash>`, and links to these below
    `snapshots/<revision>/` (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
    """
    own = Path(os.path.realpath(folder))
    roots = [own]
    for above in own.parents:
        blobs = above.parent / "blobs"
        if above.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink():
            roots.append(blobs)
    return roots


def _open_below(root: Path, parts: tuple[str, ...], location: str) -> int:
    """Opened name by name and through no link, so that nothing can be put in between."""
    # O_NONBLOCK: opening a pipe would wait for its other end.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            below = os.open(part, flags if last else flags | os.O_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, FileNotFoundError):
            raise ModelError(
                f"the weights lie in '{location}', a link to a file that is not there: the "
                "download did not end."
            ) from error
        raise ModelError(
            f"the weights lie in '{location}', which is not a plain file here: {error.strerror}."
        ) from error
    return descriptor


def _missing(folder: Path, location: str) -> str:
    """What is said of a file that is not there, with those that it may be under another name."""
    names = list[str]()
    words = (
        f"the weights lie in '{location}', which is not there. It belongs to the model: put it "
        f"into '{folder}'"
    )
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        # Most often the file was renamed, after its name had been written into the model.
        names += sorted(entry.name for entry in entries if "data" in entry.name.lower())
    if names:
        others = ", ".join(map(repr, names[:_SHOWN]))
        words += f", under that name, which is written in the model (here are {others})"
    return words + "."


def _too_short(
    tensor: str, location: str, descriptor: int, offset: int, expected: int
) -> ModelError:
    size = os.fstat(descriptor).st_size
    other = other_format(os.pread(descriptor, HEAD, 0), size)
    if other:
        return ModelError(f"the weights lie in '{location}', but {other}")
    wanted = f"bytes {offset} to {offset + expected} of '{location}', which has {size}"
    return ModelError(f"tensor '{tensor}' needs {wanted}: it is cut off, or of another model.")


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
    """Write the arrays into one file, each on its own page; gives the tensors that point there.

    Raises: RunFolderError where it cannot be written.
    """
    from onnx import numpy_helper

    tensors = []
    with replacing(path) as file:
        for name, array in arrays.items():
            # On a page of its own each array can be mapped into memory.
            file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
            tensor = numpy_helper.from_array(array, name)
            place = {
                "location": path.name,
                "offset": str(file.tell()),
                "length": str(len(tensor.raw_data)),
            }
            file.write(tensor.raw_data)
            # The bytes lie in the file now, and a tensor says either them or their place.
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in place.items():
                tensor.external_data.add(key=key, value=value)
            tensors.append(tensor)
    return tensors
