"""`allotrope cache`: what lies on disk to be used again, and its removal."""

from __future__ import annotations

import json
import os
import time

import pytest

import allotrope
from allotrope.cli import main
from allotrope.data.store.store_writer import UNFINISHED
from allotrope.shrinking.kernel_table import KernelTable
from stored_pictures import TINY, pets


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    folder = tmp_path / "store"
    monkeypatch.setenv("ALLOTROPE_CACHE", str(folder))
    return folder


def test_an_empty_cache(store, capsys):
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"{store}: 0 entries, 0 B\n"
    assert main(["cache", "--clear", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["entries"] == facts["removed"] == [] and facts["bytes"] == 0


def test_what_lies_there_is_listed_and_removed(tmp_path, store, capsys):
    allotrope.read(pets(tmp_path / "pets"))
    (entry,) = store.iterdir()
    used = time.time() - 36 * 3600
    os.utime(entry, (used, used))
    cached = allotrope.cache()
    assert cached.json["entries"][0]["title"] == f"{tmp_path / 'pets'}: 24 pictures of 8x8"
    assert f"used    2 d ago  {tmp_path / 'pets'}" in str(cached)
    assert "allotrope cache --clear" in str(cached)
    assert main(["cache", "--clear"]) == 0
    assert "removed 1 entry" in capsys.readouterr().out
    assert not list(store.iterdir())


def test_what_is_in_use_stays(tmp_path, store, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    data = allotrope.read(pets(tmp_path / "pets"))
    cached = allotrope.cache(clear=True)
    assert len(cached.json["entries"]) == 1 and not cached.json["removed"]
    assert data.train["image"][0].shape == (8, 8, 3)


def test_what_a_kill_left_behind_is_listed_as_such(store):
    left = store / f"{UNFINISHED}abc"
    left.mkdir(parents=True)
    (left / "rows.npy").write_bytes(b"half")
    (entry,) = allotrope.cache().json["entries"]
    assert entry["title"] == "unfinished" and not entry["finished"]
    assert len(allotrope.cache(clear=True).json["removed"]) == 1


FACTS = {"runtime": "openvino", "version": "2026.4.1", "precision": "int8", "threads": "1"}


def test_times_of_kernels_are_listed_and_removed(store):
    KernelTable(store, FACTS).add({"conv": 1e-5, "gemm": 2e-5})
    cached = allotrope.cache()
    (entry,) = cached.json["entries"]
    assert entry["title"] == "times of 2 kernels in openvino 2026.4.1 int8, threads: 1"
    assert entry["bytes"] == cached.json["bytes"] > 0
    assert "measured, again" in str(cached)
    assert len(allotrope.cache(clear=True).json["removed"]) == 1
    assert not list(store.iterdir()) and KernelTable(store, FACTS).seconds == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"facts": {}, "seconds": {}}'])
def test_a_harmed_table_is_listed_by_its_name_and_removed(store, content):
    store.mkdir()
    harmed = store / "kernel-times-0123.json"
    harmed.write_bytes(content)
    (entry,) = allotrope.cache().json["entries"]
    assert entry["title"] == harmed.name
    allotrope.cache(clear=True)
    assert not harmed.exists()


def test_other_files_in_the_folder_are_left_alone(store):
    store.mkdir()
    (store / "notes.json").write_text("{}")
    assert allotrope.cache(clear=True).json["entries"] == []
    assert (store / "notes.json").exists()
