"""Images in arrays that are more than the memory: by parts to the disk, the same as in memory."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import DataError
from read_sources import error_of
from stored_pictures import TINY, hash_of_batches, same

LIMIT = "ALLOTROPE_DATA_LIMIT"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def arrays(count=40, dtype=np.uint8, shape=(6, 5, 3)):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (count, *shape))
    x[0].flat[:2] = 0, 255
    if np.dtype(dtype).kind == "f":
        x = x / 255
    return x.astype(dtype), np.arange(count) % 4


def saved_in_one_file(folder, x, y):
    path = folder / "all.npz"
    np.savez(path, images=x, labels=y)
    return path


def saved_by_split(folder, x, y):
    path = folder / "splits.npz"
    np.savez(path, x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    return path


def saved_as_files(folder, x, y):
    path = folder / "arrays"
    path.mkdir()
    for name, array in {"x_train": x[:20], "x_test": x[20:]}.items():
        np.save(path / f"{name}.npy", array)
    for name, array in {"y_train": y[:20], "y_test": y[20:]}.items():
        np.save(path / f"{name}.npy", array)
    return path


def saved_as_columns(folder, x, y):
    path = folder / "columns.npz"
    np.savez(path, scan=x, age=y / 7, other=y * 2.5)
    return path


def saved_compressed(folder, x, y):
    path = folder / "small.npz"
    np.savez_compressed(path, images=x, labels=y)
    return path


def idx_content(array):
    """An array as IDX has it, big-endian."""
    kind = {"u1": 8, "f4": 13, "i8": 12}[array.dtype.str[1:]]
    values = array.astype({8: ">u1", 13: ">f4", 12: ">i4"}[kind])
    return (
        bytes([0, 0, kind, array.ndim]) + np.array(array.shape, ">u4").tobytes() + values.tobytes()
    )


def saved_as_idx(folder, x, y, pack=lambda data: data, end=""):
    path = folder / "idx"
    path.mkdir()
    for name, array in (("images-idx4", x), ("labels-idx1", y)):
        (path / f"train-{name}-ubyte{end}").write_bytes(pack(idx_content(array)))
    return path


def saved_as_zipped_idx(folder, x, y):
    return saved_as_idx(folder, x, y, gzip.compress, ".gz")


@pytest.mark.parametrize(
    ("save", "options"),
    [
        (saved_compressed, {}),
        (saved_as_idx, {}),
        (saved_as_zipped_idx, {}),
        (saved_in_one_file, {}),
        (saved_by_split, {}),
        (saved_as_files, {}),
        (saved_as_columns, {"target": "age"}),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_same_batches_from_disk(tmp_path, monkeypatch, save, options, dtype):
    path = save(tmp_path, *arrays(dtype=dtype))
    held = allotrope.read(path, **options)
    monkeypatch.setenv(LIMIT, TINY)
    stored, again = (allotrope.read(path, **options) for _ in range(2))
    name = held.inputs[0].name
    for data in (stored, again):
        assert isinstance(data.train[name], StoredRows)
        assert hash_of_batches(data) == hash_of_batches(held)
        assert data.inputs == held.inputs
        for split, examples in held.splits.items():
            np.testing.assert_array_equal(data.splits[split][name][:], examples[name])


@pytest.mark.parametrize(
    "turned",
    [
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: x[..., :1],
        lambda x: np.concatenate([x, np.full_like(x[..., :1], 255)], axis=-1),
        lambda x: x[..., 0],
    ],
)
def test_other_forms(tmp_path, monkeypatch, turned):
    x, y = arrays()
    path = saved_in_one_file(tmp_path, np.ascontiguousarray(turned(x)), y)
    held = allotrope.read(path)
    monkeypatch.setenv(LIMIT, TINY)
    stored = allotrope.read(path)
    assert isinstance(stored.train["image"], StoredRows) and same(stored, held)
    without = {"seconds": 0}
    assert stored.summary | without == held.summary | without


def test_what_cannot_be_mapped_is_held_in_memory(tmp_path, monkeypatch):
    x, y = arrays()
    np.savez_compressed(tmp_path / "small.npz", images=np.asfortranarray(x), labels=y)
    np.savez(tmp_path / "turned.npz", images=np.asfortranarray(x), labels=y)
    monkeypatch.setenv(LIMIT, TINY)
    for name in ("small.npz", "turned.npz"):
        data = allotrope.read(tmp_path / name)
        assert isinstance(data.train["image"], np.ndarray)
        assert sum(map(len, data.splits.values())) == 40


def test_a_changed_file_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT, TINY)
    x, y = arrays()
    first = allotrope.read(saved_by_split(tmp_path, x, y))
    second = allotrope.read(saved_by_split(tmp_path, 255 - x, y))
    np.testing.assert_array_equal(second.test["image"][:], 255 - first.test["image"][:])


def test_a_file_that_was_cut_short_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT, TINY)
    x, y = arrays()
    path = saved_as_files(tmp_path, x, y)
    whole = (path / "x_test.npy").read_bytes()
    (path / "x_test.npy").write_bytes(whole[:-10])
    with pytest.raises(DataError, match="x_test"):
        allotrope.read(path)


def test_what_is_not_finite_is_counted_by_pages(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT, TINY)
    x, y = arrays(dtype=np.float32)
    x[3:5, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="2 values that are nan"):
        allotrope.read(saved_in_one_file(tmp_path, x, y))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-30], "cannot be read"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-7]), "found 3,593"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "found more"),
    ],
)
def test_idx_files_of_other_lengths_are_the_same_error(tmp_path, monkeypatch, store, change, words):
    folder = saved_as_zipped_idx(tmp_path, *arrays())
    path = folder / "train-images-idx4-ubyte.gz"
    path.write_bytes(change(path.read_bytes()))
    said = error_of(folder)
    assert words in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(folder) == said
    assert not list(store.glob("*"))


def test_a_damaged_compressed_array_is_refused(tmp_path, monkeypatch, store):
    path = saved_compressed(tmp_path, *arrays(2000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    assert "'images' is damaged" in error_of(path)
    monkeypatch.setenv(LIMIT, TINY)
    assert "'images' is damaged" in error_of(path)
    assert not list(store.glob("*"))


def test_without_room_on_disk_an_array_is_read_into_memory(tmp_path, monkeypatch, store):
    path = saved_compressed(tmp_path, *arrays())
    monkeypatch.setenv(LIMIT, TINY)
    said = []
    data = allotrope.read(path, cache_size="1KB", report=said.append)
    assert isinstance(data.train["image"], np.ndarray)
    assert any("read into memory, as there is no room on disk" in line for line in said)
    assert not list(store.glob("*"))
