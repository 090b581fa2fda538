"""What a value of a parquet file or a JSON object is as a cell."""

from __future__ import annotations

import datetime
import decimal

import pytest

from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.object_rows import MOST_CELLS, PlainNumber, cell_of, check_size
from allotrope.delivery.table_rows import read_column


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (float("nan"), ""),
        (True, "True"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (1e20, "100000000000000000000"),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime.date(2025, 12, 3), "2025-12-03"),
        (datetime.datetime(2025, 12, 3, 6, 5), "2025-12-03T06:05:00"),
        (datetime.timedelta(hours=36), "1.5"),
        (datetime.time(6, 30), "6.5"),
        (" Rom ", "Rom"),
    ],
)
def test_values_are_cells(value, cell):
    assert cell_of(value) == cell


def test_truth_values_are_numbers_if_they_are_counted():
    assert [cell_of(value, True) for value in (True, False, None)] == ["1", "0", ""]


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x"])
def test_what_is_no_cell_is_named(value):
    with pytest.raises(TypeError, match=f"holds {type(value).__name__}"):
        cell_of(value)


def test_numbers_are_plain_whatever_the_texts_of_training_were():
    facts = {"written": ["1.234,5 €"], "missing": [0]}
    column = [PlainNumber(1234.5), "1.234,5 €", "1.234,5"]
    assert [value for value, _ in read_column(facts, 0, column, False)] == [1234.5] * 3


def test_a_small_file_of_very_many_rows_is_refused():
    class Metadata:
        num_row_groups, num_rows = 0, MOST_CELLS

    check_size("a.parquet", Metadata, 1)
    with pytest.raises(ArgumentError, match=r"a.parquet: holds 50,000,000 rows .* Split it"):
        check_size("a.parquet", Metadata, 2)
