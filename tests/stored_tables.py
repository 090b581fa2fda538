"""Tables of numbers, categories and dates in files of each kind."""

from __future__ import annotations

import csv
import datetime
import gzip

import numpy as np

HEADER = ("id", "age", "price", "city", "joined", "code", "gap", "label")
CITIES = ("Bonn", "Köln", "São Paulo", "東京", "NA")


def people(count=300):
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
