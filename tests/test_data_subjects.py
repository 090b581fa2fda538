"""BIDS: a table of participants beside a folder for each, in which their scans lie."""

from __future__ import annotations

import json

import numpy as np
import pytest

import allotrope
from made_volumes import ball, save_nifti
from read_sources import error_of, notes

COUNT = 20
SHAPE = (4, 5, 6)


def bids(folder, kinds=("T1w",), header="participant_id\tage\tdiagnosis", sessions=1):
    """Scans of subjects, of which the even ones are ill and have a bright ball."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        name = f"sub-{number:02}"
        for session in range(sessions):
            for kind in kinds:
                path = folder / name / f"ses-{session}/anat/{name}_ses-{session}_{kind}.nii.gz"
                save_nifti(path, ball(random, number % 2 == 0, SHAPE))
        rows.append(f"{name}\t{30 + number}\t{'well' if number % 2 else 'ill'}")
    (folder / "participants.tsv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "dataset_description.json").write_text("{}")
    return folder


@pytest.mark.parametrize("name", ["", "participants.tsv"])
def test_participants_and_their_scans(tmp_path, name):
    data = allotrope.read(bids(tmp_path, sessions=2) / name, target="diagnosis")
    (volume,), (task,) = data.inputs, data.tasks
    assert (volume.kind, volume.shape, task.classes) == ("volume", SHAPE, ("ill", "well"))
    said = notes(data)
    assert "names folders of subjects: 40 scans of 20 subjects" in said
    assert "'participant_id' tells patients apart, none of whom is in two splits" in said
    patients = [{(int(one.split()[1]) - 1) // 2 for one in s.origin} for s in data.splits.values()]
    assert sum(map(len, patients)) == COUNT
    for split in data.splits.values():
        bright = split["volume"].max(axis=(1, 2, 3)) > 200
        assert np.array_equal(bright, split["diagnosis"] == 0)
    assert "sub-" not in json.dumps([data.summary, data.lines], default=str)


def test_a_target_is_asked_for_and_never_a_subject(tmp_path):
    message = error_of(bids(tmp_path))
    assert "which column is to be predicted?" in message and "'diagnosis'" in message
    data = allotrope.read(tmp_path, task={"age": "regression"})
    assert data.tasks[0].kind == "regression"


def test_scans_of_several_kinds_are_listed(tmp_path):
    message = error_of(bids(tmp_path, kinds=("T1w", "T2w")), target="diagnosis")
    assert "several kinds: 20 T1w, 20 T2w. Learn from one of them" in message


def test_numbers_of_subjects_stand_for_their_folders(tmp_path):
    bids(tmp_path)
    rows = [f"{number:02}\t{'ab'[number % 2]}" for number in range(COUNT)]
    (tmp_path / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *rows]))
    data = allotrope.read(tmp_path, target="group")
    assert sum(map(len, data.splits.values())) == COUNT


def test_subjects_without_scans_are_said_by_line_and_what_is_not_known_is_no_class(tmp_path):
    bids(tmp_path)
    with (tmp_path / "participants.tsv").open("a") as file:
        file.write("sub-77\t40\till\n")
    data = allotrope.read(tmp_path, target="diagnosis")
    assert "1 subject of 'participants.tsv' has no scan and is left out: line 22" in notes(data)
    text = (tmp_path / "participants.tsv").read_text()
    (tmp_path / "participants.tsv").write_text(text.replace("30\till", "30\tn/a"))
    data = allotrope.read(tmp_path, target="diagnosis")
    assert len(data.splits["unlabelled"]) == 1 and "without a label is set apart" in notes(data)


def test_names_that_lead_elsewhere_are_no_subjects(tmp_path):
    outside = bids(tmp_path / "a")
    other = tmp_path / "b"
    save_nifti(other / "well/x.nii.gz", ball(np.random.default_rng(0), False, SHAPE))
    names = [f"../a/sub-{number:02}\t{'ab'[number % 2]}" for number in range(COUNT)]
    (other / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *names]))
    assert "sub-00" not in error_of(other)
    assert outside.is_dir()
