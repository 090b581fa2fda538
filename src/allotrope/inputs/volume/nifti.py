"""NIfTI files as scans: the header first, then as many bytes as it says and not one more.

A delivered predict.py carries this text. nibabel reads the header; the rest of the file it would
read without a limit.
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from allotrope.inputs.volume.scan_grid import (
    Scan,
    UnreadableVolume,
    check_voxels,
    numbers_only,
    upright,
)

NIFTI = (".nii", ".nii.gz")
HEADERS = {348: "Nifti1Header", 540: "Nifti2Header"}
"""Length of the header, which is what it begins with, and nibabel's name for it."""
PAIRED = (b"ni1\0", b"ni2\0")
MOST_BETWEEN = 2**24
"""So many bytes of extensions may lie between header and voxels."""


def is_nifti(path: Path) -> bool:
    """Whether a file is called as NIfTI files are."""
    return path.name.lower().endswith(NIFTI)


def read_nifti(path: Path, header_only: bool = False) -> Scan:
    """The scan in a file; with `header_only` its values are all 0 and take no memory.

    Raises: UnreadableVolume.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _read(file, header_only)
            with gzip.open(file) as content:
                return _read(cast(IO[bytes], content), header_only)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableVolume(f"cannot be unpacked, it may be cut short: {error}") from None
    except OSError as error:
        raise UnreadableVolume(f"cannot be opened: {error.strerror or error}") from None


def medical_package(name: str) -> Any:
    """A package that reads medical files. Raises: UnreadableVolume with the command to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UnreadableVolume(
            f"is read by {name}, which is not installed: pip install {name}"
        ) from None


def _read(file: IO[bytes], header_only: bool) -> Scan:
    header, taken = _header(file)
    shape, dtype, offset = _layout(header)
    affine = header.get_best_affine()
    if header_only:
        return upright(np.broadcast_to(np.float32(0), shape), affine)
    # What a packed file unpacks to is bounded by what its header says, which was checked.
    between = file.read(offset - taken)
    size = dtype.itemsize * int(np.prod(shape))
    voxels = file.read(size)
    if len(between) < offset - taken or len(voxels) < size:
        raise UnreadableVolume(
            f"is cut short: its header says {size:,} bytes of voxels, found {len(voxels):,}"
        )
    values = np.frombuffer(voxels, dtype).reshape(shape, order="F")
    slope, intercept = header.get_slope_inter()
    scaled = values.astype(np.float32)
    if slope is not None and (slope, intercept) != (1, 0):
        scaled = scaled * np.float32(slope) + np.float32(intercept or 0)
    numbers, strange = numbers_only(scaled)
    turned = upright(numbers, affine)
    return Scan(turned.values, turned.spacing, strange)


def _header(file: IO[bytes]) -> tuple[Any, int]:
    """nibabel's header and how many bytes it took. Raises: UnreadableVolume."""
    nibabel = medical_package("nibabel")
    start = file.read(4)
    lengths = {int.from_bytes(start, "little"), int.from_bytes(start, "big")}
    length = next((known for known in HEADERS if known in lengths), None)
    if length is None:
        raise UnreadableVolume("its content is no NIfTI file")
    raw = start + file.read(length - 4)
    if len(raw) < length:
        raise UnreadableVolume(f"is cut short within its header, at {len(raw)} bytes")
    try:
        header = getattr(nibabel.nifti1 if length == 348 else nibabel.nifti2, HEADERS[length])(raw)
    except Exception as error:  # noqa: BLE001 - a hostile header may raise anything in a library
        raise UnreadableVolume(f"its header is wrong: {error}") from None
    if bytes(header["magic"]).ljust(4, b"\0")[:4] in PAIRED:
        raise UnreadableVolume("is the header of a .hdr/.img pair; save it as one .nii file")
    return header, length


def _layout(header: Any) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape [i, j, k], type and place of the voxels. Raises: UnreadableVolume."""
    try:
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        offset = int(header.get_data_offset())
        header.get_slope_inter()
    except Exception as error:  # noqa: BLE001 - a hostile header may raise anything in a library
        raise UnreadableVolume(f"its header is wrong: {error}") from None
    check_voxels(shape)
    # A fourth axis of one is how some programs write three.
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise UnreadableVolume(
            f"has {len(shape)} axes {tuple(int(side) for side in shape)}; expected three. Save "
            "one volume of a series a file"
        )
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableVolume(f"its voxels are {dtype}; expected single real numbers")
    if not header.sizeof_hdr <= offset <= MOST_BETWEEN:
        raise UnreadableVolume(f"its header says that voxels begin at byte {offset:,}")
    return shape, dtype, offset
