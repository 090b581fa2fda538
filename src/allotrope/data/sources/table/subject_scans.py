"""Tables of subjects beside a folder for each, as BIDS has them: a row for each scan instead.

BIDS: `participants.tsv` with a column `participant_id` of names such as `sub-01`, and scans such as
`sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz` (bids-specification.readthedocs.io).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from allotrope.data.sources.table.delimited import TextColumns
from allotrope.data.sources.table.patient_column import PATIENT
from allotrope.data.sources.volumes.volume_folders import SUBJECT
from allotrope.errors import DataError
from allotrope.inputs.volume.volume_files import dicom_files, scans_below
from allotrope.wording import agreeing, counted

FILE = "scan file"
"""What the column is called that names the scans of subjects."""
BEFORE = "sub-"
MISSING = "n/a"
"""How BIDS writes what is not known."""
TRIED, LISTED = 20, 8


def subject_column(folder: Path, columns: TextColumns) -> str:
    """The column that names folders of subjects, with scans anywhere below; none if none does."""
    for name, cells in columns.cells.items():
        tried = [cell for cell in cells[:TRIED] if cell]
        # Of thousands of columns not one file is asked for.
        if not PATIENT.fullmatch(name) and not all(map(SUBJECT.match, tried)):
            continue
        folders = [_folder_of(folder, cell) for cell in tried]
        there = [each for each in folders if each is not None]
        if there and 2 * len(there) > len(tried) and any(map(_has_scans_below, there)):
            return name
    return ""


def with_scans_of_subjects(folder: Path, columns: TextColumns, notes: list[str]) -> TextColumns:
    """The table with a row for each scan of its subjects, and a column that names it.

    As it is, if it names no folders of subjects. Raises: DataError for scans of several kinds.
    """
    name = subject_column(folder, columns)
    if not name:
        return columns
    scans = [_scans_of(folder, cell) for cell in columns.cells[name]]
    _check_kinds(folder, [path for part in scans for path in part])
    rows = [row for row, part in enumerate(scans) for _ in part]
    without = [row for row, part in enumerate(scans) if not part]
    if without:
        # By their lines: a name may be that of a patient.
        listed = ", ".join(f"line {columns.lines[row]}" for row in without[:LISTED])
        more = f" and {len(without) - LISTED:,} more" if len(without) > LISTED else ""
        have = agreeing(len(without), "has", "have")
        notes.append(
            f"{counted(len(without), 'subject')} of '{columns.path.name}' {have} no scan and "
            f"{agreeing(len(without), 'is', 'are')} left out: {listed}{more}"
        )
    notes.append(
        f"'{name}' of '{columns.path.name}' names folders of subjects: "
        f"{counted(len(rows), 'scan')} of {counted(len(scans) - len(without), 'subject')}"
    )
    taken = columns.take(rows)
    cells = {key: list(map(_present, column)) for key, column in taken.cells.items()}
    files = [str(path.relative_to(folder)) for part in scans for path in part]
    return replace(taken, columns={**taken.columns, **cells, FILE: files})


def _present(cell: str) -> str:
    return "" if cell == MISSING else cell


def _folder_of(folder: Path, cell: str) -> Path | None:
    """The folder of a subject, right in the folder; also of one that is called by its number."""
    if not cell or Path(cell).name != cell or cell in (".", ".."):
        return None
    for name in (cell, f"{BEFORE}{cell}"):
        try:
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                return folder / name
        except (OSError, ValueError):  # a name that no folder can have
            return None
    return None


def _has_scans_below(folder: Path) -> bool:
    """Whether it has scans and is none itself, as a folder of slices is."""
    return not dicom_files(folder) and next(scans_below(folder), None) is not None


def _scans_of(folder: Path, cell: str) -> list[Path]:
    own = _folder_of(folder, cell)
    return [] if own is None else sorted(scans_below(own))


def _check_kinds(folder: Path, scans: Sequence[Path]) -> None:
    """Raises: DataError if scans are of several kinds, as T1w and bold are: one is learned from."""
    kinds = Counter(map(_kind, scans))
    if len(kinds) < 2:
        return
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(LISTED))
    raise DataError(
        f"{folder}: the scans of subjects are of several kinds: {listed}. Learn from one of them: "
        "leave the others out of this folder, or name a table with a column of the files, such as "
        "sub-01/anat/sub-01_T1w.nii.gz."
    )


def _kind(path: Path) -> str:
    """The last word of a file's name in BIDS, such as T1w; a folder of slices has none."""
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    if path.is_dir():
        return "DICOM series"
    return stem.rpartition("_")[2] if stem.startswith(BEFORE) else "scan"
