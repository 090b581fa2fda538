"""DICOM files as scans: the slices of one series, in the order in which they lie in space.

A delivered predict.py carries this text. Of what identifies a patient only a hash is held, in
memory, to tell patients apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.inputs.volume.nifti import medical_package
from allotrope.inputs.volume.scan_grid import (
    Scan,
    UnreadableVolume,
    check_voxels,
    numbers_only,
    upright,
)

DICOM = (".dcm", ".dicom", ".ima")
DEFLATED = "1.2.840.10008.1.2.1.99"
"""A syntax whose whole file is packed, and would be unpacked without a limit."""
MOST_BYTES = 2**30
"""No file of slices is so large: as many voxels as may be, of four bytes."""
ALIKE = 1e-3
"""How far directions of slices of one series may differ."""
GAP = 1.5
"""Slices further apart than so many times the usual distance have others missing between them."""
TAGS = (
    "SeriesInstanceUID",
    "PatientID",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "BurnedInAnnotation",
)
"""All that is looked at of a header."""
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""What says of the frames of a file where they lie (PS3.3 C.7.6.16)."""
PLACING = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")


@dataclass(frozen=True)
class Slice:
    """What the header of one slice says; `position` and `directions` in millimetres, as DICOM does.

    `directions` [6] are along a row and along a column. `series` and `patient` are hashes; `frame`
    counts among the `frames` of its file; values are stored ones by `slope` and `intercept`.
    `lacking` are the elements without which its place is not known, as of most X-rays.
    """

    path: Path
    series: str
    patient: str
    rows: int
    columns: int
    spacing: tuple[float, float]
    thickness: float
    position: tuple[float, ...]
    directions: tuple[float, ...]
    inverted: bool
    window: tuple[float, float] | None
    written_on: bool
    modality: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    frame: int = 0
    frames: int = 1
    lacking: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        """The place along the normal of the slice."""
        return float(np.dot(normal(self), self.position))


def is_dicom(path: Path) -> bool:
    """Whether a file is called as DICOM files are, or has no suffix and says that it is one."""
    if path.suffix.lower() in DICOM:
        return True
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def normal(one: Slice) -> np.ndarray:
    """The direction in which slices lie on each other: [3]."""
    along = np.array(one.directions)
    return np.cross(along[:3], along[3:])


def read_slices(path: Path) -> list[Slice]:
    """The header of a slice, or those of all frames in a file. Raises: UnreadableVolume."""
    with _as_reason():
        data = _opened(path, (*TAGS, *GROUPS), True)
        if "Rows" not in data or "Columns" not in data:
            raise UnreadableVolume("a file holds no pixels, such as a report or a list of files")
        count = int(data.get("NumberOfFrames", 1) or 1)
        check_voxels((count, int(data.Rows), int(data.Columns)))
        if count > 1 and len(data.get(GROUPS[1], ())) != count:
            raise UnreadableVolume(
                f"a file holds several frames, {count:,}, and does not say where each lies, as "
                "films do not; expected slices, or frames with their places"
            )
        return [_slice(path, _of_frame(data, number), number, count) for number in range(count)]


def ordered(slices: Sequence[Slice]) -> list[Slice]:
    """The slices of one series along their normal.

    Raises: UnreadableVolume for several series, slices that do not fit each other, that are there
    twice or that are missing.
    """
    _check_series(slices)
    rows = sorted(slices, key=lambda one: one.height)
    heights = np.array([one.height for one in rows])
    gaps = np.diff(heights)
    if not len(gaps):
        return rows
    usual = float(np.median(gaps))
    twice = int((gaps <= ALIKE * max(usual, ALIKE)).sum())
    if twice:
        raise UnreadableVolume(f"{twice} of its {len(rows)} slices lie where another one does")
    wide = [gap for gap in gaps if gap > GAP * usual]
    if wide:
        missing = sum(round(gap / usual) - 1 for gap in wide)
        raise UnreadableVolume(
            f"about {missing} slices are missing between the {len(rows)} there are: most lie "
            f"{usual:.4g} mm apart, some {max(wide):.4g} mm"
        )
    return rows


def read_series(slices: Sequence[Slice], header_only: bool = False) -> Scan:
    """The scan of slices in their order; with `header_only` its values are all 0.

    Raises: UnreadableVolume.
    """
    first, last = slices[0], slices[-1]
    shape = len(slices), first.rows, first.columns
    check_voxels(shape)
    affine = _affine(first, last, len(slices))
    if header_only:
        return upright(np.broadcast_to(np.float32(0), shape).transpose(2, 1, 0), affine)
    values, place = np.empty(shape, np.float32), 0
    for path, frames in groupby(slices, lambda one: one.path):
        for one in _pixels(path, list(frames)):
            values[place] = one
            place += 1
    numbers, strange = numbers_only(values)
    turned = upright(numbers.transpose(2, 1, 0), affine)
    return Scan(turned.values, turned.spacing, strange)


def _pixels(path: Path, frames: Sequence[Slice]) -> Iterator[np.ndarray]:
    """The values float32 [rows, columns] of frames of one file, in the units of their headers.

    Raises: UnreadableVolume.
    """
    first = frames[0]
    with _as_reason():
        data = _opened(path, None, False)
        _check_decoder(data, first.frames)
        stored = data.pixel_array
        # A compressed picture has a size of its own, which nobody has checked yet.
        expected: tuple[int, ...] = (first.rows, first.columns)
        if first.frames > 1:
            expected = (first.frames, *expected)
        if stored.shape != expected:
            raise UnreadableVolume(f"it has pixels {stored.shape}, its header says {expected}")
        stored = stored.reshape(first.frames, first.rows, first.columns)
        for one in frames:
            values = stored[one.frame].astype(np.float32)
            if one.inverted:
                # The lowest value is white: turned within what the bits can say.
                bits = 2 ** int(data.BitsStored)
                values = (-1 if data.PixelRepresentation else bits - 1) - values
            yield values * np.float32(one.slope) + np.float32(one.intercept)


def _of_frame(data: Any, number: int) -> dict[str, Any]:
    """The elements of `TAGS` that hold for a frame: its own before those of all."""
    told = {tag: data.get(tag) for tag in TAGS if tag in data}
    shared, own = (data.get(name, ()) for name in GROUPS)
    for group in (*shared[:1], *own[number : number + 1]):
        # Each of a frame's groups is a sequence of one item with the elements themselves.
        for item in (element.value[0] for element in group if element.VR == "SQ" and element.value):
            told |= {part.keyword: part.value for part in item if part.keyword in TAGS}
    return told


def _slice(path: Path, told: Mapping[str, Any], frame: int, frames: int) -> Slice:
    if int(told.get("SamplesPerPixel", 1)) != 1:
        raise UnreadableVolume("its pixels are in colour; expected one value a voxel")
    lacking = tuple(tag for tag in PLACING if not told.get(tag))
    steps = told.get("PixelSpacing") or told.get("ImagerPixelSpacing") or (1, 1)
    row, column = (float(step) for step in steps)
    photometric = str(told.get("PhotometricInterpretation", ""))
    return Slice(
        path=path,
        series=_hashed(told.get("SeriesInstanceUID")),
        patient=_hashed(told.get("PatientID")),
        rows=int(told["Rows"]),
        columns=int(told["Columns"]),
        spacing=(row, column),
        thickness=float(told.get("SliceThickness") or 0),
        position=tuple(map(float, told.get("ImagePositionPatient") or (0, 0, 0))),
        directions=tuple(map(float, told.get("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0))),
        inverted=photometric == "MONOCHROME1",
        window=_window(told),
        written_on=str(told.get("BurnedInAnnotation", "")).upper() == "YES",
        modality=str(told.get("Modality", "")).upper(),
        slope=float(told.get("RescaleSlope", 1)),
        intercept=float(told.get("RescaleIntercept", 0)),
        frame=frame,
        frames=frames,
        lacking=lacking,
    )


def _window(told: Mapping[str, Any]) -> tuple[float, float] | None:
    """The lowest and highest value that are told apart, of the first window there is."""
    center, width = told.get("WindowCenter"), told.get("WindowWidth")
    if center is None or width is None:
        return None
    middle, whole = (float(np.ravel(value)[0]) for value in (center, width))
    return (middle - whole / 2, middle + whole / 2) if whole > 0 else None


def _hashed(identifier: Any) -> str:
    """A hash in place of an identifier; nothing of nothing."""
    text = str(identifier or "").strip()
    return blake2b(text.encode(), digest_size=16).hexdigest() if text else ""


def _opened(path: Path, tags: Sequence[str] | None, header_only: bool) -> Any:
    pydicom = medical_package("pydicom")
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableVolume(f"a file is larger than {MOST_BYTES:,} bytes")
    # Looked at before the rest: what is packed as a whole is unpacked when it is opened.
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        raise UnreadableVolume("the file is packed as a whole (deflated); save it unpacked")
    wanted = None if tags is None else list(tags)
    return pydicom.dcmread(path, stop_before_pixels=header_only, specific_tags=wanted)


def _check_decoder(data: Any, frames: int) -> None:
    """Raises: UnreadableVolume if there are no pixels, or nothing that decodes them."""
    if "PixelData" not in data:
        raise UnreadableVolume("a slice holds no pixels, only a header")
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_compressed:
        _check_length(data, frames)
        return
    try:
        decoder = medical_package("pydicom.pixels").get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableVolume(
            f"its pixels are compressed as {syntax.name}, which nothing here decodes; save them "
            "uncompressed"
        ) from None
    if not decoder.is_available:
        raise UnreadableVolume(
            f"its pixels are compressed as {syntax.name}, and a package for that is not "
            f"installed: {'; or '.join(decoder.missing_dependencies)}"
        )


def _check_length(data: Any, frames: int) -> None:
    """Raises: UnreadableVolume if the pixels are not as many as the header says."""
    size = frames * int(data.Rows) * int(data.Columns) * (int(data.BitsAllocated) // 8)
    length = len(data.PixelData)
    # A length that is odd is filled up.
    if not size <= length <= size + 1:
        raise UnreadableVolume(f"a slice has {length:,} bytes of pixels, its header says {size:,}")


@contextmanager
def _as_reason() -> Iterator[None]:
    """Whatever is raised on a broken file as UnreadableVolume; warnings of values are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnreadableVolume:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        # Not its text, which may quote what the header says of the patient.
        raise UnreadableVolume(
            f"a file is no DICOM slice that can be read ({type(error).__name__})"
        ) from None


def _check_series(slices: Sequence[Slice]) -> None:
    counts = [sum(one.series == name for one in slices) for name in {s.series for s in slices}]
    if len(counts) > 1:
        listed = ", ".join(map(str, sorted(counts, reverse=True)))
        raise UnreadableVolume(
            f"{len(counts)} series are mixed, of {listed} slices; expected one a folder"
        )
    first = slices[0]
    lacking = sorted({tag for one in slices for tag in one.lacking})
    if lacking and len(slices) > 1:
        raise UnreadableVolume(
            f"its slices do not say {', '.join(lacking)}, so that their places are not known"
        )
    if any((one.rows, one.columns) != (first.rows, first.columns) for one in slices):
        raise UnreadableVolume("its slices have different numbers of rows and columns")
    places = [(*one.directions, *one.spacing) for one in slices]
    if not np.allclose(places, places[0], atol=ALIKE):
        raise UnreadableVolume("its slices are turned or spaced differently")


def _affine(first: Slice, last: Slice, count: int) -> np.ndarray:
    """From places [i, j, k] to millimetres to the right, to the front and up: [4, 4].

    DICOM counts to the left and to the back (PS3.3 C.7.6.2), so both turn around.
    """
    along = np.array(first.directions)
    between = first.thickness or first.spacing[0]
    if count > 1:
        between = (last.height - first.height) / (count - 1)
    affine = np.eye(4)
    affine[:3, 0] = along[:3] * first.spacing[1]
    affine[:3, 1] = along[3:] * first.spacing[0]
    affine[:3, 2] = normal(first) * between
    affine[:3, 3] = first.position
    return np.diag([-1, -1, 1, 1]) @ affine
