"""Tables that are larger than memory: read from disk by page, the same to the bit as in memory."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import DataError
from allotrope.inputs.by_page import each_column
from allotrope.training.boosting import FEWEST, grown
from read_sources import error_of
from stored_pictures import TINY, pets
from stored_tables import (
    HEADER,
    check_same,
    held_and_stored,
    people,
    random_table,
    table_file,
    zipped,
)

LIMIT = "ALLOTROPE_DATA_LIMIT"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def of_column(cells, name="gap"):
    """Rows of people with these cells in a column, again and again."""
    place = HEADER.index(name)
    return [
        (*row[:place], cells[number % len(cells)], *row[place + 1 :])
        for number, row in enumerate(people())
    ]


@pytest.mark.parametrize("target", ["label", "city", "price"])
def test_a_table_is_the_same_from_disk(tmp_path, monkeypatch, target):
    path = table_file(tmp_path, people())
    held, stored = held_and_stored(path, monkeypatch, target=target)
    assert isinstance(stored.train["table"], StoredRows)
    check_same(held, stored)


KINDS = {
    "commas for decimals": (["1,5", "2,25", "1.000,5"], {}),
    "thousands or decimals": (["1,234", "2,500"], {"decimal": "comma"}),
    "units": (["3 kg", "4.5 kg", ""], {}),
    "true or false": (["true", "false"], {}),
    "nothing": ([""], {}),
    "one value": (["7"], {}),
    "dates of numbers": (["20261126", "20250101", "20240229"], {}),
    "times of numbers": (["1700000000", "1600000000"], {"input": {"gap": "epoch-seconds"}}),
    "dates with a clock": (["26.11.2026 06:05", "27.11.2026 07:10", "n/a"], {}),
    "dates of unknown order": (["01/02/2026", "03/04/2026"], {"input": {"gap": "date-day-first"}}),
    "a number as category": (["1", "2", "3"], {"input": {"gap": "categorical"}}),
    "a few long texts": (["a" * 1200, "b"], {"input": {"gap": "none"}}),
    "a group": (["u1", "u2", "u3", "u4", "u5", "u6"], {"group": "gap"}),
    "a time": ([str(number) for number in range(40)], {"time": "gap"}),
    "splits": (["train", "train", "train", "test"], {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_each_kind_are_the_same_from_disk(tmp_path, monkeypatch, kind):
    cells, options = KINDS[kind]
    name = "split" if kind == "splits" else "gap"
    header = [name if each == "gap" else each for each in HEADER]
    path = table_file(tmp_path, of_column(cells), header=header, separator=";")
    check_same(*held_and_stored(path, monkeypatch, target="label", **options))


def late(cell, name="age"):
    """Rows of people, of which the last but one has this cell in a column."""
    rows, place = people(), HEADER.index(name)
    rows[-2] = (*rows[-2][:place], cell, *rows[-2][place + 1 :])
    return rows


LATE = {
    "a text among numbers": (late("old"), "age"),
    "an infinite number": (late("1e999"), "age"),
    "a number of another unit": (late("€5", "price"), "price"),
    "no date": (late("2026-02-31", "joined"), "joined"),
}


@pytest.mark.parametrize("kind", LATE)
def test_what_is_wrong_in_a_late_row_is_the_same_from_disk(tmp_path, monkeypatch, kind):
    rows, name = LATE[kind]
    path = table_file(tmp_path, rows)
    said = error_of(path, target="label", cache_size=0)
    assert f"'{name}'" in said
    with monkeypatch.context() as patched:
        patched.setenv(LIMIT, TINY)
        assert error_of(path, target="label") == said
    if kind != "a number of another unit":  # of which nothing says which is meant
        check_same(*held_and_stored(path, monkeypatch, target="label", skip_bad_rows=True))


def test_a_late_row_without_a_label_is_unlabelled_from_disk_as_well(tmp_path, monkeypatch):
    path = table_file(tmp_path, late("", "label"))
    held, stored = held_and_stored(path, monkeypatch, target="label")
    assert len(held.splits["unlabelled"]) == len(stored.splits["unlabelled"]) == 1
    check_same(held, stored)


def test_a_text_among_numbers_beside_a_column_of_splits(tmp_path, monkeypatch):
    place = HEADER.index("gap")
    header = ["split" if name == "gap" else name for name in HEADER]
    rows = [
        (*row[:place], ("train", "test")[number % 3 == 0], *row[place + 1 :])
        for number, row in enumerate(late("old"))
    ]
    path = table_file(tmp_path, rows, header=header)
    said = error_of(path, target="label", cache_size=0)
    assert f"'old' (line {len(rows)})" in said
    with monkeypatch.context() as patched:
        patched.setenv(LIMIT, TINY)
        assert error_of(path, target="label") == said
    check_same(*held_and_stored(path, monkeypatch, target="label", skip_bad_rows=True))


def test_a_label_of_the_last_row_alone_is_the_same_error(tmp_path, monkeypatch):
    path = table_file(tmp_path, late("perhaps", "label"))
    said = error_of(path, target="label", cache_size=0)
    assert "'perhaps' has 1" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(path, target="label") == said


@pytest.mark.parametrize("ending", ["1,2,3\n", '301,"no end', "301,20,$3.00,Bonn,2020-0"])
def test_a_file_cut_short_is_the_same_error_and_leaves_nothing(
    tmp_path, monkeypatch, store, ending
):
    path = table_file(tmp_path, people())
    with path.open("a", encoding="utf-8") as file:
        file.write(ending)
    said = error_of(path, target="label", cache_size=0)
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(path, target="label") == said
    assert not list(store.glob("*"))


def test_rows_of_another_length_may_be_left_out(tmp_path, monkeypatch):
    path = table_file(tmp_path, [*people(150), ("1", "2", "3"), *people()])
    options = {"target": "label", "skip_bad_rows": True}
    held, stored = held_and_stored(path, monkeypatch, **options)
    check_same(held, stored)
    check_same(held, allotrope.read(path, **options))  # of what lies there from before


def test_tables_by_split_of_which_one_is_small(tmp_path, monkeypatch):
    rows = people()
    for name, part in (("train", rows[:120]), ("test", rows[120:])):
        table_file(tmp_path, part, f"{name}.csv")
    held = allotrope.read(tmp_path, target="label", cache_size=0)
    size = (tmp_path / "test.csv").stat().st_size
    monkeypatch.setenv(LIMIT, f"{(size * 10) // 1000 + 1}KB")
    stored = allotrope.read(tmp_path, target="label")
    assert not isinstance(stored.train["table"], StoredRows)  # the rows are less than their texts
    check_same(held, stored)
    monkeypatch.setenv(LIMIT, TINY)
    check_same(held, allotrope.read(tmp_path, target="label"))


def test_tables_are_read_once_and_sizes_said_beforehand(tmp_path, monkeypatch, store):
    path = table_file(tmp_path, people())
    monkeypatch.setenv(LIMIT, TINY)
    said = []
    allotrope.read(path, target="label", report=said.append)
    sizes = [line for line in said if "are kept in" in line]
    assert "the cells of 'people.csv' take up to" in sizes[0]
    assert "numbers of 'people.csv' take 4.8 kB" in sizes[1]
    assert "the rows of 'people.csv' take" in sizes[2] and "as numbers" in sizes[2]
    first = {path: path.stat().st_mtime_ns for path in store.glob("*/rows.npy")}
    again = []
    allotrope.read(path, target="label", report=again.append)
    assert first == {path: path.stat().st_mtime_ns for path in store.glob("*/rows.npy")}
    assert again == [line for line in said if line not in sizes]


def test_a_spoiled_page_is_read_anew(tmp_path, monkeypatch, store):
    path = table_file(tmp_path, people())
    before = allotrope.read(path, target="label", cache_size=0)
    monkeypatch.setenv(LIMIT, TINY)
    allotrope.read(path, target="label")
    for file in sorted(store.glob("*/rows.npy")):
        data = bytearray(file.read_bytes())
        data[-3] ^= 1
        file.write_bytes(data)
        check_same(before, allotrope.read(path, target="label"))


def test_without_room_on_disk_a_table_is_held_in_memory(tmp_path, monkeypatch, store):
    path = table_file(tmp_path, people())
    monkeypatch.setenv(LIMIT, TINY)
    data = allotrope.read(path, target="label", cache_size="1KB")
    assert isinstance(data.train["table"], np.ndarray)
    assert not list(store.glob("*"))


def test_rows_by_column_and_trees_are_the_same_from_disk(tmp_path, monkeypatch):
    path = table_file(tmp_path, people())
    held, stored = held_and_stored(path, monkeypatch, target="label")
    (table,) = held.inputs
    rows = [data.train["table"] for data in (held, stored)]
    for one, other in zip(each_column(rows[0]), each_column(rows[1]), strict=True):
        np.testing.assert_array_equal(one, other)
    seen = [list(table.numbers_seen(x)) for x in rows]
    np.testing.assert_array_equal(*seen)
    one, other = (grown(data, data.tasks, seed=0) for data in (held, stored))
    assert one.rows == other.rows == len(held.train)  # a thousand rows fit even so
    for name, answers in one.validation.items():
        np.testing.assert_array_equal(answers, other.validation[name])


def test_trees_of_rows_on_disk_learn_from_those_that_fit(tmp_path, monkeypatch):
    path = table_file(tmp_path, people(2000))
    monkeypatch.setenv(LIMIT, TINY)
    data = allotrope.read(path, target="label")
    boosted = grown(data, data.tasks, seed=0)
    assert boosted.rows == FEWEST < len(data.train)
    assert len(boosted.validation["label"]) == len(data.validation)


def test_a_compressed_table_is_the_same_from_disk(tmp_path, monkeypatch, store):
    path = zipped(table_file(tmp_path, people()))
    held, stored = held_and_stored(path, monkeypatch, target="label")
    assert isinstance(stored.train["table"], StoredRows)
    check_same(held, stored)
    path.write_bytes(path.read_bytes()[:-30])
    for entry in store.glob("*"):
        shutil.rmtree(entry)
    said = error_of(path, target="label")
    assert "cannot be decompressed" in said
    assert error_of(path, target="label", cache_size=0) == said
    assert not list(store.glob("*"))


def test_a_table_that_names_pictures_is_the_same_from_disk(tmp_path, monkeypatch):
    pets(tmp_path, count=20)
    names = [f"{label}/{number:03}.png" for label in ("cat", "dog") for number in range(20)]
    rows = [(name, name[:3], str(place % 7)) for place, name in enumerate(names)]
    path = table_file(tmp_path, rows, header=("file", "label", "age"))
    options = {"target": "label", "input": {"age": "number"}}
    held, stored = held_and_stored(path, monkeypatch, **options)
    assert [each.name for each in stored.inputs] == ["image", "table"]
    check_same(held, stored)


def read_or_error(path, **options):
    """What a table is read as, or why it is not."""
    try:
        return allotrope.read(path, target="label", **options)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(12))
def test_tables_of_any_cells_are_the_same_from_disk(tmp_path, monkeypatch, seed):
    path = random_table(tmp_path, seed)
    options = {"skip_bad_rows": bool(seed % 2)}
    held = read_or_error(path, cache_size=0, **options)
    monkeypatch.setenv(LIMIT, TINY)
    stored = read_or_error(path, **options)
    if isinstance(held, str):
        assert stored == held
    else:
        check_same(held, stored)
