"""What cells of a table say: numbers as people write them, codes, what is missing, bad rows."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.delivery.table_rows import read_column
from allotrope.errors import DataError, UsageError
from allotrope.inputs.table.cell_numbers import NumberForm

COUNT = 40


def table(tmp_path, cells, *, separator=",", target=None, more=None):
    """A table with the column `size`, of which a row has `cells(row)`, and a label."""
    columns = {"size": [cells(row) for row in range(COUNT)], **(more or {})}
    columns["label"] = target or ["yes" if row % 3 else "no" for row in range(COUNT)]
    lines = [separator.join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(separator.join(f'"{cell}"' for cell in row))
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sizes(data):
    """The column `size` in the order of the file."""
    (each,) = data.inputs
    place = each.columns.index("size")
    by_line = {}
    for split in data.splits.values():
        for row, origin in enumerate(split.origin):
            by_line[int(origin.rpartition(" ")[2])] = split[each.name][row, place]
    return [by_line[line] for line in sorted(by_line)]


VALUES = np.arange(COUNT) * 1234.5 + 100
NUMBERS = {
    "1,234.5": lambda row: f"{VALUES[row]:,.2f}",
    "1.234,5": lambda row: f"{VALUES[row]:,.2f}".translate(str.maketrans(",.", ".,")),
    "1234,5": lambda row: f"{VALUES[row]:.2f}".replace(".", ","),
    "1'234.5": lambda row: f"{VALUES[row]:,.1f}".replace(",", "'"),
    "1\u00a0234,5": lambda row: f"{VALUES[row]:,.1f}".translate(str.maketrans(",.", "\u00a0,")),
    "$1,234.5": lambda row: f"${VALUES[row]:,.1f}",
    "1234.5 €": lambda row: f"{VALUES[row]:.1f} €",
    "1234.5%": lambda row: f"{VALUES[row]:.1f}%",
    "1234.5 month": lambda row: f"{VALUES[row]:.1f} months",
    "": lambda row: f"{VALUES[row]:.1f}".replace("-", "\u2212"),
}


@pytest.mark.parametrize("sample", NUMBERS)
@pytest.mark.parametrize("separator", [",", ";"])
def test_numbers_are_read_as_people_write_them(tmp_path, sample, separator):
    data = allotrope.read(table(tmp_path, NUMBERS[sample], separator=separator), target="label")
    np.testing.assert_allclose(sizes(data), VALUES, rtol=1e-6)
    (facts,) = [each.facts() for each in data.inputs]
    assert facts.get("written", ("",)) == (sample,)
    assert (f"written as {sample}, and read so" in str(data)) == bool(sample)
    # What is delivered reads the same cells, with or without the unit, and says what it expects.
    cells = [NUMBERS[sample](row) for row in range(COUNT)]
    read = list(read_column(facts, 0, cells, comma=False))
    np.testing.assert_allclose([value for value, _ in read], VALUES)
    ((_, problem),) = read_column(facts, 0, ["12 3 x"], comma=False)
    assert f"expected a number{f' written as {sample}' if sample else ''}" in problem


def test_a_quantity_has_the_unit_of_its_cells(tmp_path):
    price = [f"{value:,.2f} €" for value in VALUES]
    data = allotrope.read(table(tmp_path, lambda row: f"{row}.5", target=price), target="label")
    (task,) = data.tasks
    assert (task.kind, task.unit) == ("regression", "€")


AMBIGUOUS = {
    "thousands with commas": (lambda row: f"{1100 + 37 * row:,}", ","),
    "thousands with points": (lambda row: f"{1100 + 37 * row:,}".replace(",", "."), ";"),
    "money": (lambda row: f"${1100 + 37 * row:,}", ","),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_may_be_thousands_or_decimals_is_not_guessed(tmp_path, case):
    cells, separator = AMBIGUOUS[case]
    path = table(tmp_path, cells, separator=separator)
    with pytest.raises(DataError, match="can be read in two ways") as error:
        allotrope.read(path, target="label")
    assert "--decimal point" in str(error.value) and "--decimal comma" in str(error.value)
    read = {mark: sizes(allotrope.read(path, target="label", decimal=mark)) for mark in MARKS}
    whole, parts = read["point"], read["comma"]
    if separator == ";":
        whole, parts = parts, whole
    np.testing.assert_allclose(whole, [1100 + 37 * row for row in range(COUNT)])
    np.testing.assert_allclose(parts, np.array(whole) / 1000, rtol=1e-5)
    # Another column tells how numbers are written here, which is said.
    told = {"other": [f"{row + 0.25}" for row in range(COUNT)]}
    data = allotrope.read(table(tmp_path, cells, separator=separator, more=told), target="label")
    assert "'size' is read with decimal points, as other columns" in str(data)
    np.testing.assert_allclose(sizes(data), read["point"])


MARKS = ("point", "comma")


def test_points_of_programs_are_decimals(tmp_path):
    data = allotrope.read(table(tmp_path, lambda row: f"{row + 1}.{row:03d}"), target="label")
    assert sizes(data)[5] == np.float32(6.005)
    with pytest.raises(UsageError, match="unknown mark of decimals 'dot'"):
        allotrope.read(table(tmp_path, str), target="label", decimal="dot")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (lambda row: f"{row}.5%" if row % 2 else f"{row}.5", "20 with '%'"),
        (lambda row: f"${row}.5" if row % 2 else f"€{row}.5", "20 with '$'"),
        (lambda row: f"{row}.5 kg" if row % 2 else f"{row} g", "20 with 'kg'"),
    ],
)
def test_different_units_are_no_quantity(tmp_path, cells, words):
    path = table(tmp_path, cells)
    with pytest.raises(DataError, match="numbers of different units") as error:
        allotrope.read(path, target="label")
    assert words in str(error.value) and "--input size=none" in str(error.value)


@pytest.mark.parametrize("names", [("320i", "330d", "M3"), ("3G", "4G", "LTE"), ("1st", "2nd")])
def test_names_with_digits_are_categories(tmp_path, names):
    data = allotrope.read(table(tmp_path, lambda row: names[row % len(names)]), target="label")
    (each,) = data.inputs
    assert set(each.categories[0]) == set(names)


def test_digits_that_begin_with_zeros_are_codes(tmp_path):
    path = table(tmp_path, lambda row: f"{(row % 7) * 1500:05}")
    data = allotrope.read(path, target="label")
    assert "00000" in data.inputs[0].categories[0]
    assert "'size' holds digits that begin with zeros" in str(data)
    asked = allotrope.read(path, target="label", input="size=number")
    assert asked.inputs[0].categories == () and sizes(asked)[1] == 1500


def test_what_is_missing_is_spelled_in_many_ways(tmp_path):
    words = ("NA", "-", "?", "null", "None", "n/a", "n.a.", "--", "#DIV/0!", "", "NaN", "missing")
    path = table(tmp_path, lambda row: words[row % 12] if row % 2 else f"{row}.5")
    assert np.count_nonzero(np.isnan(sizes(allotrope.read(path, target="label")))) == COUNT / 2
    more = {"other": [str(row + 0.5) for row in range(COUNT)]}
    data = allotrope.read(table(tmp_path, lambda row: words[row % 12], more=more), target="label")
    assert "'size' is left out: it holds nothing in any row" in str(data)
    dates = table(tmp_path, lambda row: "-" if row % 5 == 0 else f"2026-01-{row % 28 + 1:02}")
    assert np.count_nonzero(np.isnan(sizes(allotrope.read(dates, target="label")))) == COUNT / 5


def spoilt(tmp_path):
    """A table with rows of every kind that cannot be read, and how many they are."""
    sizes = [str(row + 0.5) for row in range(COUNT)]
    sizes[3], sizes[4], sizes[5] = "tall", "inf", "9" * 1_000_000
    days = [f"2026-01-{row % 28 + 1:02}" for row in range(COUNT)]
    days[6] = "2026-02-30"
    labels = ["yes" if row % 3 else "no" for row in range(COUNT)]
    labels[7] = ""
    return table(tmp_path, sizes.__getitem__, target=labels, more={"day": days}), 4


def test_bad_rows_are_named_in_one_message(tmp_path):
    path, _ = spoilt(tmp_path)
    with pytest.raises(DataError) as error:
        allotrope.read(path, target="label")
    message = str(error.value)
    for words in (
        "'size' holds numbers, but texts in some rows: 'tall' (line 5)",
        "infinite numbers, or too large ones: 'inf' (line 6), '9999",
        "'day' holds dates, but no date of their form in some rows: '2026-02-30' (line 8)",
        "--input size=categorical or size=none",
        "--skip-bad-rows",
    ):
        assert words in message
    assert len(message) < 1000


def test_bad_rows_are_left_out_if_asked_for(tmp_path):
    path, bad = spoilt(tmp_path)
    data = allotrope.read(path, target="label", skip_bad_rows=True)
    assert sum(map(len, data.splits.values())) == COUNT - bad
    assert f"{bad} rows of {COUNT} left out, as was asked for" in str(data)
    assert "1 example without a label is set apart" in str(data)
    assert "'size' holds numbers, but texts in some rows: 'tall' (line 5)" in str(data)
    whole = table(tmp_path, lambda row: f"{row}.5")
    clean = allotrope.read(whole, target="label", skip_bad_rows=True)
    assert sum(map(len, clean.splits.values())) == COUNT and "left out, as" not in str(clean)
    with pytest.raises(DataError, match="no row of train can be learned from"):
        nothing = table(tmp_path, lambda row: "inf" if row % 2 else "-inf")
        allotrope.read(nothing, target="label", input="size=number", skip_bad_rows=True)


def test_a_form_is_its_sample():
    for sample in (*NUMBERS, "CHF 1'234.5", "1 234,5 kg"):
        assert NumberForm.of(sample).sample == sample
    form = NumberForm.of("€ 1.234,5")
    cells = {"€ 1.234,5": 1234.5, "-€ 7": -7, "€-7": -7, "12,25": 12.25, "1.000.000": 1e6}
    assert {cell: form.number(cell) for cell in cells} == cells
    for cell in ("1.23", "1,2,3", "0.123", "€", "$5", "", "1.2345", "١٢"):
        with pytest.raises(ValueError, match="no number"):
            form.number(cell)
