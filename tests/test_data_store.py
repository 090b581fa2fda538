"""The store of decoded examples: whole or not there, within its size, removed if nobody uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from allotrope.data.store.carried_columns import read_stored, write_columns, write_stored
from allotrope.data.store.row_file import ROWS, RowFile, SpoiledStore, checksums
from allotrope.data.store.store import NoRoom, Store
from allotrope.data.store.store_folder import entries, make_room, mark_used, remove, total
from allotrope.data.store.store_writer import UNFINISHED, writing_entry
from allotrope.data.store.stored_rows import StoredRows, rows_between
from allotrope.errors import DataError

KEY = "pictures-0"


def numbered(count=20, shape=(3, 2), dtype=np.uint8):
    """Rows of which each has numbers of its own."""
    size = int(np.prod(shape))
    return np.arange(count * size).reshape(count, *shape).astype(dtype)


def silent(line):
    raise AssertionError(line)


def written(folder, x, key=KEY):
    store = Store(folder)
    store.write(key, x.shape[1:], x.dtype, x, lambda: {"count": len(x)})
    return store


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(), (5,), (3, 2)])
def test_rows_are_those_that_were_written(tmp_path, shape, dtype):
    x = numbered(30, shape, dtype)
    stored = written(tmp_path, x).opened(KEY, silent)
    rows = stored.rows
    assert stored.facts == {"count": 30}
    assert (rows.shape, rows.dtype, rows.ndim, len(rows), rows.nbytes) == (
        (x.shape, x.dtype, x.ndim, len(x), x.nbytes)
    )
    order = np.array([29, 3, 4, 5, 3, 0])
    for key in (slice(None), slice(2, 9), slice(25, 2, -3), order, x.reshape(30, -1)[:, 0] > 40):
        np.testing.assert_array_equal(rows[key], x[key])
    for row in (0, 7, -1, np.int64(4)):
        np.testing.assert_array_equal(rows[row], x[row])
    np.testing.assert_array_equal(np.asarray(rows), x)
    taken = rows.take(order, axis=0)
    assert isinstance(taken, StoredRows)
    np.testing.assert_array_equal(taken[1:4], x[order][1:4])
    np.testing.assert_array_equal(rows_between(taken, 1, 3)[:], x[order][1:3])
    np.testing.assert_array_equal(rows_between(x, 1, 3), x[1:3])
    assert rows[[]].shape == (0, *shape)


def test_numpy_reads_the_file_too(tmp_path):
    x = numbered()
    written(tmp_path, x)
    np.testing.assert_array_equal(np.load(tmp_path / KEY / ROWS, mmap_mode="r"), x)


def test_a_row_beyond_the_last_is_an_error(tmp_path):
    rows = written(tmp_path, numbered()).opened(KEY, silent).rows
    for key in (20, np.array([3, 20])):
        with pytest.raises(IndexError):
            rows[key]


def test_fewer_rows_than_were_foreseen(tmp_path):
    x = numbered(3)
    with writing_entry(tmp_path / KEY, (3, 2), x.dtype) as writer:
        for row in x:
            writer.append(row)
        writer.finish({})
    np.testing.assert_array_equal(Store(tmp_path).opened(KEY, silent).rows[:], x)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("a picture"), OSError("a source")])
def test_what_is_interrupted_leaves_nothing_and_raises_what_it_was(tmp_path, error):
    def rows():
        yield from numbered(5)
        raise error

    store = Store(tmp_path)
    with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
        store.write(KEY, (3, 2), np.dtype(np.uint8), rows(), dict)
    assert not isinstance(caught.value, NoRoom)
    assert not list(tmp_path.iterdir())


KILLED = """
    import os, pathlib, signal, sys
    import numpy as np
    from allotrope.data.store.run_writer import writing_runs
    from allotrope.data.store.store import Store

    def rows():
        yield np.zeros((1000,), np.uint8)
        print("written", flush=True)
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdin.readline()

    store = Store(pathlib.Path(sys.argv[1]))
    if sys.argv[3] == "rows":
        store.write("pictures-9", (1000,), np.dtype(np.uint8), rows(), dict)
    else:
        with writing_runs(store.folder / "pictures-9") as writer:
            for row in rows():
                writer.add(row.tobytes() * 10_000)
            writer.finish({})
"""


def process(folder, what, kind="rows"):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(folder), what, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["rows", "runs"])
def test_what_a_kill_leaves_is_no_entry_and_is_removed_at_the_next_writing(tmp_path, kind):
    with process(tmp_path, "kill", kind) as killed:
        assert killed.wait() == -signal.SIGKILL
    (left,) = entries(tmp_path)
    assert left.is_unfinished
    assert Store(tmp_path).opened("pictures-9", silent) is None
    assert make_room(tmp_path, 0, 10**6) == [left]
    assert not entries(tmp_path)


def test_what_another_process_is_writing_stays(tmp_path):
    with process(tmp_path, "wait") as writing:
        assert writing.stdout.readline() == "written\n"
        assert not make_room(tmp_path, 10**6, 10**6)
        writing.communicate("\n")
    assert Store(tmp_path).opened("pictures-9", silent).rows.shape == (1, 1000)


def test_of_two_that_write_the_same_one_stays(tmp_path):
    x = numbered()
    with writing_entry(tmp_path / KEY, x.shape[1:], x.dtype) as slow:
        for row in x:
            slow.append(row)
        store = written(tmp_path, x)
        slow.finish({"slow": True})
    assert store.opened(KEY, silent).facts == {"count": 20}
    assert [entry.path.name for entry in entries(tmp_path)] == [KEY]


def filled(folder, *ages):
    """An entry of an age in seconds each."""
    for number, age in enumerate(ages):
        written(folder, numbered(), f"pictures-{number}")
        used = time.time() - age
        os.utime(folder / f"pictures-{number}", (used, used))
    return entries(folder)


def test_what_was_used_longest_ago_is_removed_beyond_the_cap(tmp_path):
    there = filled(tmp_path, 10, 30, 20)
    assert [entry.path.name for entry in there] == ["pictures-1", "pictures-2", "pictures-0"]
    each = there[0].bytes
    assert not make_room(tmp_path, each, 4 * each)
    mark_used(tmp_path / "pictures-1")
    gone = make_room(tmp_path, each, 3 * each)
    assert [entry.path.name for entry in gone] == ["pictures-2"]
    assert total(entries(tmp_path)) == 2 * each


def test_opening_marks_as_used(tmp_path):
    filled(tmp_path, 10, 30)
    Store(tmp_path).opened("pictures-1", silent)
    assert [entry.path.name for entry in entries(tmp_path)] == ["pictures-0", "pictures-1"]


def test_what_is_in_use_is_not_removed(tmp_path):
    (entry,) = filled(tmp_path, 10)
    stored = Store(tmp_path).opened(entry.path.name, silent)
    assert not remove(entry) and not make_room(tmp_path, 10**6, 10**6)
    np.testing.assert_array_equal(stored.rows[:], numbered())
    del stored
    assert remove(entry) and not entries(tmp_path)


def test_what_lies_beside_the_entries_is_no_entry(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    (tmp_path / "pictures-old.npz").write_bytes(b"of an older version")
    (old,) = entries(tmp_path)
    assert old.bytes == 19 and remove(old)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_was_just_begun_stays(tmp_path):
    (tmp_path / f"{UNFINISHED}now").mkdir()
    (begun,) = entries(tmp_path)
    assert not remove(begun)
    assert remove(begun, now=lambda: time.time() + 3600)


def test_a_full_disk_is_told_beforehand_with_what_helps(tmp_path):
    store = Store(tmp_path, free=lambda folder: 600_000_000)
    store.check_room(99_000_000)
    with pytest.raises(NoRoom) as caught:
        store.check_room(101_000_000)
    message = str(caught.value)
    for part in ("101 MB", "600 MB left", "500 MB stay free", "ALLOTROPE_CACHE", "cache --clear"):
        assert part in message


def test_more_than_the_cap_names_the_option(tmp_path):
    with pytest.raises(NoRoom, match=r"take 20 GB.*is 1 GB\. Say --cache-size 21000MB"):
        Store(tmp_path, 10**9).check_room(20 * 10**9)


def test_references_are_read_in_another_process(tmp_path):
    x = numbered()
    rows = written(tmp_path / "store", x).opened(KEY, silent).rows.take(np.array([5, 2, 9]))
    arrays = write_stored(tmp_path / "train", {"image": rows, "label": np.arange(3)})
    assert list(arrays) == ["label"]
    np.testing.assert_array_equal(read_stored(tmp_path / "train")["image"][:], x[[5, 2, 9]])
    assert not read_stored(tmp_path / "test")
    write_columns(tmp_path / "all.npz", {"image": rows, "label": np.arange(3)})
    with np.load(tmp_path / "all.npz") as file:
        assert file["names"].tolist() == ["label"]


def test_references_to_what_was_spoiled_are_refused(tmp_path):
    rows = written(tmp_path / "store", numbered()).opened(KEY, silent).rows
    write_stored(tmp_path / "train", {"image": rows})
    (rows.file.folder / ROWS).write_bytes(b"\x93NUMPY")
    with pytest.raises(SpoiledStore):
        read_stored(tmp_path / "train")
    with pytest.raises(OSError):
        RowFile.opened(tmp_path / "nowhere")


@pytest.mark.parametrize("length", [1, 7, 8, 90, 192])
def test_a_change_of_any_byte_is_seen(length):
    rng = np.random.default_rng(length)
    row = rng.integers(0, 256, (1, length), np.uint8)
    changed = np.repeat(row, length, axis=0)
    changed[np.arange(length), np.arange(length)] ^= 1 << 7
    assert (checksums(changed) != checksums(row)).all()
    assert (checksums(np.repeat(row, 3, axis=0)) == checksums(row)).all()


def test_rows_that_change_places_are_seen():
    row = np.arange(64, dtype=np.uint8)[None]
    swapped = np.concatenate([row[:, 8:16], row[:, :8], row[:, 16:]], axis=1)
    assert checksums(swapped) != checksums(row)
