"""A table of numbers, categories and dates of any size, and a network for its rows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from allotrope.data.examples import Data
from allotrope.inputs.table.table import Table
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.network.rewriting.named_after import named_after

NUMBERS, AT_ONCE, HIDDEN = 12, 10_000, 64
CITIES = ("Bern", "Lima", "Oslo", "Rome", "São Paulo")
FIRST, DAYS = date(2024, 1, 1), 700


def make_table(path: Path, size: int) -> int:
    """Rows until the file has `size` bytes; how many there are. A file that is there stays."""
    if path.exists():
        with path.open("rb") as file:
            return sum(1 for _ in file) - 1
    rng, rows = np.random.default_rng(0), 0
    names = [f"n{place}" for place in range(NUMBERS)]
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{','.join(names)},city,joined,label\n")
        while file.tell() < size:
            file.writelines(some_rows(rng))
            rows += AT_ONCE
    return rows


def some_rows(rng: np.random.Generator) -> list[str]:
    """Lines whose label is told by two numbers and the city, a few numbers missing."""
    x = rng.standard_normal((AT_ONCE, NUMBERS))
    cities = rng.integers(0, len(CITIES), AT_ONCE)
    days = rng.integers(0, DAYS, AT_ONCE)
    labels = x[:, 0] + x[:, 1] * (cities - 2) > 0
    gaps = rng.random(x.shape) < 0.01
    lines = []
    for row in range(AT_ONCE):
        cells = [
            "" if gap else f"{value:.6g}" for value, gap in zip(x[row], gaps[row], strict=True)
        ]
        day = FIRST + timedelta(days=int(days[row]))
        label = ("no", "yes")[int(labels[row])]
        lines.append(f"{','.join(cells)},{CITIES[cities[row]]},{day},{label}\n")
    return lines


def network_for_rows(data: Data) -> Network:
    """Two dense layers over the features of a row."""
    (table,), (task,) = data.inputs, data.tasks
    assert isinstance(table, Table)
    rng, build = np.random.default_rng(0), Builder("dense")
    x, width = build.input("x", np.float32, ("n", table.features)), table.features
    for name, size in (("hidden", HIDDEN), ("head", task.size)):
        drawn = rng.normal(scale=width**-0.5, size=(size, width)).astype(np.float32)
        weight = build.weight(f"{name}.weight", drawn)
        bias = build.weight(f"{name}.bias", np.zeros(size, np.float32))
        x, width = build.add("Gemm", [x, weight, bias], {"transB": 1}), size
        if name == "hidden":
            x = build.add("Relu", [x])
    build.output(x, "y")
    return table.prepare(named_after(build.network(), [table.name], [task.name]))
