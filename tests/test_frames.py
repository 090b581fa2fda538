"""Data frames of each library and parquet files, in `read`, `fit` and `predict`."""

from __future__ import annotations

import csv
import datetime

import numpy as np
import pytest

import allotrope
from allotrope.cli import main
from allotrope.errors import DataError, UsageError
from quick import fit

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COUNT = 80
HOW = {
    "epochs": 3,
    "threads": 1,
    "max_drop": 100,
    "quiet": True,
    "precision": "float32",
    "memory_layout": "default",
    "compile": False,
}


def columns():
    random = np.random.default_rng(0)
    size = random.uniform(1, 9, COUNT).round(2).tolist()
    return {
        "size": [None if row % 10 == 3 else x for row, x in enumerate(size)],
        "city": [(None, "Bern", "Rom", "Wien")[row % 4] for row in range(COUNT)],
        "new": [row % 3 == 0 for row in range(COUNT)],
        "sold": [datetime.date(2026, 1, 1 + row % 28) for row in range(COUNT)],
        "test_score": [row % 11 for row in range(COUNT)],
        "grade": ["good" if x > 5 else "bad" for x in size],
    }


LIBRARIES = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "pyarrow": pyarrow.table}


@pytest.fixture(params=LIBRARIES)
def frame(request):
    return LIBRARIES[request.param](columns())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    frame = polars.DataFrame(columns())
    return fit(frame, target="grade", out=tmp_path_factory.mktemp("runs"), **HOW)


def test_frames_are_read_alike(frame):
    data = allotrope.read(frame, target="grade")
    (table,) = data.inputs
    assert table.columns == ("size", "city", "new", "sold", "test_score")
    assert table.categories[1:3] == (("Bern", "Rom", "Wien"), ("False", "True"))
    assert table.dates == ("", "", "", "iso", "")
    rows = np.concatenate([split["table"] for split in data.splits.values()])
    assert np.count_nonzero(np.isnan(rows[:, 0])) == COUNT / 10
    assert np.count_nonzero(np.isnan(rows[:, 1])) == COUNT / 4
    assert rows[:, 3].min() == 20454


def test_answers_for_a_frame_are_in_the_order_of_its_rows(run, frame):
    whole = run.predict(frame)
    assert [row["file"] for row in whole.json] == [f"[{row}]" for row in range(COUNT)]
    last = columns()
    few = run.predict(pandas.DataFrame({name: cells[:1:-7] for name, cells in last.items()}))
    assert np.array_equal(few["grade"], whole["grade"][:1:-7])
    np.testing.assert_allclose(
        few.probabilities["grade"], whole.probabilities["grade"][:1:-7], atol=1e-6
    )


def test_answers_as_a_table_keep_rows_and_their_cells(run, tmp_path):
    cells = {"id": [f"n{row}" for row in range(COUNT)], **columns()}
    polars.DataFrame(cells).write_csv(tmp_path / "new.csv")
    out = tmp_path / "answers.csv"
    assert main(["predict", str(run.folder), str(tmp_path / "new.csv"), "--out", str(out)]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == cells["id"] and rows[1]["city"] == "Bern"
    whole = run.predict(polars.DataFrame(columns()))
    assert [row["grade (answer)"] for row in rows] == whole["grade"].tolist()
    assert float(rows[0]["grade=bad"]) + float(rows[0]["grade=good"]) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError, match="there is such a file"):
        allotrope.predict(run.folder, tmp_path / "new.csv", out=tmp_path / "new.csv")


def test_parquet_is_read_and_answered(run, tmp_path):
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table(columns()), path)
    data = allotrope.read(path, target="grade")
    assert data.name == "rows" and sum(map(len, data.splits.values())) == COUNT
    answers = allotrope.predict(run.folder, path)
    assert answers.json[4]["file"] == str(path) and answers.json[4]["line"] == 5
    assert np.array_equal(answers["grade"], run.predict(pyarrow.table(columns()))["grade"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="is no whole parquet file"):
        allotrope.read(path, target="grade")


def test_types_of_each_library_are_read():
    days = [datetime.timedelta(hours=12 * row) for row in range(COUNT)]
    grade = ["good" if row % 2 else "bad" for row in range(COUNT)]
    half = [None if row % 2 else row for row in range(COUNT)]
    frame = pandas.DataFrame(
        {
            "whole": pandas.array(half, dtype="Int64"),
            "known": pandas.array([None, True, False, True] * (COUNT // 4), dtype="boolean"),
            "kind": pandas.Categorical(["x", "y", None, "x"] * (COUNT // 4)),
            "zone": pandas.date_range("2026-01-01", periods=COUNT, tz="Europe/Zurich"),
            "length": pandas.to_timedelta(days),
            7: range(1, 2 * COUNT, 2),
            "grade": pandas.Categorical(grade),
        }
    )
    data = allotrope.read(frame, target="grade", input={"7": "number"})
    (table,) = data.inputs
    assert table.columns == ("whole", "known", "kind", "zone", "length", "7")
    rows = np.concatenate([split["table"] for split in data.splits.values()])
    assert np.count_nonzero(np.isnan(rows[:, 0])) == COUNT / 2
    assert sorted(rows[:, 4])[:3] == [0, 0.5, 1]
    other = polars.DataFrame(
        {
            "kind": polars.Series(["x", "z"] * (COUNT // 2), dtype=polars.Enum(["x", "z"])),
            "price": polars.Series(range(COUNT)).cast(polars.Decimal(10, 2)) / 4,
            "at": [datetime.time(row % 24, 30) for row in range(COUNT)],
            "grade": grade,
        }
    )
    (table,) = allotrope.read(other, target="grade", input="price=number").inputs
    assert table.columns == ("kind", "price", "at")
    with pytest.raises(DataError, match="'a' holds Object of int, str"):
        allotrope.read(pandas.DataFrame({"a": [1, "x"] * 40, "grade": grade}), target="grade")


@pytest.mark.parametrize("library", LIBRARIES)
def test_lists_of_texts_are_labels(library):
    lists = [(["red"], ["red", "blue"], [], ["blue"])[row % 4] for row in range(COUNT)]
    frame = LIBRARIES[library]({"a": [row / 2 for row in range(COUNT)], "colours": lists})
    data = allotrope.read(frame, target="colours")
    (task,) = data.tasks
    assert (task.kind, task.labels) == ("multilabel", ("blue", "red"))
    assert sum(split["colours"].sum() for split in data.splits.values()) == COUNT


def test_a_folder_of_parquet_files_is_splits_or_parts(tmp_path):
    cells = columns()
    for name, rows in {"train": slice(0, 60), "test": slice(60, COUNT)}.items():
        part = pyarrow.table({column: values[rows] for column, values in cells.items()})
        parquet.write_table(part, tmp_path / f"{name}.parquet")
    data = allotrope.read(tmp_path, target="grade")
    assert len(data.test) == 20 and len(data.train) + len(data.validation) == 60
    for number, name in enumerate(("train", "test")):
        (tmp_path / f"{name}.parquet").rename(tmp_path / f"part-{number}.parquet")
    parts = allotrope.read(tmp_path, target="grade")
    assert sum(map(len, parts.splits.values())) == COUNT
    assert "2 parquet files are read as the parts of one table" in str(parts)
    parquet.write_table(pyarrow.table({"size": [1.0]}), tmp_path / "part-2.parquet")
    with pytest.raises(DataError, match=r"part-2\.parquet has no 'city', 'new'"):
        allotrope.read(tmp_path, target="grade")
    (tmp_path / "part-2.parquet").rename(tmp_path / "test.parquet")
    with pytest.raises(DataError, match="holds several parquet files"):
        allotrope.read(tmp_path, target="grade")


def test_answers_have_the_names_of_rows(run):
    cells = columns()
    names = [f"n{row}" for row in range(COUNT)]
    named = run.predict(pandas.DataFrame(cells, index=names))
    assert [row["index"] for row in named.json] == names
    assert all("index" not in row for row in run.predict(pandas.DataFrame(cells)).json)


def test_columns_that_are_not_read_are_all_named():
    frame = polars.DataFrame({"a": [[1], [2, 3]], "b": [{"x": 1}, {"x": 2}], "y": [1, 2]})
    with pytest.raises(DataError, match=r"'a' holds List.*; 'b' holds Struct"):
        allotrope.read(frame, target="y")
    with pytest.raises(DataError, match="a list is no data"):
        allotrope.read([1, 2])
