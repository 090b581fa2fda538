"""Columns of lists: of texts, which are labels, and of as many numbers each."""

import json

import numpy as np
import pytest

import allotrope
from allotrope.data.sources.list_cells import ListCells
from allotrope.delivery.object_rows import object_cells
from allotrope.errors import DataError
from stored_tables import check_same, held_and_stored, parquet_file

COUNT = 120
RANDOM = np.random.default_rng(0)
TAGS = [(["red"], ["red", "blue"], [], ["blue"])[row % 4] for row in range(COUNT)]
PLACES = RANDOM.normal(size=(COUNT, 3)).round(3).tolist()
WHOLE = {
    "id": [f"q{row}" for row in range(COUNT)],
    "place": PLACES,
    "age": RANDOM.integers(20, 60, COUNT).tolist(),
    "tags": TAGS,
    "side": [("left", "right")[row[0] > 0] for row in PLACES],
}


def objects(folder, columns, name="rows.jsonl"):
    rows = zip(*columns.values(), strict=True)
    lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def without(*names):
    return {name: column for name, column in WHOLE.items() if name not in names}


@pytest.fixture(params=["objects", "parquet", "frame"])
def source(request, tmp_path):
    """The same columns as a file of objects, a parquet file and a data frame."""
    if request.param == "frame":
        return pytest.importorskip("polars").DataFrame
    return lambda columns: {"objects": objects, "parquet": parquet_file}[request.param](
        tmp_path, columns
    )


def test_lists_of_texts_are_labels(source):
    data = allotrope.read(source(without("side")), target="tags")
    assert data.tasks[0].labels == ("blue", "red")
    rows = np.concatenate([split["tags"] for split in data.splits.values()])
    assert rows.sum(axis=0).tolist() == [60, 60] and rows.sum(axis=1).tolist().count(0) == 30


def test_lists_of_as_many_numbers_are_numbers(source):
    data = allotrope.read(source(without("tags")), target="side")
    assert "4 numbers" in str(data) or "3 numbers (place.0, place.1, place.2)" in str(data)
    every = np.concatenate([split["place"] for split in data.splits.values()])
    expected = np.sort(np.array(PLACES, np.float32), axis=0)
    assert np.allclose(np.sort(every, axis=0), expected)


@pytest.mark.parametrize("target", ["tags", "side"])
def test_lists_are_the_same_from_disk(tmp_path, monkeypatch, target):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    columns = {**without("side" if target == "tags" else "tags"), "note": ["long " * 40] * COUNT}
    check_same(*held_and_stored(objects(tmp_path, columns), monkeypatch, target=target))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([1.0, 2.0], "'place' holds lists of 3 numbers; lists of 2 numbers in line 8"),
        (
            [1.0, 2.0, "x"],
            "'place' holds lists of 3 numbers; lists of 3 values of several kinds in line 8",
        ),
        (["x"], "'place' holds lists of 3 numbers; lists of texts in line 8"),
        ({"x": 1}, "'place' holds lists of 3 numbers; objects in line 8"),
        (7, "'place' holds lists of 3 numbers; numbers in line 8"),
    ],
    ids=str,
)
def test_lists_that_are_not_alike_are_refused_with_their_lines(tmp_path, cell, message):
    columns = {**WHOLE, "place": [*PLACES[:7], cell, *PLACES[8:]]}
    with pytest.raises(DataError, match=message):
        allotrope.read(objects(tmp_path, columns), target="side")


def test_a_missing_list_is_missing(tmp_path):
    columns = {
        **without("tags"),
        "place": [None if row % 9 == 0 else PLACES[row] for row in range(COUNT)],
    }
    data = allotrope.read(objects(tmp_path, columns), target="side")
    assert "some are missing" in str(data)


def test_what_lists_hold_is_told_over_pages():
    lists = ListCells()
    for page in ([["a"], None], [[], ["b", "a"]]):
        lists.take(page)
    assert lists.names() == ("a", "b")
    flags = lists.made()([["b"], None, []])
    assert np.array_equal(flags, [[0, 1], [np.nan, np.nan], [0, 0]], equal_nan=True)
    lists.take(["a"])
    assert lists.made() is None and lists.names() == ()


@pytest.mark.parametrize("write", [objects, parquet_file])
def test_predictions_take_lists_apart_by_place(tmp_path, write):
    path = write(tmp_path, without("tags", "side"))
    cells, rows = object_cells(path, ["place.0", "place.2", "age"], ["place.0", "place.2", "age"])
    assert [float(cell) for cell in cells["place.2"]] == [place[2] for place in PLACES]
    assert len(rows.lines) == COUNT
