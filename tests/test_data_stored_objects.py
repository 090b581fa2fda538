"""Files of objects that are larger than memory: the same to the bit as in memory, a page a time."""

from __future__ import annotations

import json

import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from read_sources import error_of
from stored_pictures import TINY
from stored_tables import check_same, held_and_stored, objects_file, people, typed, zipped

LIMIT = "ALLOTROPE_DATA_LIMIT"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.mark.parametrize("target", ["label", "city", "price"])
def test_objects_are_the_same_from_disk(tmp_path, monkeypatch, target):
    path = objects_file(tmp_path, typed(people()))
    held, stored = held_and_stored(path, monkeypatch, target=target)
    assert isinstance(stored.train["table"], StoredRows)
    check_same(held, stored)
    check_same(held, allotrope.read(path, target=target))


def columns_of(cells):
    return {**typed(people(120)), "gap": [cells[row % len(cells)] for row in range(120)]}


@pytest.mark.parametrize(
    "cells",
    [
        [True, False],
        [True, None],
        [None],
        ["a", None, "b"],
        [1, 2.5, True],
        [float("nan"), 1.5],
        ["2026-11-26", "2025-01-02"],
        ["\ud800x", "y", "a\0b"],
    ],
    ids=str,
)
def test_values_of_each_kind_are_the_same_from_disk(tmp_path, monkeypatch, cells):
    path = objects_file(tmp_path, columns_of(cells))
    check_same(*held_and_stored(path, monkeypatch, target="label"))


def test_a_name_that_comes_late_and_one_that_ends_early(tmp_path, monkeypatch):
    path = objects_file(tmp_path, typed(people(120)))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, row in enumerate(rows):
        if number > 100:
            row["late"] = number * 0.5
            del row["gap"]
    path.write_text("\n\n".join(map(json.dumps, rows)))
    check_same(*held_and_stored(path, monkeypatch, target="label"))


LATE = {
    "a list": [1, 2],
    "a text among numbers": "old",
    "an infinite number": float("inf"),
}


@pytest.mark.parametrize("kind", LATE)
def test_what_is_wrong_in_a_late_line_is_the_same_from_disk(tmp_path, monkeypatch, kind):
    columns = typed(people(120))
    columns["age"][-2] = LATE[kind]
    path = objects_file(tmp_path, columns)
    said = error_of(path, target="label", cache_size=0)
    assert "'age'" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(path, target="label") == said


def test_a_file_cut_short_is_the_same_error_and_leaves_nothing(tmp_path, monkeypatch, store):
    path = objects_file(tmp_path, typed(people(120)))
    path.write_bytes(path.read_bytes()[:-9])
    said = error_of(path, target="label", cache_size=0)
    assert "no JSON object in line 120" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(path, target="label") == said
    assert not list(store.glob("*"))


def test_files_by_split_of_which_one_is_small(tmp_path, monkeypatch):
    folder = tmp_path / "files"
    folder.mkdir()
    for name, count in (("train", 200), ("test", 40)):
        objects_file(folder, typed(people(count)), f"{name}.jsonl")
    held = allotrope.read(folder, target="label", cache_size=0)
    size = (folder / "test.jsonl").stat().st_size
    monkeypatch.setenv(LIMIT, f"{size * 10 // 1000 + 1}KB")
    check_same(held, allotrope.read(folder, target="label"))
    monkeypatch.setenv(LIMIT, TINY)
    check_same(held, allotrope.read(folder, target="label"))


def test_compressed_objects_are_the_same_from_disk(tmp_path, monkeypatch):
    path = zipped(objects_file(tmp_path, typed(people())))
    held, stored = held_and_stored(path, monkeypatch, target="label")
    assert isinstance(stored.train["table"], StoredRows)
    check_same(held, stored)
    path.write_bytes(path.read_bytes()[:-30])
    said = error_of(path, target="label")
    assert "cannot be decompressed" in said
    assert error_of(path, target="label", cache_size=0) == said
