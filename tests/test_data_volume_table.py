"""Tables that name volumes: any targets, splits by patient, and nothing of a patient kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import allotrope
from allotrope.errors import UsageError
from made_volumes import ball, save_nifti, save_series
from read_sources import error_of, notes

COUNT = 24


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Volumes of 12 patients, two each; the even ones are NIfTI files, the others DICOM series."""
    folder = tmp_path_factory.mktemp("scans")
    random = np.random.default_rng(0)
    for number in range(COUNT):
        values = ball(random, number % 4 < 2, (4, 5, 6))
        if number % 2:
            save_series(folder / f"series/{number}", values, patient=f"P{number}")
        else:
            save_nifti(folder / f"scan{number}.nii.gz", values)
    return folder


def name_of(number):
    return f"series/{number}" if number % 2 else f"scan{number}.nii.gz"


def table(folder, header="file,diagnosis,patient_id,age", rows=None, name="labels.csv"):
    made = rows or [
        f"{name_of(n)},{'ill' if n % 4 < 2 else 'well'},Oberhollenzer-{n // 2},{30 + n}"
        for n in range(COUNT)
    ]
    (folder / name).write_text("\n".join([header, *made]))
    return folder / name


def patients(data, split):
    """By the order of the table, two rows of each patient follow one another."""
    return {(int(title.split()[1]) - 1) // 2 for title in data.splits[split].origin}


@pytest.mark.parametrize("alone", [True, False])
def test_a_table_names_volumes_their_classes_and_patients(scans, alone):
    path = table(scans)
    data = allotrope.read(path if alone else scans, target="diagnosis")
    (volume,), (task,) = data.inputs, data.tasks
    assert (volume.name, volume.kind, volume.shape) == ("volume", "volume", (4, 5, 6))
    assert task.classes == ("ill", "well")
    said = notes(data)
    assert "'patient_id' tells patients apart, none of whom is in two splits" in said
    assert "'age' is left out: the volumes alone are learned from; --input age=table" in said
    assert sum(map(len, data.splits.values())) == COUNT
    groups = [patients(data, split) for split in data.splits]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    for split in data.splits.values():
        bright = split["volume"].max(axis=(1, 2, 3)) > 200
        assert np.array_equal(bright, split["diagnosis"] == 0)
        assert set(split["diagnosis"]) == {0, 1}
    assert "Oberhollenzer" not in json.dumps([data.summary, data.lines], default=str)
    assert not any("scan" in title or "series" in title for title in data.test.origin)


def test_numbers_are_learned_from_volumes_and_cells_go_beside_them(scans):
    data = allotrope.read(
        table(scans), task={"age": "regression"}, input={"diagnosis": "categorical"}
    )
    assert [each.kind for each in data.inputs] == ["volume", "table"]
    (task,) = data.tasks
    assert task.kind == "regression"
    ages = np.concatenate([split["age"] for split in data.splits.values()]).ravel()
    assert sorted(ages) == list(range(30, 30 + COUNT))


def test_names_are_found_further_down_and_without_their_suffix(scans):
    rows = [
        f"{n},{'ab'[n % 4 < 2]}" if n % 2 else f"scan{n},{'ab'[n % 4 < 2]}" for n in range(COUNT)
    ]
    path = table(scans, "scan,label", rows, "short.csv")
    data = allotrope.read(path, input={"scan": "volume"})
    assert sum(map(len, data.splits.values())) == COUNT
    path.unlink()


@pytest.mark.parametrize("column", ["scan", "participant_id"])
@pytest.mark.parametrize("alone", [True, False])
def test_names_without_suffix_in_folders_below_tell_a_column(tmp_path, column, alone):
    random = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "images" / ("first" if number % 3 else "second")
        save_nifti(folder / f"s{number}.nii.gz", ball(random, number % 2, (4, 5, 6)))
    rows = [f"s{number},{'ill' if number % 2 else 'well'}" for number in range(12)]
    path = table(tmp_path, f"{column},diagnosis", rows)
    data = allotrope.read(path if alone else tmp_path, target="diagnosis")
    assert [each.kind for each in data.inputs] == ["volume"]
    assert sum(map(len, data.splits.values())) == 12 and "group" not in notes(data)


def test_labels_that_are_called_as_some_volumes_are_name_none(tmp_path):
    for name in ("ill", "well"):
        save_nifti(tmp_path / "atlas" / f"{name}.nii.gz", ball(np.random.default_rng(0), True))
    rows = [f"{30 + number % 20},{'ill' if number % 2 else 'well'}" for number in range(40)]
    data = allotrope.read(table(tmp_path, "age,diagnosis", rows), target="diagnosis")
    assert [each.kind for each in data.inputs] == ["table"]


def test_without_a_column_headers_and_names_tell_patients_apart(scans):
    data = allotrope.read(table(scans), target="diagnosis", group="none")
    assert "24 patients by PatientID, and folders and files of scans without one" in notes(data)
    other = allotrope.read(table(scans), target="diagnosis", group="age")
    assert "all scans of" in notes(other) and "'patient_id' tells" not in notes(other)


def test_tables_that_name_no_sound_volumes_are_refused(scans):
    rows = [f"{name_of(n)},{'ab'[n % 4 < 2]},p{n}" for n in range(COUNT)]
    header = "file,label,patient"
    wrong = ["gone.nii,a,p1", "../x.nii,a,p2", "labels.csv,b,p3", "https://x/y.nii,b,p4"]
    message = error_of(table(scans, header, rows + wrong, "wrong.csv"))
    for words in (
        "'gone.nii' (line 26), 'labels.csv' (line 28) name volumes that are not there",
        "'../x.nii' (line 27) name files outside of the folder",
        "name web addresses",
    ):
        assert words in message
    message = error_of(table(scans, header, [*rows[:-1], "scan0.nii.gz,a,"], "wrong.csv"))
    assert "'patient' tells patients apart, and is empty in line 25" in message
    (scans / "broken.nii").write_bytes(b"nothing")
    message = error_of(table(scans, header, [*rows, "broken.nii,a,p99"], "wrong.csv"))
    assert "1 of 25 volumes cannot be read" in message and "no NIfTI file" in message
    path = table(
        scans, "file,label,patient,when", [f"{row},{n}" for n, row in enumerate(rows)], "wrong.csv"
    )
    with pytest.raises(UsageError, match="splits of volumes are by patient"):
        allotrope.read(path, time="when", target="label")
    split = [f"{row},{('train', 'test')[n % 2]}" for n, row in enumerate(rows)]
    split = [row.replace(f"p{n}", f"p{n // 2}") for n, row in enumerate(split)]
    message = error_of(table(scans, f"{header},split", split, "wrong.csv"))
    assert "patients have to be in one split each" in message
    (scans / "wrong.csv").unlink()


def test_class_folders_win_over_a_table_until_columns_are_asked_for(tmp_path):
    random = np.random.default_rng(1)
    for label in "ab":
        for number in range(4):
            save_nifti(tmp_path / label / f"{number}.nii", ball(random, label == "a", (3, 4, 5)))
    rows = [f"{label}/{number}.nii,{number % 2}" for label in "ab" for number in range(4)]
    table(tmp_path, "file,sex", rows)
    data = allotrope.read(tmp_path)
    assert data.tasks[0].classes == ("a", "b")
    assert "'labels.csv' names volumes too; to learn from it, name that file" in notes(data)
    assert allotrope.read(tmp_path, target="sex").tasks[0].name == "sex"


def test_a_patient_column_parts_pictures_too(tmp_path):
    from PIL import Image

    random = np.random.default_rng(2)
    rows = []
    for number in range(40):
        Image.fromarray(random.integers(0, 255, (5, 5), np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ab'[number % 2]},{number // 4}")
    data = allotrope.read(table(tmp_path, "file,label,Patient ID", rows))
    assert "'Patient ID' tells patients apart" in notes(data)
    groups = [
        {int(title.removesuffix(".png")) // 4 for title in split.origin}
        for split in data.splits.values()
    ]
    assert sum(map(len, groups)) == 10
    path = table(tmp_path, "file,label,Patient ID", rows)
    assert "tells patients apart" not in notes(allotrope.read(path, target="label", group="none"))
