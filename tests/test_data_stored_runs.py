"""Rows of many lengths in the store: what was written, or an error that says it is not."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.data.store.carried_columns import read_stored, write_columns
from allotrope.data.store.row_file import ROWS, SpoiledStore
from allotrope.data.store.run_file import OFFSETS, opened_rows
from allotrope.data.store.run_writer import writing_runs
from allotrope.data.store.stored_rows import StoredRows, as_column
from allotrope.data.store.stored_texts import KEPT, StoredTexts, stored_bytes
from allotrope.inputs.text.raw_bytes import rows_of

TEXTS = ["one", "", "日本 two", "x" * 3000, "", "néant", "last"]


def written(folder, texts=TEXTS):
    with writing_runs(folder / "texts-0") as writer:
        for text in texts:
            writer.add(stored_bytes(text))
        writer.finish({})
    return opened_rows(folder / "texts-0")


@pytest.mark.parametrize("rows", [[0], [1], [], [6, 3, 3, 1], list(range(7)), [4, 5, 6, 0]])
@pytest.mark.parametrize("length", [4, 16, 3000])
def test_rows_are_those_that_were_written(tmp_path, rows, length):
    file = written(tmp_path).cut_to(length)
    np.testing.assert_array_equal(file.read(np.array(rows, int)), rows_of(TEXTS, length)[rows])
    assert file.shape == (7, length)


def test_texts_come_back_and_long_ones_are_cut(tmp_path):
    long = "é" * KEPT
    column = StoredTexts(StoredRows.all_of(written(tmp_path, [*TEXTS, "x" + long])))
    assert column[:7].tolist() == TEXTS
    assert column[2] == TEXTS[2]
    assert column[7] == "x" + long[: (KEPT - 1) // 2]
    assert column.take(np.array([6, 0]))[:].tolist() == ["last", "one"]


def test_many_rows_are_written_in_parts(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["a" * int(size) for size in rng.integers(0, 300, 40_000)]
    file = written(tmp_path, texts)
    rows = rng.permutation(len(texts))[:500]
    np.testing.assert_array_equal(file.read(rows), rows_of([texts[row] for row in rows], 299))


def test_a_changed_byte_and_a_moved_row_are_found(tmp_path):
    written(tmp_path)
    folder = tmp_path / "texts-0"
    data = bytearray((folder / ROWS).read_bytes())
    data[-2] ^= 1
    (folder / ROWS).write_bytes(data)
    file = opened_rows(folder)
    file.read(np.arange(6))
    with pytest.raises(SpoiledStore, match="row 6"):
        file.read(np.arange(7))
    offsets = np.load(folder / OFFSETS)
    offsets[4] -= 1
    np.save(folder / OFFSETS, offsets)
    with pytest.raises(SpoiledStore, match="row 3"):
        opened_rows(folder).read(np.arange(5))


@pytest.mark.parametrize(
    "offsets", [np.arange(8), np.array([0, 9, 1]), np.zeros((2, 2), int), np.zeros(3)]
)
def test_offsets_that_do_not_fit_are_refused(tmp_path, offsets):
    written(tmp_path)
    np.save(tmp_path / "texts-0" / OFFSETS, offsets)
    with pytest.raises(SpoiledStore):
        opened_rows(tmp_path / "texts-0")


def test_other_processes_are_told_the_length(tmp_path):
    rows = StoredRows.all_of(written(tmp_path).cut_to(8)).take(np.array([5, 2]))
    write_columns(tmp_path / "carried.npz", {"text": as_column(rows)})
    there = read_stored(tmp_path / "carried.npz")["text"]
    assert there.shape == (2, 8)
    np.testing.assert_array_equal(there[:], rows_of([TEXTS[5], TEXTS[2]], 8))
