"""Parquet files that are larger than memory: the same to the bit as in memory, a column a time."""

from __future__ import annotations

import datetime

import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from read_sources import error_of
from stored_pictures import TINY
from stored_tables import check_same, held_and_stored, parquet_file, people, typed

LIMIT = "ALLOTROPE_DATA_LIMIT"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.mark.parametrize("target", ["label", "city", "price"])
def test_a_file_is_the_same_from_disk(tmp_path, monkeypatch, target):
    path = parquet_file(tmp_path, typed(people()))
    held, stored = held_and_stored(path, monkeypatch, target=target)
    assert isinstance(stored.train["table"], StoredRows)
    check_same(held, stored)
    check_same(held, allotrope.read(path, target=target))


def columns_of(cells):
    columns = typed(people(120))
    return {**columns, "gap": [cells[row % len(cells)] for row in range(120)]}


@pytest.mark.parametrize(
    "cells",
    [
        [True, False],
        [True, None],
        [None],
        ["a", "b", None],
        [datetime.timedelta(hours=7), None],
        [datetime.datetime(2026, 11, 26, 6, 5), datetime.datetime(2025, 1, 1)],
        [2**60 + 1, 2**60 + 2, 7],
    ],
    ids=str,
)
def test_columns_of_each_type_are_the_same_from_disk(tmp_path, monkeypatch, cells):
    path = parquet_file(tmp_path, columns_of(cells))
    check_same(*held_and_stored(path, monkeypatch, target="label"))


def test_lists_of_labels_and_a_column_of_splits(tmp_path, monkeypatch):
    columns = columns_of([["x"], ["x", "y"], [], ["y"]])
    columns["split"] = [("train", "train", "test")[row % 3] for row in range(120)]
    path = parquet_file(tmp_path, columns)
    check_same(*held_and_stored(path, monkeypatch, target="gap"))


@pytest.mark.parametrize("names", [("train", "test"), ("part-0", "part-1")])
def test_folders_of_files(tmp_path, monkeypatch, names):
    folder = tmp_path / "files"
    folder.mkdir()
    for name, count in zip(names, (150, 60), strict=True):
        parquet_file(folder, typed(people(count)), f"{name}.parquet")
    check_same(*held_and_stored(folder, monkeypatch, target="label"))


def test_what_cannot_be_read_is_the_same_error_and_leaves_nothing(tmp_path, monkeypatch, store):
    columns = columns_of([{"a": 1}])
    columns["other"] = columns["gap"]
    paths = [parquet_file(tmp_path, columns), parquet_file(tmp_path, columns, "short.parquet")]
    paths[1].write_bytes(paths[1].read_bytes()[:-40])
    said = [error_of(path, target="label", cache_size=0) for path in paths]
    assert "'gap'" in said[0] and "'other'" in said[0] and "no whole parquet file" in said[1]
    monkeypatch.setenv(LIMIT, TINY)
    assert [error_of(path, target="label") for path in paths] == said
    assert not list(store.glob("*"))


def test_texts_with_zero_bytes_are_held_in_memory(tmp_path, monkeypatch, store):
    path = parquet_file(tmp_path, columns_of(["a\0b", "c"]))
    held, stored = held_and_stored(path, monkeypatch, target="label")
    assert not list(store.glob("texts-*"))
    check_same(held, stored)
