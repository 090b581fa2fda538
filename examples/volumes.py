"""Volumes: NIfTI files in class folders, some with a bright ball in them; DICOM series as well."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

import allotrope

SIDE = 16


def make(folder: Path, count: int = 60) -> None:
    """Scans of noise; every second has a ball. A patient has two scans, in one folder."""
    random = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*3 * [np.arange(SIDE)], indexing="ij"), -1)
    for number in range(count):
        label = ("clear", "ball")[number // 2 % 2]
        middle = random.uniform(5, SIDE - 5, 3)
        ball = ((places - middle) ** 2).sum(-1) < 16
        values = random.normal(0, 40, 3 * (SIDE,)) + 150 * ball * (label == "ball")
        file = folder / label / f"patient-{number // 2:02}" / f"scan-{number % 2}.nii.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), np.eye(4)), file)


def main(fit: Any = allotrope.fit, **options: Any) -> Any:
    """The run; `options` are of `fit`, such as epochs=3."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        # No patient is in two splits, and no name of a file or patient gets into the run's folder.
        run = fit(folder, **options)
        scan = next(Path(folder).glob("ball/*/*.nii.gz"))
        print(allotrope.predict(run.folder, scan))
    return run


if __name__ == "__main__":
    main()
