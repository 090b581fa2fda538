"""Files and folders that hold one scan each. A delivered predict.py carries this text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from allotrope.inputs.volume.dicom import is_dicom, ordered, read_series, read_slices
from allotrope.inputs.volume.nifti import is_nifti, read_nifti
from allotrope.inputs.volume.scan_grid import Scan, UnreadableVolume, on_grid

VOLUME_KINDS = ".nii, .nii.gz, folders of DICOM slices (.dcm)"


def scans_below(folder: Path) -> Iterator[Path]:
    """Every NIfTI file, and every folder that holds DICOM slices, in the order of their names.

    Without what is hidden and what lies in folders of runs.
    """
    for here, paths in files_below(folder):
        if any(is_dicom(path) for path in paths if not is_nifti(path)):
            yield here
        yield from (path for path in paths if is_nifti(path))


def files_below(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder and the visible files right in it."""
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        if here != folder and (here / "run.json").is_file():
            folders.clear()  # what a run wrote is no data
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield here, [here / name for name in sorted(files) if not name.startswith(".")]


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files right in a folder."""
    visible = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return [path for path in visible if path.is_file() and is_dicom(path)]


def series_files(folder: Path) -> list[list[Path]]:
    """The DICOM files right in a folder by series, in the order of their names.

    A file that cannot be read is on its own, for whoever reads it to say why.
    """
    series: dict[str, list[Path]] = {}
    for path in dicom_files(folder):
        try:
            name = read_slices(path)[0].series or str(path)
        except UnreadableVolume:
            name = str(path)
        series.setdefault(name, []).append(path)
    return list(series.values())


def read_files(files: Sequence[Path]) -> Scan:
    """The scan of the slices of one series. Raises: UnreadableVolume."""
    return read_series(ordered([one for file in files for one in read_slices(file)]))


def read_scan(path: Path) -> Scan:
    """The scan in a NIfTI file, a folder of DICOM slices, or a single slice.

    Raises: UnreadableVolume.
    """
    if path.is_dir():
        files = dicom_files(path)
        if not files:
            raise UnreadableVolume("the folder holds no DICOM slices")
        return read_files(files)
    if not path.is_file():
        raise UnreadableVolume("no such file or folder")
    if is_nifti(path):
        return read_nifti(path)
    if is_dicom(path):
        return read_files([path])
    raise UnreadableVolume(f"is none of {VOLUME_KINDS}")


def read_volume(
    path: Path, shape: Sequence[int], spacing: Sequence[float], files: Sequence[Path] = ()
) -> np.ndarray:
    """Values float32 [d, h, w] on a grid of voxels so many millimetres apart.

    Of `files` alone, if a folder holds several series.
    Raises: UnreadableVolume.
    """
    return on_grid(read_files(files) if files else read_scan(path), shape, spacing)
