"""Several inputs and tasks, in `predict` and predict.py alike.

Tables, arrays and what is refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from allotrope import predict
from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.column_arrays import raw_inputs
from allotrope.delivery.deliver import deliver
from allotrope.delivery.finished import columns_in
from allotrope.errors import DataError, UsageError
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.run import Run
from allotrope.testing.runtime_network import two_inputs_three_outputs
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.predict import predict_arrays

NAMES = ("height", "age, in years", "weight")
THRESHOLDS = (0.4, 0.7)


def network() -> Network:
    inputs = [
        {"name": "front view", "kind": "image", "height": 6, "width": 6, "channels": 3},
        {"name": "row", "kind": "table", "columns": NAMES, "missing": [2]},
    ]
    tasks = [
        {"name": "which", "kind": "classification", "classes": ["a\\b", "it's", "ü", "d"]},
        {"name": "how much", "kind": "regression", "mean": [0.0], "unit": "kg"},
        {"name": "flags", "kind": "multilabel", "labels": ["x", "y"], "thresholds": THRESHOLDS},
    ]
    return with_columns(two_inputs_three_outputs(), inputs=inputs, tasks=tasks)


def delivered_by(runtime: str, parent: Path) -> Path:
    with Run.create("several", parent) as run:
        network().save(run.folder / "model.onnx")
        row = {"runtime": runtime, "precision": "float32", "file": "model.onnx"}
        run.save(delivered=deliver(row, run.folder), data={})
    return run.folder


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def run_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return delivered_by(request.param, tmp_path_factory.mktemp("runs"))


def table(folder: Path, text: str, name: str = "rows.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture
def pictures(tmp_path: Path) -> list[np.ndarray]:
    """Three in a folder and below it, and what the folder must not give away."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8)
    home = tmp_path / "table"
    (home / "below").mkdir(parents=True)
    for name, one in zip(("a.png", "below/b.png", "../secret.png"), pixels, strict=True):
        Picture.fromarray(one).save(home / name)
    (home / "link.png").symlink_to(home / ".." / "secret.png")
    (home / "inner.png").symlink_to(home / "a.png")
    return list(pixels)


def by_program(
    run_folder: Path, *arguments: object, without: Sequence[str] = ()
) -> tuple[subprocess.CompletedProcess[str], list]:
    """What predict.py says if Allotrope cannot be imported, and nothing of `without`."""
    program = str(run_folder / "delivered" / "predict.py")
    blocked = (
        "import sys, runpy; sys.argv = sys.argv[1:]; "
        f"sys.modules.update(dict.fromkeys({['allotrope', *without]!r})); "
        f"runpy.run_path({program!r}, run_name='__main__')"
    )
    words = [sys.executable, "-I", "-c", blocked, "predict.py", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done, json.loads(done.stdout) if done.stdout else []


ROWS = """front view;height;"age, in years";weight;comment
a.png;1,5;-2;0,25;first
below/b.png;0,5;3;;the last cell may be missing
"""


def test_rows_of_a_table_are_answered_by_task(run_folder, pictures, tmp_path):
    file = table(tmp_path / "table", ROWS)
    answers = predict(run_folder, file, threads=1)
    numbers = np.array([[1.5, -2, 0.25], [0.5, 3, np.nan]], np.float32)
    expected = network().run({"front view": np.stack(pictures[:2]), "row": numbers})
    assert [(row["file"], row["line"]) for row in answers.json] == [(str(file), 2), (str(file), 3)]
    first = answers.json[0]["answers"]
    assert first["how much"] == {
        "value": pytest.approx(expected["how much"][0, 0], abs=1e-5),
        "unit": "kg",
    }
    which = int(expected["which"][0].argmax())
    assert answers["which"][0] == first["which"]["class"] == ["a\\b", "it's", "ü", "d"][which]
    np.testing.assert_allclose(answers.probabilities["which"][0], expected["which"][0], atol=1e-5)
    np.testing.assert_allclose(answers.probabilities["flags"][0], expected["flags"][0], atol=1e-5)
    assert answers["flags"][0].tolist() == (expected["flags"][0] >= THRESHOLDS).tolist()
    assert answers["how much"].shape == (2,)
    assert answers.exit_code == 0
    assert f"{file}:2" in str(answers) and " kg; flags: " in str(answers)
    done, rows = by_program(run_folder, file, "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert rows[0]["answers"]["which"]["class"] == first["which"]["class"]
    assert rows[0]["answers"]["flags"]["labels"] == first["flags"]["labels"]


BROKEN = """front view,height,"age, in years",weight
../secret.png,1,2,3
link.png,1,2,3
{absolute},1,2,3
gone.png,1,2,3
https://example.org/a.png,1,2,3
,1,2,3
a.png,tall,2,3
a.png,,2,3
a.png,inf,2,3
a.png,1e99,2,3
inner.png,1,2,3
"""
REASONS = (
    "'front view' is '../secret.png': lies outside of the table's folder",
    "'front view' is 'link.png': lies outside of the table's folder",
    ": lies outside of the table's folder",
    "'front view' is 'gone.png': no such file",
    "a web address; nothing is downloaded",
    "no file is named",
    "'height' is 'tall', expected a number",
    "'height' is missing, and no row that was learned from lacked it",
    "'height' is 'inf', expected a number",
    "'height' is 1e99, too large for float32",
)


def test_a_row_that_cannot_be_read_has_its_reason_and_the_others_are_answered(
    run_folder, pictures, tmp_path
):
    file = table(tmp_path / "table", BROKEN.format(absolute=tmp_path / "secret.png"))
    answers = predict(run_folder, file, threads=1)
    assert answers.exit_code == 1
    for row, reason in zip(answers.json, REASONS, strict=False):
        assert reason in row["reason"], row
    assert "answers" in answers.json[len(REASONS)]
    assert np.isnan(answers["how much"]).tolist() == [True] * len(REASONS) + [False]
    done, rows = by_program(run_folder, file)
    assert done.returncode == 1
    assert [row.get("reason") for row in rows] == [row.get("reason") for row in answers.json]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("front view,height\na.png,1\n", "lacks the columns 'age, in years', 'weight'"),
        (
            'front view,height,"age, in years",weight,height\na.png,1,2,3,4\n',
            "several columns are called 'height'",
        ),
        ('front view,height,"age, in years",weight\n', "holds a header and no rows"),
        ("", "is empty. Expected the columns"),
        ('front view,height,"age, in years",weight\na.png,1\n', "line 2 has 2"),
        ('front view,height,"age, in years",weight\n"a.png,1,2,3\n', "cannot be read as a table"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(run_folder, tmp_path, text, message):
    file = table(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        predict(run_folder, file, threads=1)
    done, rows = by_program(run_folder, file)
    assert (done.returncode, rows) == (1, [])
    assert done.stderr.strip() == str(error.value)


def test_what_is_no_table_and_no_text(run_folder, tmp_path):
    with pytest.raises(DataError, match=r"'a\.png' is no table.*columns 'front view', 'height'"):
        predict(run_folder, "a.png", threads=1)
    with pytest.raises(DataError, match="cannot be opened"):
        predict(run_folder, tmp_path / "gone.csv", threads=1)
    (tmp_path / "x.csv").write_bytes("ü".encode("latin-1"))
    with pytest.raises(DataError, match="is not in UTF-8"):
        predict(run_folder, tmp_path / "x.csv", threads=1)


def test_arrays_by_input_or_by_column(run_folder, pictures):
    views, rows = np.stack(pictures), np.arange(9, dtype=float).reshape(3, 3)
    answers = predict_arrays(run_folder, {"front view": views, "row": rows}, threads=1)
    expected = network().run({"front view": views, "row": rows.astype(np.float32)})
    np.testing.assert_allclose(answers["how much"], expected["how much"][:, 0], atol=1e-4)
    np.testing.assert_allclose(answers.probabilities["which"], expected["which"], atol=1e-5)
    by_column = {"front view": views} | dict(zip(NAMES, rows.T, strict=True))
    assert predict_arrays(run_folder, by_column, threads=1).json == answers.json


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"row": None}, "'height', 'age, in years', 'weight' is lacking"),
        ({"front view": np.zeros((3, 5, 6, 3), np.uint8)}, r"expected uint8 \(n, 6, 6, 3\)"),
        ({"front view": np.zeros((3, 6, 6, 3))}, "is float64"),
        ({"row": np.zeros((3, 2))}, r"expected numbers \(n, 3\)"),
        ({"row": np.array([["a"] * 3] * 3)}, "expected numbers"),
        ({"row": np.zeros((2, 3))}, "lengths differ"),
        (
            {"row": np.array([[0, 0, 0], [0, np.nan, 0], [0, np.inf, np.nan]])},
            "missing in rows 1; is infinite in rows 2",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named(run_folder, changed, message):
    arrays = {"front view": np.zeros((3, 6, 6, 3), np.uint8), "row": np.zeros((3, 3))} | changed
    with pytest.raises(DataError, match=message):
        predict_arrays(
            run_folder, {name: a for name, a in arrays.items() if a is not None}, threads=1
        )


def test_the_folder_has_the_names_of_each_task(run_folder):
    delivered = run_folder / "delivered"
    assert (delivered / "labels-which.txt").read_text().splitlines() == ["a\\b", "it's", "ü", "d"]
    assert (delivered / "labels-flags.txt").read_text().splitlines() == ["x", "y"]
    assert columns_in(delivered / "model.onnx")["tasks"][1]["unit"] == "kg"


def test_a_run_answers_for_files_and_for_arrays(run_folder, pictures, tmp_path):
    run = FittedRun(run_folder, {})
    file = table(tmp_path / "table", ROWS)
    from_file = run.predict(file, threads=1)
    rows = np.array([[1.5, -2, 0.25], [0.5, 3, np.nan]])
    from_arrays = run.predict({"front view": np.stack(pictures[:2]), "row": rows}, threads=1)
    np.testing.assert_allclose(from_arrays["how much"], from_file["how much"], atol=1e-5)
    assert from_arrays["which"].tolist() == from_file["which"].tolist()
    assert len(from_arrays.json) == 2
    with pytest.raises(UsageError, match="one mapping, without files"):
        run.predict({"row": rows}, file)


def test_the_only_column_that_names_pictures_is_the_only_picture(run_folder, pictures, tmp_path):
    other = ROWS.replace("front view;", "photo;", 1)
    answers = predict(run_folder, table(tmp_path / "table", other), threads=1)
    expected = predict(run_folder, table(tmp_path / "table", ROWS), threads=1)
    assert answers.json == expected.json
    several = (
        other.replace("comment", "second").replace("first", "a.png").replace("the last", "b.png")
    )
    several = several.replace("b.png cell may be missing", "b.png")
    with pytest.raises(DataError, match="lacks the columns 'front view'"):
        predict(run_folder, table(tmp_path / "table", several), threads=1)


def test_grey_pictures_need_no_axis_of_channels():
    facts = {"name": "scan", "kind": "image", "height": 4, "width": 5, "channels": 1}
    grey = np.arange(40, dtype=np.uint8).reshape(2, 4, 5)
    (made,) = raw_inputs([facts], {"scan": grey}).values()
    np.testing.assert_array_equal(made, grey[..., None])
    with pytest.raises(ArgumentError, match=r"is uint8 \(2, 4, 5\), expected uint8"):
        raw_inputs([{**facts, "channels": 3}], {"scan": grey})
