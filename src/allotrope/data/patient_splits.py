"""Splits by patient: all of a patient's examples are in one, and every class is in each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from allotrope.data.apart_splits import Apart
from allotrope.errors import DataError


@dataclass(frozen=True)
class PatientsApart(Apart):
    """Numbers of patients by split [n], which tell nothing else of them, and classes [n] of train.

    Patients are few where other groups are many, so that chance alone might leave a class out.
    """

    labels: np.ndarray
    classes: tuple[str, ...]

    def split_off(self, fraction: float, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        """Training rows [m], ascending: whole patients with about this fraction of each class.

        Patients are drawn, and taken if no class gets more than its part by that; then for a class
        that has nothing yet the patient with the fewest scans who has it. One patient of each class
        at least is left.
        Raises: DataError for classes with too few patients.
        """
        scans = self._scans(rows)
        left = Counter(label for counts in scans.values() for label in counts)
        wanted = {
            label: max(1, round(fraction * count))
            for label, count in Counter(self.labels.tolist()).items()
        }
        taken: list[int] = []
        sizes: Counter[int] = Counter()
        drawn = [int(patient) for patient in rng.permutation(sorted(scans))]
        fewest_first = sorted(drawn, key=lambda patient: scans[patient].total())
        for needed, patients in ((False, drawn), (True, fewest_first)):
            for patient in (each for each in patients if each not in taken):
                counts = scans[patient]
                lacking = any(not sizes[label] for label in counts)
                fits = all(sizes[label] + count <= wanted[label] for label, count in counts.items())
                # Whatever is taken, somebody of each class stays to be learned from.
                spare = all(left[label] > 1 for label in counts)
                if spare and (lacking if needed else fits):
                    taken.append(patient)
                    sizes.update(counts)
                    left.subtract(set(counts))
        self._check(sizes)
        return rows[np.isin(self.values["train"][rows], taken)]

    def _scans(self, rows: np.ndarray) -> dict[int, Counter[int]]:
        """How many scans of each class every patient has among these rows."""
        scans: dict[int, Counter[int]] = {}
        pairs = zip(self.values["train"][rows].tolist(), self.labels[rows].tolist(), strict=True)
        for patient, label in pairs:
            scans.setdefault(patient, Counter())[label] += 1
        return scans

    def _check(self, sizes: Counter[int]) -> None:
        lacking = [name for label, name in enumerate(self.classes) if not sizes[label]]
        if lacking:
            raise DataError(
                f"too few patients have {', '.join(map(repr, lacking))}: without a patient in two "
                "splits, training, validation and test cannot all have some. Add patients, or "
                "bring folders train, validation and test yourself."
            )

    def described(self, part: np.ndarray) -> str:
        """How many patients they are."""
        return f"all scans of {len(np.unique(self.values['train'][part])):,} patients"

    def shared(self) -> list[str]:
        """Nothing. Raises: DataError if splits that the source brings share patients."""
        problems = []
        splits = list(self.values)
        for number, first in enumerate(splits):
            for second in splits[number + 1 :]:
                count = len(np.intersect1d(self.values[first], self.values[second]))
                if count:
                    problems.append(f"{count:,} are in {first} and in {second}")
        if problems:
            raise DataError(
                f"patients have to be in one split each, and {'; '.join(problems)}. A result on "
                "patients that were learned from says nothing about others. Move all scans of a "
                "patient into one split."
            )
        return []
