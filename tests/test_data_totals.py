"""A last row that sums up the others is no example; one that is only called so is said."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.data.recognize.total_rows import total_row
from allotrope.errors import DataError

COUNT = 60
SIZES = np.arange(COUNT) % 9 + 0.5
PRICES = 3 * SIZES + np.arange(COUNT) % 4


def table(tmp_path, *last):
    """Shops in cities with a size and a price, and further rows."""
    cities = ("Bern", "Rom", "Wien")
    rows = [f"{cities[row % 3]},{SIZES[row]},{PRICES[row]}" for row in range(COUNT)]
    path = tmp_path / "shops.csv"
    path.write_text("\n".join(["city,size,price", *rows, *last]) + "\n")
    return path


TOTALS = [
    f"Total,{SIZES.sum()},{PRICES.sum()}",
    f"total:,,{PRICES.sum():.0f}",
    f"GRAND TOTAL,{SIZES.sum()},{PRICES.sum()}",
    f"Summe,{SIZES.sum()},{PRICES.sum()}",
    f"Average,{SIZES.mean():.4f},{PRICES.mean():.4f}",
    f",{SIZES.sum()},{PRICES.sum()}",
]


@pytest.mark.parametrize("last", TOTALS)
def test_a_row_of_totals_is_refused_by_its_line_and_left_out_if_asked(tmp_path, last):
    path = table(tmp_path, last)
    with pytest.raises(DataError) as refused:
        allotrope.read(path, target="price")
    message = str(refused.value)
    assert "of the rows above, and no example, in the last row:" in message
    assert "(line 62)" in message and "--skip-bad-rows" in message
    notes = []
    data = allotrope.read(path, target="price", skip_bad_rows=True, report=notes.append)
    assert sum(map(len, data.splits.values())) == COUNT
    assert any("rows left out: " in note and "line 62" in note for note in notes)


def test_totals_of_classes_too(tmp_path):
    path = table(tmp_path, f"Total,{SIZES.sum()},{PRICES.sum()}")
    with pytest.raises(DataError, match="'size' is the sum of the rows above"):
        allotrope.read(path, target="city")


def test_a_row_that_is_only_called_so_is_said(tmp_path):
    notes = []
    data = allotrope.read(table(tmp_path, "Total,4,12"), target="price", report=notes.append)
    assert sum(map(len, data.splits.values())) == COUNT + 1
    (line,) = [note for note in notes if "Total" in note and "last row" in note]
    assert "(line 62)" in line and "Remove it if it is no example" in line


@pytest.mark.parametrize("last", ["Rom,4,12", ",4,12", f"Rom,{SIZES.sum()},{PRICES.sum()}"])
def test_other_last_rows_are_examples(tmp_path, last):
    notes = []
    data = allotrope.read(table(tmp_path, last), target="price", report=notes.append)
    assert sum(map(len, data.splits.values())) == COUNT + 1
    assert not any("last row" in note for note in notes)


def test_a_category_that_repeats_is_no_total():
    words = np.array(["total", "part"] * 5 + ["total"])
    sums = np.arange(11.0)
    sums[-1] = sums[:-1].sum()
    assert total_row({"kind": words}, {"sum": sums}) is None


def test_a_flag_that_was_set_once_before_is_no_sum():
    flags = np.zeros(30)
    flags[[3, 29]] = 1
    assert total_row({"note": np.array(["a"] * 29 + [""])}, {"flag": flags}) is None


def test_numbers_alone_are_totals_if_several_are():
    one = np.arange(1.0, 9)
    one[-1] = one[:-1].sum()
    assert total_row({}, {"a": one}) is None
    assert total_row({}, {"a": one, "b": 2 * one}).column == "a"
    assert total_row({}, {"a": one, "b": np.arange(8.0)}) is None
    assert total_row({}, {}) is None
