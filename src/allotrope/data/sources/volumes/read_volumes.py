"""Volumes of a folder of class folders, with nothing that names a patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.examples import LABEL, Examples
from allotrope.data.patient_splits import PatientsApart
from allotrope.data.reading import Reading
from allotrope.data.sources.volumes.scans_together import ScansTogether, scans_together
from allotrope.data.sources.volumes.volume_folders import (
    LabelledScan,
    labelled_scans,
    left_out_notes,
)
from allotrope.errors import DataError
from allotrope.tasks import Classification

VOLUME = "volume"


def read_volumes(folder: Path, options: DataOptions, report: Callable[[str], None]) -> Reading:
    """The reading of a folder of class folders of volumes: VOLUME float32 [n, d, h, w], and LABEL.

    An example is called by its number in the order of paths, as paths may name patients.
    Raises: DataError with every scan that cannot be read.
    """
    scans = labelled_scans(folder)
    return _reading(folder, scans, scans_together(folder, scans, VOLUME, options, report))


def _reading(folder: Path, scans: Sequence[LabelledScan], together: ScansTogether) -> Reading:
    splits = np.array([scan.split for scan in scans])
    classes = tuple(sorted({scan.label for scan in scans if scan.split == "train"}))
    unknown = sorted({scan.label for scan in scans} - set(classes))
    if unknown:
        raise DataError(
            f"{folder}: classes that are not among the training volumes: {', '.join(unknown)}. "
            f"Expected {', '.join(classes)}."
        )
    labels = np.array([classes.index(scan.label) for scan in scans], np.int64)
    origin = [f"volume {number}" for number in range(1, len(scans) + 1)]
    examples, apart = {}, {}
    for split in dict.fromkeys(splits.tolist()):
        rows = np.flatnonzero(splits == split)
        columns = {VOLUME: together.values.take(rows, axis=0), LABEL: labels[rows]}
        examples[split] = Examples(columns, tuple(origin[row] for row in rows))
        apart[split] = together.patients[rows]
    task = Classification(name=LABEL, classes=classes)
    name = printable(folder.resolve().name)
    parted = PatientsApart("group", "patient", apart, examples["train"][LABEL], classes)
    inputs = (together.volume,)
    notes = [*together.notes, *left_out_notes(folder, scans)]
    return Reading(name, inputs, (task,), examples, notes=notes, apart=parted)
