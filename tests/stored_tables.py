"""Tables of numbers, categories and dates in files of each kind."""

from __future__ import annotations

import csv
import datetime
import gzip
import json

import numpy as np

import allotrope
from stored_pictures import TINY, hash_of_batches

LIMIT = "ALLOTROPE_DATA_LIMIT"
HEADER = ("id", "age", "price", "city", "joined", "code", "gap", "label")
CITIES = ("Bonn", "Köln", "São Paulo", "東京", "NA")


def people(count=150):
    """Rows of texts: ids, whole numbers, prices, cities, dates, codes, numbers that may lack."""
    rng = np.random.default_rng(0)
    first = datetime.date(2020, 1, 1)
    rows = []
    for number in range(count):
        age, chance = int(rng.integers(18, 90)), float(rng.random())
        rows.append(
            (
                str(number),
                str(age),
                f"${1000 * chance + age:,.2f}",
                CITIES[int(rng.integers(len(CITIES)))],
                str(first + datetime.timedelta(days=int(rng.integers(2000)))),
                f"{int(rng.integers(1000)):05}",
                "" if chance < 0.2 else f"{chance:.4g}",
                ("no", "yes")[age > 50],
            )
        )
    return rows


def table_file(folder, rows, name="people.csv", header=HEADER, separator=","):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header, *rows] if header else rows)
    return folder / name


def zipped(path):
    """The same file, compressed."""
    (path.parent / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return path.parent / f"{path.name}.gz"


def typed(rows):
    """The columns of people in types of their own, as a parquet file has them."""
    columns = dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))
    days = [datetime.date.fromisoformat(day) for day in columns["joined"]]
    gaps = [float(cell) if cell else None for cell in columns["gap"]]
    return {
        **columns,
        "id": list(map(int, columns["id"])),
        "age": list(map(int, columns["age"])),
        "price": [float(cell[1:].replace(",", "")) for cell in columns["price"]],
        "joined": days,
        "gap": gaps,
    }


def parquet_file(folder, columns, name="people.parquet", group=70):
    """A file of several row groups."""
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), folder / name, row_group_size=group)
    return folder / name


def held_and_stored(source, monkeypatch, **options):
    held = allotrope.read(source, cache_size=0, **options)
    monkeypatch.setenv(LIMIT, TINY)
    return held, allotrope.read(source, **options)


def check_same(held, stored):
    """Whether two readings are the same in everything that a training is given, or a user told."""
    assert held.inputs == stored.inputs and held.tasks == stored.tasks
    assert held.lines == stored.lines
    for name, split in held.splits.items():
        other = stored.splits[name]
        assert split.columns.keys() == other.columns.keys()
        for column, array in split.columns.items():
            taken = other[column][:]
            assert array.dtype == taken.dtype
            assert array.tobytes() == taken.tobytes(), column
        titles = [[part.title(row, name) for row in range(len(part))] for part in (split, other)]
        assert titles[0] == titles[1]
    assert hash_of_batches(held) == hash_of_batches(stored)


def objects_file(folder, columns, name="people.jsonl"):
    """An object a line of columns by name; days are texts there."""
    names, rows = list(columns), zip(*columns.values(), strict=True)
    lines = [json.dumps(dict(zip(names, row, strict=True)), default=str) for row in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


CELLS = (
    ("1", "2", "3"), ("1.5", "2", "x"), ("", "7", "8"), ("1e400", "2"), ("1,234", "5,678"),
    ("1.234", "5.678"), ("$3", "$4.50"), ("3 kg", "4 lb"), ("007", "008", "123"), ("#DIV/0!", "3"),
    ("2026-01-02", "2025-03-04"), ("01/02/2026", "13/02/2026"), ("01/02/2026",), ("inf", "1"),
    ("2026-01-02T03:04:05Z", "2026-01-02"), ("true", "false"), ("yes", "no", "?"), ("12 %", "7 %"),
    ("nan", "NA", "1"), ("a b c d e f g h i j k l", "z y x w v u t s r q p o n m"), ("Total", "a"),
    ("20260101", "20250202"), ("1700000000", "1600000000"), ("é", "日本"), (" spaced ", "x"),
    ('with "quotes"', "and, commas"), ("line\nbreak", "x"), ("a" * 1100, "b"), ("-5", "\u22127"),
    ("3G", "4G", "LTE"), ("train", "test"),
)  # fmt: skip
"""What cells of a column may say."""


def random_table(folder, seed, count=60):
    """A table of a few columns of any kinds, of which some hold a cell of another, and a label."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(1, 5))
    columns = []
    for _ in range(width):
        cells = CELLS[rng.integers(len(CELLS))]
        column = [cells[place] for place in rng.integers(len(cells), size=count)]
        if rng.random() < 0.3:
            column[rng.integers(count)] = CELLS[rng.integers(len(CELLS))][0]
        columns.append(column)
    header = [f"n{place}" for place in range(width)]
    if rng.random() < 0.2:
        header[0] = "split"
    labels = list(rng.choice(list("ab"), count))
    separator = ",;"[rng.integers(2)]
    rows = list(zip(*columns, labels, strict=True))
    return table_file(folder, rows, "any.csv", [*header, "label"], separator)
