"""Texts that are larger than memory: read from disk by page, the same batches to the byte."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from stored_pictures import TINY, hash_of_batches
from stored_texts import csv_file, reviews, text_folder

LIMIT = "ALLOTROPE_DATA_LIMIT"
MADE = {"folder": text_folder, "table": csv_file}


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
