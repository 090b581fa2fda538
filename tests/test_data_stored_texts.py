"""Texts that are larger than memory: read from disk by page, the same batches to the byte."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import DataError
from read_sources import error_of
from stored_pictures import TINY, hash_of_batches
from stored_texts import csv_file, json_file, lines_file, reviews, text_folder, zipped_lines

LIMIT = "ALLOTROPE_DATA_LIMIT"
MADE = {
    "folder": text_folder,
    "table": csv_file,
    "json": json_file,
    "lines": lines_file,
    "zipped lines": zipped_lines,
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(params=MADE)
def source(request, tmp_path):
    return MADE[request.param](tmp_path, reviews())


def held_and_stored(source, monkeypatch, **options):
    held = allotrope.read(source, cache_size=0, **options)
    monkeypatch.setenv(LIMIT, TINY)
    return held, allotrope.read(source, **options)


def test_batches_are_the_same_from_disk(source, monkeypatch):
    held, stored = held_and_stored(source, monkeypatch)
    assert isinstance(stored.train["text"], StoredRows)
    assert held.inputs == stored.inputs and held.tasks == stored.tasks
    assert hash_of_batches(held) == hash_of_batches(stored)
    for name, split in held.splits.items():
        other = stored.splits[name]
        assert np.array_equal(split["text"], other["text"][:])
        assert [split.title(row, name) for row in range(len(split))] == [
            other.title(row, name) for row in range(len(other))
        ]
    assert held.lines == stored.lines


def test_texts_are_read_once(source, monkeypatch, store):
    monkeypatch.setenv(LIMIT, TINY)
    allotrope.read(source)
    first = {path: path.stat().st_mtime_ns for path in store.glob("*/rows.npy")}
    said = []
    allotrope.read(source, report=said.append)
    assert first == {path: path.stat().st_mtime_ns for path in store.glob("*/rows.npy")}
    assert not any("are kept in" in line for line in said)


def left_in(store):
    return sorted(path.name for path in store.glob("*"))


@pytest.mark.parametrize(
    "kind, ending, words",
    [
        (csv_file, "one,two,three\n", "rows differ in length"),
        (csv_file, '"no end\n', "cannot be read after line 61"),
        (json_file, "\nno object", "no JSON object in line 61"),
    ],
)
def test_what_cannot_be_read_leaves_nothing(tmp_path, monkeypatch, store, kind, ending, words):
    path = kind(tmp_path, reviews())
    with path.open("a", encoding="utf-8") as file:
        file.write(ending)
    monkeypatch.setenv(LIMIT, TINY)
    with pytest.raises(DataError, match=words):
        allotrope.read(path)
    assert not left_in(store)


def test_a_late_value_that_is_no_text_is_named_and_leaves_nothing(tmp_path, monkeypatch, store):
    path = json_file(tmp_path, reviews(300))
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"text": 7, "label": "good"}')
    said = error_of(path, cache_size=0)
    assert "'text' holds texts; numbers in line 301" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert "'text' holds texts; numbers in line 301" in error_of(path)
    assert not left_in(store)


def test_rows_of_another_length_may_be_left_out(tmp_path, monkeypatch):
    path = csv_file(tmp_path, [*reviews(), ("a", "b", "c"), *reviews(20)])
    held, stored = held_and_stored(path, monkeypatch, skip_bad_rows=True)
    assert hash_of_batches(held) == hash_of_batches(stored)
    assert held.lines == stored.lines


def test_tables_by_split(tmp_path, monkeypatch):
    for name, count in (("train", 60), ("test", 20)):
        csv_file(tmp_path, reviews(count), f"{name}.csv")
    held, stored = held_and_stored(tmp_path, monkeypatch)
    assert isinstance(stored.test["text"], StoredRows)
    assert hash_of_batches(held) == hash_of_batches(stored)


@pytest.mark.parametrize("kind", [csv_file, json_file])
def test_what_is_not_all_utf_8_is_read_into_memory(tmp_path, monkeypatch, store, kind):
    path = kind(tmp_path, reviews())
    path.write_bytes(path.read_bytes().replace("naïve".encode(), "naïve".encode("cp1252")))
    held, stored = held_and_stored(path, monkeypatch)
    assert hash_of_batches(held) == hash_of_batches(stored)
    assert held.lines == stored.lines
    assert not left_in(store)


@pytest.mark.parametrize("kind", [csv_file, json_file])
def test_cells_that_turn_out_to_be_no_prose_are_judged_by_all(tmp_path, monkeypatch, kind):
    rows = reviews(300) + [(f"x{number % 9}", "good") for number in range(2000)]
    path = kind(tmp_path, rows)
    options = {"input": {"text": "categorical"}, "target": "label"}
    held = allotrope.read(path, cache_size=0, **options)
    assert hash_of_batches(held) == hash_of_batches(allotrope.read(path, **options))
    monkeypatch.setenv(LIMIT, TINY)
    assert hash_of_batches(held) == hash_of_batches(allotrope.read(path, **options))
    with pytest.raises(DataError, match="no column is left"):
        allotrope.read(path, input={"text": "none"}, target="label")


def test_without_room_on_disk_texts_are_held_in_memory(source, monkeypatch, store):
    monkeypatch.setenv(LIMIT, TINY)
    said = []
    data = allotrope.read(source, cache_size="1KB", report=said.append)
    assert isinstance(data.train["text"], np.ndarray)
    assert not left_in(store)


def test_numbers_and_classes_beside_texts(tmp_path, monkeypatch):
    rows = [
        (text, number, ("a", "b", "c")[number % 3], label)
        for number, (text, label) in enumerate(reviews())
    ]
    path = csv_file(tmp_path, rows, header=("text", "age", "kind", "label"))
    held, stored = held_and_stored(path, monkeypatch, target="label", input={"age": "number"})
    assert isinstance(stored.train["text"], StoredRows)
    assert [each.name for each in stored.inputs] == ["text", "table"]
    assert hash_of_batches(held) == hash_of_batches(stored)


def lines_of(folder, before):
    lines = [f"{before(number)} {text}" for number, (text, _) in enumerate(reviews(80)) if text]
    (folder / "reviews.txt").write_text("\n".join([*lines, "", ""]), encoding="utf-8")
    return folder / "reviews.txt"


FORMS = {
    "a word": lambda number: ("good", "bad")[number % 2],
    "coarse and fine": lambda number: ("ANY:one", "ANY:two", "ALL:three")[number % 3],
    "several": lambda number: ("__label__a", "__label__a __label__b", "__label__b")[number % 3],
    "several in a late line": lambda number: "__label__a " * (number == 70) + "__label__b",
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_each_form_are_the_same_from_disk(tmp_path, monkeypatch, form):
    path = lines_of(tmp_path, FORMS[form])
    if form == "several in a late line":
        assert "'labels'" in error_of(path, cache_size=0)
        said = error_of(path, cache_size=0)
        monkeypatch.setenv(LIMIT, TINY)
        assert error_of(path) == said
        return
    held, stored = held_and_stored(path, monkeypatch)
    assert isinstance(stored.train["text"], StoredRows)
    assert held.tasks == stored.tasks and held.lines == stored.lines
    assert hash_of_batches(held) == hash_of_batches(stored)


@pytest.mark.parametrize("change", [lambda data: data[:-40], lambda data: data + b"no gzip"])
def test_lines_cut_short_are_the_same_error_and_leave_nothing(tmp_path, monkeypatch, store, change):
    path = zipped_lines(tmp_path, reviews())
    path.write_bytes(change(path.read_bytes()))
    said = error_of(path, cache_size=0)
    assert "cannot be decompressed" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(path) == said
    assert not left_in(store)


def test_lines_of_other_encodings_and_ends_are_the_same_from_disk(tmp_path, monkeypatch):
    path = lines_file(tmp_path, reviews())
    data = path.read_bytes().replace("naïve".encode(), "naïve".encode("cp1252"), 20)
    path.write_bytes(data.replace(b"\n", b"\r\n", 9).replace(b"\n", b"\r", 12))
    held, stored = held_and_stored(path, monkeypatch)
    assert isinstance(stored.train["text"], StoredRows)
    assert held.lines == stored.lines
    assert hash_of_batches(held) == hash_of_batches(stored)
    path.write_text(path.read_text("cp1252"), encoding="utf-16")
    assert isinstance(allotrope.read(path).train["text"], np.ndarray)
