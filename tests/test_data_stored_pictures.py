"""Pictures that are decoded once: in memory if they fit, else read from disk; the same to all."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

import allotrope
from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.store.row_file import CHECKS, ROWS, SpoiledStore, checksums
from allotrope.data.store.store_folder import store_folder
from allotrope.data.store.store_writer import FACTS
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import DataError, UsageError
from stored_pictures import TINY, hash_of_batches, pets, same


@pytest.fixture(autouse=True)
def store(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("ALLOTROPE_CACHE", str(folder))
    return folder


@pytest.fixture(params=["in memory", "from disk"])
def place(request, monkeypatch):
    """Pictures that fit in memory, and such that do not."""
    if request.param == "from disk":
        monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    return request.param


def lines_of(source, **options):
    lines = []
    data = read_data(source, DataOptions(**options), lines.append)
    return data, lines


def only_entry(store):
    (entry,) = store.iterdir()
    return entry


def test_batches_are_the_same_in_memory_and_from_disk(tmp_path, monkeypatch):
    pets(tmp_path)
    held = read_data(tmp_path, DataOptions(cache_size=0))
    assert isinstance(held.train["image"], np.ndarray)
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    stored, again = read_data(tmp_path), read_data(tmp_path)
    for data in (stored, again):
        assert isinstance(data.train["image"], StoredRows)
        assert same(data, held)
        assert hash_of_batches(data) == hash_of_batches(held)
        assert data.inputs == held.inputs and data.tasks == held.tasks
    assert hash_of_batches(held) != hash_of_batches(held, seed=1)
    without = {"seconds": 0}
    assert stored.summary | without == again.summary | without == held.summary | without


def test_batches_of_a_table_that_names_pictures_are_the_same(tmp_path, monkeypatch):
    pets(tmp_path)
    rows = [f"{name}/{n:03}.png,{n / 7},{name}" for name in ("cat", "dog") for n in range(12)]
    (tmp_path / "pets.csv").write_text("\n".join(["picture,weight,kind", *rows]))
    options = {"target": "kind", "input": {"weight": "number"}}
    held = allotrope.read(tmp_path / "pets.csv", **options)
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    stored = allotrope.read(tmp_path / "pets.csv", **options)
    assert isinstance(stored.train["image"], StoredRows)
    assert [each.kind for each in stored.inputs] == ["image", "table"]
    assert hash_of_batches(stored) == hash_of_batches(held)


def test_what_is_read_from_disk_is_said_with_its_size_before(tmp_path, monkeypatch, store):
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    _, first = lines_of(pets(tmp_path))
    _, second = lines_of(tmp_path)
    assert first[0].startswith("decoding 24 pictures: decoded they take 4.61 kB")
    for line in (first[0], second[0]):
        assert "take 4.61 kB, more than the 1 kB that are held in memory" in line
        assert str(only_entry(store)) in line and "--cache-size" in line


def test_the_second_time_nothing_is_decoded(tmp_path, store, place):
    """What was stored is what is read: here the pictures' negatives."""
    first = read_data(pets(tmp_path), DataOptions(cache_size=0))
    read_data(tmp_path)
    entry = only_entry(store)
    negative = 255 - np.load(entry / ROWS)
    np.save(entry / ROWS, negative)
    np.save(entry / CHECKS, checksums(negative.reshape(len(negative), -1)))
    again = read_data(tmp_path)
    for split, examples in first.splits.items():
        there = np.asarray(again.splits[split]["image"])
        np.testing.assert_array_equal(there, 255 - examples["image"])
        assert again.splits[split].origin == examples.origin


def test_a_changed_file_or_size_is_decoded_again(tmp_path, store, place):
    pets(tmp_path)
    read_data(tmp_path)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "cat" / "000.png")
    data = read_data(tmp_path)
    split = next(part for part in data.splits.values() if "cat/000.png" in part.origin)
    assert (split["image"][split.origin.index("cat/000.png")] == [255, 0, 0]).all()
    read_data(tmp_path, DataOptions(image_size=4))
    assert len(list(store.iterdir())) == 3


def cut_short(entry):
    path = entry / ROWS
    path.write_bytes(path.read_bytes()[:-100])


def altered(entry):
    path = entry / ROWS
    data = bytearray(path.read_bytes())
    data[-77] ^= 1
    path.write_bytes(data)


def emptied(entry):
    (entry / ROWS).write_bytes(b"")


def lengthened(entry):
    with (entry / ROWS).open("ab") as file:
        file.write(b"more")


def without_checks(entry):
    (entry / CHECKS).unlink()


def with_spoiled_facts(entry):
    (entry / FACTS).write_text("{")


def with_other_facts(entry):
    (entry / FACTS).write_text("[1]")


@pytest.mark.parametrize(
    "spoil",
    [
        cut_short,
        altered,
        emptied,
        lengthened,
        without_checks,
        with_spoiled_facts,
        with_other_facts,
    ],
)
def test_a_spoiled_store_is_said_and_made_anew(tmp_path, store, place, spoil):
    first = read_data(pets(tmp_path), DataOptions(cache_size=0))
    read_data(tmp_path)
    spoil(only_entry(store))
    again, lines = lines_of(tmp_path)
    said = [line for line in lines if "cannot be used" in line]
    assert len(said) == 1 and str(only_entry(store)) in said[0]
    assert same(first, again)
    assert not any("cannot be used" in line for line in lines_of(tmp_path)[1])


def test_rows_that_change_during_a_training_are_not_learned_from(tmp_path, store, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    data = read_data(pets(tmp_path))
    altered(only_entry(store))
    with pytest.raises(SpoiledStore, match=r"not as it was written.*allotrope cache --clear"):
        hash_of_batches(data)


def test_an_unreadable_picture_is_left_out_alike(tmp_path, monkeypatch):
    pets(tmp_path, count=60)
    broken = tmp_path / "cat" / "007.png"
    broken.write_bytes(broken.read_bytes()[:60])  # its header is whole
    held = read_data(tmp_path, DataOptions(cache_size=0))
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    stored = read_data(tmp_path)
    assert same(stored, held) and same(read_data(tmp_path), held)
    assert [one["file"] for one in stored.summary["unreadable"]] == ["cat/007.png"]
    assert sum(map(len, stored.splits.values())) == 119


def test_splits_of_a_folder_are_parts_of_one_file(tmp_path, store, monkeypatch):
    pets(tmp_path, split="train")
    pets(tmp_path, split="test", count=5)
    held = read_data(tmp_path, DataOptions(cache_size=0))
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    stored = read_data(tmp_path)
    assert same(stored, held)
    assert len({split["image"].file.folder for split in stored.splits.values()}) == 1


def test_a_store_that_cannot_be_written_is_said(tmp_path, monkeypatch, place):
    pets(tmp_path / "pets")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "file" / "cache"))
    data, lines = lines_of(tmp_path / "pets")
    assert isinstance(data.train["image"], np.ndarray)
    said = next(line for line in lines if "not kept" in line)
    assert "ALLOTROPE_CACHE" in said and "allotrope cache --clear" in said


@contextmanager
def files_of_at_most(count):
    """The system lets no file grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_is_cut_off_leaves_nothing(tmp_path, store, place):
    pets(tmp_path)
    with files_of_at_most(500):
        data, lines = lines_of(tmp_path)
    assert isinstance(data.train["image"], np.ndarray)
    assert any("not kept" in line and "File too large" in line for line in lines)
    assert not list(store.iterdir())


def test_more_than_the_cap_is_not_written(tmp_path, store, place):
    data, lines = lines_of(pets(tmp_path), cache_size=4000)
    assert isinstance(data.train["image"], np.ndarray) and not list(store.iterdir())
    assert any("--cache-size is 4 kB. Say --cache-size 1MB" in line for line in lines)


def test_without_a_store_nothing_is_written(tmp_path, store, place):
    data = read_data(pets(tmp_path), DataOptions(cache_size=0))
    assert isinstance(data.train["image"], np.ndarray) and not list(store.iterdir())


def test_pictures_beyond_memory_and_disk_are_refused(tmp_path):
    with pytest.raises(DataError) as caught:
        read_data(pets(tmp_path), DataOptions(image_size=10**6))
    message = str(caught.value)
    for part in ("of memory", "smaller --image-size", "on disk either", "--cache-size"):
        assert part in message
    with pytest.raises(DataError, match="or leave out --cache-size 0"):
        read_data(tmp_path, DataOptions(image_size=10**6, cache_size=0))


@pytest.mark.parametrize("size", ["much", "-1", "12 apples", "", "1e9", "nan"])
def test_a_size_that_is_none_is_refused(tmp_path, size):
    with pytest.raises(UsageError, match="is not a size"):
        allotrope.read(pets(tmp_path), cache_size=size)


def test_the_store_lies_in_the_home_folder_unless_said_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("ALLOTROPE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_folder() == tmp_path / ".cache" / "allotrope"


def test_without_a_home_folder_one_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(DataError, match="Set ALLOTROPE_CACHE"):
        read_data(pets(tmp_path))
