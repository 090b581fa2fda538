"""`fit` on scans of patients: to a delivered file, and nothing of a patient in the run folder."""

from __future__ import annotations

import re

import numpy as np
import pytest

import allotrope
from allotrope.errors import DataError
from allotrope.runtimes.onnxruntime.session import Session as OnnxRuntime
from allotrope.runtimes.openvino.session import Session as OpenVino
from made_volumes import ball, save_nifti, save_series
from quick import fit
from test_predict_columns import by_program

NAMES = ("Oberhollenzer", "Wisniewska", "Papadopoulos", "Fitzwilliam", "Quisthoudt")
BIRTHDAY, STUDY, HOSPITAL = "19571103", "20240229", "Kantonsspital"
HOW = {
    "epochs": 6,
    "threads": 1,
    "max_drop": 100,
    "quiet": True,
    "precision": "float32",
    "memory_layout": "default",
    "compile": False,
}


def planted(number: int) -> str:
    return f"{NAMES[number % 5]}-{7310000 + number}"


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """25 files of one class and 25 series of another, which say who was scanned and when."""
    folder, random = tmp_path_factory.mktemp("scans") / "study", np.random.default_rng(0)
    for number in range(25):
        name = planted(number)
        path = folder / "ill" / name / f"{name}-{STUDY}.nii.gz"
        save_nifti(path, ball(random, True), descrip=f"{name} {BIRTHDAY}")
        name = planted(100 + number)
        save_series(
            folder / "well" / f"{name}-{STUDY}",
            ball(random, False),
            name,
            order=random,
            PatientName=name.replace("-", "^"),
            PatientBirthDate=BIRTHDAY,
            StudyDate=STUDY,
            InstitutionName=HOSPITAL,
            AccessionNumber=f"AC{990000000 + number}",
        )
    return folder


@pytest.fixture(scope="module")
def run(scans):
    return fit(scans, out=scans.parent / "runs", **HOW)


def test_scans_become_a_file_that_tells_them_apart(run):
    assert run.json["test"]["accuracy"] == 1
    (facts,) = run.json["data"]["inputs"]
    assert (facts["kind"], facts["shape"]) == ("volume", [12, 12, 12])
    assert run.json["network"] == "cnn_3d"


def test_nothing_of_a_patient_is_in_any_byte_of_the_run(run, scans):
    words = [*NAMES, BIRTHDAY, STUDY, HOSPITAL, "AC9900000", "73100", "73101"]
    identifying = re.compile("|".join(words).encode(), re.IGNORECASE)
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [str(path) for path in files if identifying.search(path.read_bytes())] == []
    assert [str(path) for path in files if identifying.search(path.name.encode())] == []
    # The check itself: what was planted is found where it was planted.
    sources = [path for path in scans.rglob("*.dcm") if identifying.search(path.read_bytes())]
    assert len(sources) == 25 * 12


def test_predict_and_the_delivered_program_read_scans(run, scans, tmp_path):
    ill = next((scans / "ill").rglob("*.nii.gz"))
    well = next((scans / "well").iterdir())
    (tmp_path / "broken.nii").write_bytes(b"nothing")
    arguments = [ill, well, tmp_path / "broken.nii", scans / "well"]
    rows = allotrope.predict(run.folder, *arguments).json
    guesses = [row["answers"]["label"]["class"] for row in rows if "answers" in row]
    assert guesses == ["ill", *["well"] * 26]
    assert rows[2]["reason"] == "its content is no NIfTI file"
    done, alone = by_program(run.folder, *arguments)
    assert done.returncode == 1, done.stderr
    assert alone == rows
    names = [str(path.relative_to(scans)) for path in (ill, well)]
    table = scans / "new.csv"
    table.write_text("\n".join(["scan,note", *(f"{name},x" for name in names), "../up.nii,y"]))
    rows = allotrope.predict(run.folder, table).json
    assert [row["answers"]["label"]["class"] for row in rows[:2]] == ["ill", "well"]
    assert "lies outside of the table's folder" in rows[2]["reason"]
    done, alone = by_program(run.folder, table)
    assert alone == rows, done.stderr
    table.unlink()
    (tmp_path / "empty").mkdir()
    done, _ = by_program(run.folder, tmp_path / "empty")
    assert done.returncode == 1 and "no volume is in" in done.stderr


def test_runtimes_and_arrays_agree(run):
    x = np.random.default_rng(1).normal(0, 200, (5, 12, 12, 12)).astype(np.float32)
    file = run.folder / "delivered" / "model.onnx"
    answers = [
        Session(file, "float32", 1).run({"volume": x})["label"]
        for Session in (OnnxRuntime, OpenVino)
    ]
    assert np.allclose(*answers, atol=1e-4)
    predicted = run.predict({"volume": x})
    assert np.allclose(predicted.probabilities["label"], answers[0], atol=1e-5)
    with pytest.raises(DataError, match=r"expected numbers \(n, 12, 12, 12\)"):
        run.predict({"volume": x[:, 0]})
