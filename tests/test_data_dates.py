"""Dates as whole numbers, times since 1970 and time zones: said, asked for, or refused by name."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

import allotrope
from allotrope.delivery.column_arrays import numbers_of
from allotrope.delivery.table_rows import read_column
from allotrope.errors import DataError, UsageError

COUNT = 120
DAYS = [date(2025, 1, 1) + timedelta(days=3 * row) for row in range(COUNT)]
COMPACT = [f"{day:%Y%m%d}" for day in DAYS]


def read(tmp_path, cells, notes=None, **options):
    """The reading of a table of these cells, a number and a label."""
    rows = [f"{cell},{row % 7},{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["day,size,label", *rows]) + "\n")
    said = [] if notes is None else notes
    return allotrope.read(tmp_path / "t.csv", target="label", report=said.append, **options)


def column(data, name="day"):
    """All values of a column in the order of the rows."""
    (table,) = data.inputs
    place = table.columns.index(name)
    parts = [(split["table"][:, place], split.origin) for split in data.splits.values()]
    rows = [
        (int(title.split()[-1]), value)
        for values, origin in parts
        for value, title in zip(values.tolist(), origin, strict=True)
    ]
    return np.array([value for _, value in sorted(rows)])


def since_1970(days):
    return np.array([(day - date(1970, 1, 1)).days for day in days], np.float32)


def test_whole_numbers_that_are_all_dates_are_dates(tmp_path):
    notes = []
    data = read(tmp_path, COMPACT, notes)
    np.testing.assert_array_equal(column(data), since_1970(DAYS))
    (line,) = [note for note in notes if "'day' is an input" in note]
    assert "(date): its whole numbers are all dates, such as 20250101, from 2025-01-01 to" in line
    assert "--input day=number takes them as numbers" in line
    numbers = read(tmp_path, COMPACT, input={"day": "number"})
    assert column(numbers)[0] == np.float32(20250101) and not numbers.inputs[0].dates


def test_missing_dates_are_missing(tmp_path):
    values = column(read(tmp_path, ["?", *COMPACT[1:]]))
    assert np.isnan(values[0]) and values[1] == since_1970(DAYS)[1]


def test_days_one_after_another_are_no_ids(tmp_path):
    january = [f"202501{row % 31 + 1:02}" for row in range(31)]
    notes = []
    read(tmp_path, january, notes)
    assert any("'day' is an input (date)" in note for note in notes)


@pytest.mark.parametrize("cell", ["20250230", "18991231", "21000101", "2025011", "202501011"])
def test_one_number_that_is_no_date_makes_all_numbers(tmp_path, cell):
    data = read(tmp_path, [cell, *COMPACT[1:]])
    assert not data.inputs[0].dates
    with pytest.raises(UsageError, match="--input day=date: it holds numbers"):
        read(tmp_path, [cell, *COMPACT[1:]], input={"day": "date"})


def test_arrays_of_whole_numbers_are_dates_unless_they_may_be_rounded():
    columns = {
        "day": np.array(COMPACT, np.int64),
        "size": np.arange(COUNT) % 7.0,
        "label": np.array(["a", "b"] * (COUNT // 2)),
    }
    (table,) = allotrope.read(columns, target="label").inputs
    assert dict(zip(table.columns, table.dates, strict=True))["day"] == "%Y%m%d"
    (rounded,) = allotrope.read(
        columns | {"day": columns["day"].astype("f4")}, target="label"
    ).inputs
    assert not rounded.dates


def test_delivered_reading_takes_texts_and_numbers_alike():
    facts = {"columns": ["day"], "dates": ["%Y%m%d"], "missing": [0]}
    expected = since_1970([date(2026, 11, 26)])[0]
    for cells in ([20261126], [20261126.0], ["20261126"]):
        assert numbers_of(facts, 0, np.array(cells))[0] == expected
    read_cells = list(read_column(facts, 0, ["20261126", "", "20261326"], False))
    assert read_cells[0] == (expected, "") and np.isnan(read_cells[1][0])
    assert "is '20261326', expected a date written as %Y%m%d" in read_cells[2][1]


@pytest.mark.parametrize(("kind", "factor"), [("epoch-seconds", 1), ("epoch-milliseconds", 1000)])
def test_times_since_1970_are_asked_for_and_never_guessed(tmp_path, kind, factor):
    cells = [1_700_000_000 * factor + 86_400 * factor * row for row in range(COUNT)]
    notes = []
    data = read(tmp_path, cells, notes)
    assert not data.inputs[0].dates
    (line,) = [note for note in notes if "'day' is an input" in note]
    assert "which may be times from 2023-11-14 to 2024-03-12" in line
    assert f"--input day={kind} takes them as dates" in line
    asked = read(tmp_path, cells, input={"day": kind})
    assert asked.inputs[0].dates[0] == kind
    np.testing.assert_allclose(column(asked)[:3], 19675.9259 + np.arange(3), atol=2e-3)
    facts = asked.inputs[0].facts()
    assert numbers_of(facts, 0, np.array(cells[:1])) == pytest.approx(19675.92593)
    assert next(read_column(facts, 0, [str(cells[0])], False))[0] == pytest.approx(19675.92593)


def test_texts_among_times_since_1970_are_named(tmp_path):
    cells = [1_700_000_000 + row for row in range(COUNT)]
    cells[5] = "soon"
    with pytest.raises(DataError, match=r"'day' holds numbers, but texts in some rows: 'soon'"):
        read(tmp_path, cells, input={"day": "epoch-seconds"})


def test_zones_and_none_are_not_mixed_silently(tmp_path):
    cells = [f"{day}T06:00:00" for day in DAYS]
    mixed = [f"{cell}+02:00" if row < 30 else cell for row, cell in enumerate(cells)]
    with pytest.raises(DataError) as refused:
        read(tmp_path, mixed)
    message = str(refused.value)
    assert "of the dates of 'day' 30 have a time zone ('2025-01-01T06:00:00+02:00')" in message
    assert "90 have none ('2025-04-01T06:00:00')" in message
    assert "--input day=date to take those without as UTC" in message
    values = column(read(tmp_path, mixed, input={"day": "date"}))
    np.testing.assert_allclose(values[[0, 40]] % 1, [4 / 24, 6 / 24], atol=1e-3)


def test_zones_that_all_have_are_said(tmp_path):
    notes = []
    cells = [f"{day}T06:00:00{'Z' if row % 2 else '+02:00'}" for row, day in enumerate(DAYS)]
    values = column(read(tmp_path, cells, notes))
    np.testing.assert_allclose(values[:2] % 1, [4 / 24, 6 / 24], atol=1e-3)
    assert any("dates with time zones, which are brought to UTC" in note for note in notes)
