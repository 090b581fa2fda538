"""Columns of a table that name volumes: NIfTI files, folders of DICOM slices, single slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.input_columns import DecodedVolumes
from allotrope.data.sources.table.delimited import TextColumns
from allotrope.data.sources.table.picture_files import (
    PictureFolder,
    find_files,
    is_file,
    mostly_end,
)
from allotrope.data.sources.volumes.read_volumes import VOLUME
from allotrope.data.sources.volumes.scans_together import scans_together
from allotrope.data.sources.volumes.volume_folders import LabelledScan, patient_of
from allotrope.data.store.stored_rows import rows_between
from allotrope.errors import DataError
from allotrope.inputs.volume.dicom import DICOM, is_dicom
from allotrope.inputs.volume.nifti import NIFTI, is_nifti
from allotrope.inputs.volume.volume_files import dicom_files, files_below, scans_below

TRIED = 20
"""Rows by which it is told whether a column names volumes."""
LISTED = 8


class VolumeFolder(PictureFolder):
    """A folder in which names of volumes are looked up, as those of pictures are."""

    noun = "volume"

    def holds(self, path: Path) -> bool:
        """Whether it is a NIfTI file, a slice, or a folder of slices."""
        if is_file(path):
            return is_nifti(path) or is_dicom(path)
        return path.is_dir() and bool(dicom_files(path))

    def everything(self) -> Iterable[Path]:
        """All volumes in the folder and below it."""
        return scans_below(self.folder)

    def stem(self, path: Path) -> str:
        """The name without `.nii.gz`, too."""
        return path.name.removesuffix(".gz").removesuffix(".nii")

    @cached_property
    def stems(self) -> frozenset[str]:
        """What NIfTI files in it and below are called without their suffix; none is opened."""
        paths = (path for _, paths in files_below(self.folder) for path in paths)
        return frozenset(self.stem(path) for path in paths if is_nifti(path))


def volume_columns(
    folder: VolumeFolder, columns: TextColumns, asked: Mapping[str, str]
) -> tuple[str, ...]:
    """The columns that name volumes, or are asked for as such."""
    return tuple(
        name
        for name, cells in columns.cells.items()
        if asked.get(name) == "volume" or (name not in asked and _names_volumes(folder, cells))
    )


def _names_volumes(folder: VolumeFolder, cells: Sequence[str]) -> bool:
    """Whether cells are names of volumes: by their suffix, or because there are such folders."""
    if mostly_end(cells, (*NIFTI, *DICOM)):
        return True
    tried = [cell for cell in cells[:TRIED] if cell]
    if not tried:
        return False
    # Slices are not looked for further down: a table of anything may lie beside a large folder.
    if all(_ends_so(cell) or _is_right_there(folder, cell) for cell in tried):
        return True
    # Labels may be called as some files are, and are not another one in each row.
    return len(set(tried)) == len(tried) and folder.stems.issuperset(tried)


def _ends_so(name: str) -> bool:
    return name.lower().endswith((*NIFTI, *DICOM))


def _is_right_there(folder: VolumeFolder, name: str) -> bool:
    """Whether it is the name of a folder of slices."""
    try:
        is_folder = (folder.folder / name).is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        return False
    return is_folder and folder.find(name)[0] is not None


def decoded_volumes(
    folder: VolumeFolder,
    frame: Frame,
    names: Sequence[str],
    options: DataOptions,
    report: Callable[[str], None],
) -> tuple[Frame, dict[str, DecodedVolumes]]:
    """The volumes of these columns; rows of the frame are called by their numbers from now on.

    Raises: DataError with every row that names no volume, and every volume that cannot be read.
    """
    places = _patients(frame, options.group)
    parts = [split for split, part in frame.splits.items() for _ in part[names[0]]]
    decoded = {}
    for name in names:
        paths = find_files(folder, frame, name)
        scans = [
            LabelledScan(path, split, "", place or patient_of(path, folder.folder))
            for path, split, place in zip(paths, parts, places, strict=True)
        ]
        # A column of file names says little: the only volume is called as in any other source.
        called = VOLUME if len(names) == 1 else name
        together = scans_together(folder.folder, scans, called, options, report, any(places))
        frame.notes.extend(note for note in together.notes if note not in frame.notes)
        values, patients = (
            _by_split(frame, name, whole) for whole in (together.values, together.patients)
        )
        decoded[name] = DecodedVolumes(together.volume, values, patients)
    numbered = iter(range(1, len(parts) + 1))
    # What a file is called may name its patient.
    origin = {
        split: tuple(f"volume {next(numbered)}" for _ in part[names[0]])
        for split, part in frame.splits.items()
    }
    return replace(frame, origin=origin), decoded


def _patients(frame: Frame, column: str | None) -> list[str]:
    """What names the patient of each row; empty texts if no column does.

    Raises: DataError for rows without one.
    """
    if column is None:
        return ["" for part in frame.splits.values() for _ in next(iter(part.values()))]
    names = [str(cell).strip() for part in frame.splits.values() for cell in part[column]]
    rows = [
        frame.row(split, row)
        for split, part in frame.splits.items()
        for row in range(len(part[column]))
    ]
    lacking = [row for row, name in zip(rows, names, strict=True) if name.lower() in ("", "nan")]
    if lacking:
        more = f" and {len(lacking) - LISTED:,} more" if len(lacking) > LISTED else ""
        raise DataError(
            f"{frame.name}: '{column}' tells patients apart, and is empty in "
            f"{', '.join(lacking[:LISTED])}{more}. Fill it in, or say --group none to tell "
            "patients apart by headers and names of files."
        )
    return names


def _by_split(frame: Frame, name: str, whole: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of all rows, by split."""
    ends = np.cumsum([0, *(len(part[name]) for part in frame.splits.values())]).tolist()
    parts = [rows_between(whole, start, end) for start, end in pairwise(ends)]
    return dict(zip(frame.splits, parts, strict=True))
