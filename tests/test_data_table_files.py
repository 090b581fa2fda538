"""Files that are called tables: delimiters, encodings, what is above a header, and what is none."""

from __future__ import annotations

import codecs
import gzip

import pytest

import allotrope
from allotrope.errors import AllotropeError, DataError
from allotrope.verbs.answers_table import harmless

COUNT = 40
ROWS = [(f"{row * 1.5}", ("Zürich", "Genève")[row % 2]) for row in range(COUNT)]
LABELS = ["yes" if row % 3 else "no" for row in range(COUNT)]
LINES = [
    "size,city,label",
    *(",".join([*row, label]) for row, label in zip(ROWS, LABELS, strict=True)),
]
TEXT = "\n".join(LINES) + "\n"


def read(tmp_path, content, name="rows.csv", **options):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    return allotrope.read(tmp_path / name, target="label", **options)


ALIKE = {
    "a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "line ends of Windows": TEXT.replace("\n", "\r\n").encode(),
    "old line ends": TEXT.replace("\n", "\r").encode(),
    "utf-16": TEXT.encode("utf-16"),
    "latin": TEXT.encode("cp1252"),
    "semicolons": TEXT.replace(",", ";").encode(),
    "its separator in a line": ("sep=^\n" + TEXT.replace(",", "^")).encode(),
    "gzip": gzip.compress(TEXT.encode(), mtime=0),
    "empty lines": TEXT.replace("\n", "\n\n").encode(),
    "empty cells behind": TEXT.replace("\n", ",,\n").encode(),
    "quotes": "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES
    ).encode(),
}


@pytest.mark.parametrize("case", ALIKE)
def test_tables_are_read_alike_however_they_are_written(tmp_path, case):
    data = read(tmp_path, ALIKE[case])
    (table,) = data.inputs
    assert table.columns == ("size", "city")
    assert set(table.categories[1]) == {"Zürich", "Genève"}
    assert sum(map(len, data.splits.values())) == COUNT
    row = data.train.origin.index("line 4") if "line 4" in data.train.origin else None
    if row is not None and case not in ("its separator in a line", "empty lines"):
        assert data.train["table"][row, 0] == 3.0


def test_a_compressed_table_has_its_own_name(tmp_path):
    data = read(tmp_path, gzip.compress(TEXT.encode()), name="rows.csv.gz")
    assert sum(map(len, data.splits.values())) == COUNT
    with pytest.raises(DataError, match="cannot be decompressed"):
        read(tmp_path, gzip.compress(TEXT.encode())[:60], name="rows.csv.gz")


def test_two_encodings_in_one_file_are_said(tmp_path):
    lines = [line.encode() for line in LINES]
    lines[5] = LINES[5].encode("cp1252")
    data = read(tmp_path, b"\n".join(lines))
    assert set(data.inputs[0].categories[1]) == {"Zürich", "Genève"}
    assert "it is UTF-8 but for 1 line (6), read as cp1252" in str(data)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no rows"),
        (b"\n \n\n", "holds no rows"),
        (b"size,city,label\n", "holds a header and no rows"),
        (b"PK\x03\x04rest", "workbook of a spreadsheet (.xlsx) or a zip archive"),
        (b"\xd0\xcf\x11\xe0rest", "(.xls), whatever it is called. Save it"),
        (b"PAR1rest", "is a parquet file, whatever it is called"),
        (b"  <!DOCTYPE html><p>Log in", "is a web page"),
        (gzip.compress(gzip.compress(TEXT.encode(), mtime=0), mtime=0), "compressed twice"),
        (TEXT.replace("Z", "\0"), "holds zero bytes"),
        (TEXT.replace(",", "^"), "single column, in which '^' may part cells"),
        (TEXT.replace(",", " "), "in which spaces may part cells"),
        ("# made in May\n" + TEXT, "the first row has 1 cell ('# made in May')"),
        (TEXT + "1,2\n1,2,yes,4\n", "line 42 has 2, line 43 has 4"),
        (TEXT + '"1,2,yes\n', "cannot be read after line 41"),
        (TEXT.replace("city", "size"), "several columns are called 'size'"),
        (TEXT.replace("label", "lable"), "(did you mean 'lable'?). Columns: 'size' (numbers)"),
    ],
)
def test_what_is_no_table_is_named_for_what_it_is(tmp_path, content, words):
    with pytest.raises(AllotropeError) as error:
        read(tmp_path, content)
    assert words in str(error.value) and len(str(error.value)) < 600


def test_rows_of_other_lengths_are_left_out_if_asked_for(tmp_path):
    data = read(tmp_path, TEXT + "1,2\n1,2,yes,4\n", skip_bad_rows=True)
    assert sum(map(len, data.splits.values())) == COUNT
    assert "2 rows left out, as was asked for: rows differ in length" in str(data)
    with pytest.raises(DataError, match="Remove what stands above the header"):
        read(tmp_path, "Sales\n" + TEXT, skip_bad_rows=True)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (lambda row: f"2026-01-{row % 28 + 1:02}", "holds dates, which are no classes"),
        (lambda row: f"id-{row}", "another text in nearly every row ('id-0'"),
    ],
)
def test_targets_that_are_no_classes_are_refused(tmp_path, labels, words):
    lines = ["a,label", *(f"{row}.5,{labels(row)}" for row in range(COUNT))]
    with pytest.raises(DataError) as error:
        read(tmp_path, "\n".join(lines))
    assert words in str(error.value) and "--task label=classification" in str(error.value)


def test_classes_that_differ_in_case_are_said(tmp_path):
    lines = ["a,label", *(f"{row}.5,{('yes', 'no', 'Yes')[row % 3]}" for row in range(COUNT))]
    assert "'Yes' and 'yes' differ only in case" in str(read(tmp_path, "\n".join(lines)))


def test_cells_of_answers_are_no_formulas():
    for cell in ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1"):
        assert harmless(cell) == f"'{cell}"
    for cell in ("-2", "+1.5e3", "-", "a=b", "", "-.5"):
        assert harmless(cell) == cell
    assert harmless(-0.25) == "-0.25"
