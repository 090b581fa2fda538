"""Which scans lie in a folder, of which class, split and patient: by the folders above them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from allotrope.data.encodings import printable
from allotrope.data.split_names import split_name
from allotrope.errors import DataError
from allotrope.inputs.volume.dicom import is_dicom
from allotrope.inputs.volume.nifti import is_nifti
from allotrope.inputs.volume.volume_files import (
    VOLUME_KINDS,
    files_below,
    scans_below,
    series_files,
)
from allotrope.wording import counted

SUBJECT = re.compile(
    r"sub-[a-z0-9]+|(?:subject|subj|patient|pat|pt|case)[-_ ]?[a-z]*\d+", re.IGNORECASE
)
"""What the names of a subject's files begin with, as in BIDS, or `patient03_before`."""
EXPECTED = (
    f"one folder a class, or such folders below train/, validation/ and test/, and in it volumes "
    f"({VOLUME_KINDS}), perhaps a folder a patient"
)
LISTED = 5


@dataclass(frozen=True)
class LabelledScan:
    """A scan with its class; of `files` alone, if other series lie beside them.

    `place` stands for the patient if no header names one: a folder, a subject's name, or the scan.
    """

    path: Path
    split: str
    label: str
    place: str
    files: tuple[Path, ...] = ()


def holds_scans(folder: Path) -> bool:
    """Whether there is a NIfTI file or a DICOM slice anywhere below."""
    return next(scans_below(folder), None) is not None


def labelled_scans(folder: Path) -> list[LabelledScan]:
    """Every scan of a folder of class folders, in the order of their paths.

    Raises: DataError for scans that lie in no class folder, or mixed with folders of splits.
    """
    paths = sorted(scans_below(folder))
    splits = _splits(folder, paths)
    scans, loose = [], []
    for path in paths:
        parts = path.relative_to(folder).parts
        split = "train"
        if splits and parts:
            split, parts = splits[parts[0]], parts[1:]
        if split == "unlabelled":
            continue
        if len(parts) == 1 and path.is_dir():
            scans += _series_of_class(path, split, folder)
        elif len(parts) < 2:
            loose.append(path)
        else:
            place = _patient(parts[1:]) or str(path.relative_to(folder))
            scans.append(LabelledScan(path, split, printable(parts[0]), place))
    if loose:
        listed = ", ".join(str(path) for path in loose[:LISTED])
        more = f" and {len(loose) - LISTED:,} more" if len(loose) > LISTED else ""
        raise DataError(
            f"{folder}: volumes lie in no class folder: {listed}{more}. Expected {EXPECTED}."
        )
    if not any(scan.split == "train" for scan in scans):
        raise DataError(f"{folder}: holds no volumes to train on. Expected {EXPECTED}.")
    return scans


def left_out_notes(folder: Path, scans: Sequence[LabelledScan]) -> list[str]:
    """What of the folder is no example, without a name, as names may be those of patients."""
    notes = []
    known = {scan.path for scan in scans} | {scan.path.parent for scan in scans}
    unlabelled = sum(path not in known for path in scans_below(folder))
    if unlabelled:
        what = counted(unlabelled, "volume")
        notes.append(f"left out: {what} without a label; volumes are learned from with labels only")
    others = _others_below(folder)
    if others:
        listed = ", ".join(f"{suffix} {count:,}" for suffix, count in others.most_common(LISTED))
        what = counted(others.total(), "file")
        notes.append(f"left out: {what} that are no volumes ({listed}); expected {VOLUME_KINDS}")
    return notes


def _others_below(folder: Path) -> Counter[str]:
    """How the other files are called there, by their suffixes, and how many each are."""
    paths = (path for _, paths in files_below(folder) for path in paths)
    others = (path for path in paths if not is_nifti(path) and not is_dicom(path))
    return Counter(path.suffix.lower() or "no suffix" for path in others)


def _series_of_class(folder: Path, split: str, root: Path) -> list[LabelledScan]:
    """Slices right in a class folder, where each series is a scan."""
    scans = []
    for files in series_files(folder):
        subject = SUBJECT.match(files[0].name)
        place = subject[0] if subject else str(files[0].relative_to(root))
        label = printable(folder.name)
        scans.append(LabelledScan(files[0], split, label, place, tuple(files)))
    return scans


def _splits(folder: Path, paths: Sequence[Path]) -> dict[str, str]:
    """The split that each folder right below is called after, if one is called `train`."""
    names = sorted({path.relative_to(folder).parts[0] for path in paths if path != folder})
    said = {name: split_name(name) for name in names}
    splits = {
        name: "validation" if split.split == "evaluation" else str(split.split)
        for name, split in said.items()
        if split is not None and split.pure
    }
    # Without a folder to train on, `test` may be the name of a class.
    if "train" not in splits.values():
        return {}
    others = [name for name in names if name not in splits]
    if others:
        raise DataError(
            f"{folder}: some folders are called as splits are, {', '.join(sorted(splits))}, and "
            f"{len(others)} are not. Expected {EXPECTED}."
        )
    return splits


def patient_of(path: Path, folder: Path) -> str:
    """What stands for the patient of a scan whose folders may be anything, if no header names one.

    A subject's name on the way to it, else the scan itself.
    """
    parts = path.relative_to(folder).parts
    subjects = [subject[0] for part in parts if (subject := SUBJECT.match(part))]
    return subjects[0] if subjects else str(Path(*parts))


def _patient(parts: tuple[str, ...]) -> str:
    """The patient, by a subject's name after BIDS, or by a folder between class and scan."""
    for part in parts:
        subject = SUBJECT.match(part)
        if subject:
            return subject[0]
    return parts[0] if len(parts) > 1 else ""
