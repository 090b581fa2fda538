"""Scans on one grid, with nothing that names a patient: not even their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import shown
from allotrope.data.sources.volumes.common_grid import (
    CommonGrid,
    common_grid,
    common_window,
    known_grid,
)
from allotrope.data.sources.volumes.stored_volumes import Decoding
from allotrope.data.sources.volumes.value_scale import is_relative, scales_differ
from allotrope.data.sources.volumes.volume_folders import LabelledScan
from allotrope.errors import DataError
from allotrope.inputs.volume.dicom import Slice, ordered, read_series, read_slices
from allotrope.inputs.volume.nifti import read_nifti
from allotrope.inputs.volume.scan_grid import Scan, UnreadableVolume, on_grid
from allotrope.inputs.volume.volume import Volume
from allotrope.inputs.volume.volume_files import dicom_files
from allotrope.wording import counted

T = TypeVar("T")
LISTED = 5


@dataclass(frozen=True)
class Look:
    """What is known of a scan before its values: geometry, slices of a series, window, patient."""

    scan: Scan
    slices: tuple[Slice, ...] = ()
    window: tuple[float, float] | None = None
    patient: str = ""
    modality: str = ""


@dataclass(frozen=True)
class ScansTogether:
    """Values float32 [n, d, h, w] of scans on the grid of an input, and remarks for the user.

    They stay on disk (`StoredRows`) if they are more than is held in memory.

    `patients` [n] are numbers, which tell nothing else of them.
    """

    volume: Volume
    values: np.ndarray
    patients: np.ndarray
    notes: list[str]


def scans_together(
    folder: Path,
    scans: Sequence[LabelledScan],
    name: str,
    options: DataOptions,
    report: Callable[[str], None],
    patients_said: bool = False,
) -> ScansTogether:
    """The scans as an input of this name.

    `patients_said`: whether their places name the patients, whatever headers say.
    Raises: DataError with every scan that cannot be read.
    """
    # All headers before any values: what is wrong anywhere is said before memory is asked for.
    looks = list(_each(folder, scans, lambda place: _look(scans[place])))
    grid = known_grid(options) or common_grid([look.scan for look in looks], options.image_size)
    report(f"{folder}: {counted(len(scans), 'volume')}; {grid.reason}")
    values, strange = _decoding(folder, scans, looks, grid).values(options, report)
    trained = [look for look, scan in zip(looks, scans, strict=True) if scan.split == "train"]
    modalities = [look.modality for look in looks]
    relative, why = is_relative(modalities, options)
    window = None
    if not relative:
        window, why = common_window([look.window for look in trained], options.value_range)
    if patients_said:
        looks = [replace(look, patient="") for look in looks]
    patients, by = _patients(scans, looks)
    notes = [grid.reason, why]
    if not patients_said:
        notes.append(by)
    lost = sum(bool(look.slices and look.slices[0].lacking) for look in looks)
    if lost:
        notes.append(
            f"{counted(lost, 'volume')} of a single slice do not say where it lies, as X-rays do "
            "not: rows are taken to run from front to back, and pixels for 1 mm if no size is said"
        )
    if not relative and options.scan_values == "auto" and not all(modalities):
        notes += [line for line in [scales_differ(values)] if line]
    if strange:
        notes.append(f"{strange:,} values are no numbers and became the lowest of their volume")
    volume = Volume(
        name=name, shape=grid.shape, spacing=grid.spacing, window=window, relative=relative
    )
    return ScansTogether(volume, values, patients, notes)


def _look(labelled: LabelledScan) -> Look:
    """What the headers of a scan say. Raises: UnreadableVolume."""
    if labelled.path.is_file() and not labelled.files:
        return Look(read_nifti(labelled.path, header_only=True))
    files = labelled.files or dicom_files(labelled.path)
    slices = ordered([one for file in files for one in read_slices(file)])
    if any(one.written_on for one in slices):
        raise UnreadableVolume(
            "text is written on its pixels (BurnedInAnnotation is YES), which may name the "
            "patient; clean them first"
        )
    first = slices[0]
    if any(one.patient != first.patient for one in slices):
        raise UnreadableVolume("its slices are of several patients, by PatientID")
    windows = {None if one.inverted else one.window for one in slices}
    window = first.window if len(windows) == 1 and not first.inverted else None
    scan = read_series(slices, header_only=True)
    return Look(scan, tuple(slices), window, first.patient, first.modality)


def _decoding(
    folder: Path, scans: Sequence[LabelledScan], looks: Sequence[Look], grid: CommonGrid
) -> Decoding:
    """The volumes float32 [d, h, w] on the grid, one after the other."""
    strange = [0] * len(scans)

    def read(place: int) -> np.ndarray:
        slices = looks[place].slices
        scan = read_series(slices) if slices else read_nifti(scans[place].path)
        strange[place] = scan.strange
        return on_grid(scan, grid.shape, grid.spacing)

    files = [_files(scan) for scan in scans]
    return Decoding(
        folder,
        [file for part in files for file in part],
        (len(scans), *grid.shape),
        (tuple(map(len, files)), grid.spacing),
        lambda: _each(folder, scans, read),
        lambda: sum(strange),
    )


def _files(scan: LabelledScan) -> Sequence[Path]:
    """The files that a scan is read from."""
    if scan.path.is_file() and not scan.files:
        return [scan.path]
    return scan.files or dicom_files(scan.path)


def _each(folder: Path, scans: Sequence[LabelledScan], read: Callable[[int], T]) -> Iterator[T]:
    """What is read of each scan by its place.

    Raises: DataError that says all reasons why some cannot be read, each with its scans.
    """
    reasons: dict[str, list[str]] = {}
    for place, scan in enumerate(scans):
        try:
            yield read(place)
        except UnreadableVolume as error:
            reasons.setdefault(str(error), []).append(shown(scan.path, folder))
    if reasons:
        count = sum(map(len, reasons.values()))
        raise DataError(
            f"{folder}: {count:,} of {counted(len(scans), 'volume')} cannot be read. Mend or "
            f"remove these:\n"
            + "\n".join(f"  {_listed(paths)}: {why}" for why, paths in reasons.items())
        )


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - LISTED:,} more" if len(paths) > LISTED else ""
    return ", ".join(paths[:LISTED]) + more


def _patients(scans: Sequence[LabelledScan], looks: Sequence[Look]) -> tuple[np.ndarray, str]:
    """A number [n] for the patient of each scan, and how they were told apart."""
    places = [scan.place for scan in scans]
    said = [look.patient for look in looks]
    # One name for all of several series is what anonymizing leaves behind.
    if len({patient for patient in said if patient}) < 2:
        said = [""] * len(said)
    names = [patient or place for patient, place in zip(said, places, strict=True)]
    by = "PatientID" if all(said) else "PatientID, and folders and files of scans without one"
    if not any(said):
        by = "folders and files, as headers do not tell patients apart"
    _, numbers = np.unique(names, return_inverse=True)
    count = counted(int(numbers.max()) + 1, "patient")
    return numbers, f"{count} by {by}: no patient is in two splits"
