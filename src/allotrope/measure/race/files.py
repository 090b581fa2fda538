"""What every racer is given, as files: data, recipe, and a network to begin with a seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Recipe, Repair
from allotrope.data.examples import SPLITS, Data, Examples
from allotrope.data.store.carried_columns import read_stored, write_stored
from allotrope.inputs.from_facts import input_of
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.run import plain
from allotrope.tasks import task_of

FACTS = "race.json"


def write_inputs(folder: Path, data: Data, starts: Sequence[Network], recipe: Recipe) -> None:
    """Everything that decides what the racers compute.

    `starts`: raw inputs in, raw outputs out; one a seed.
    """
    columns = [*(each.name for each in data.inputs), *(task.name for task in data.tasks)]
    for split in SPLITS:
        part = data.splits[split]
        arrays = write_stored(folder / split, {name: part[name] for name in columns})
        for name, array in arrays.items():
            path = _column(folder, split, columns.index(name))
            np.save(path, array, allow_pickle=False)
    for number, start in enumerate(starts):
        start.save(start_file(folder, number))
    facts = {
        "name": data.name,
        "columns": columns,
        "inputs": [each.facts() for each in data.inputs],
        "tasks": [task.facts() for task in data.tasks],
        "recipe": asdict(recipe),
        "trainable": [sorted(start.trainable) for start in starts],
    }
    (folder / FACTS).write_text(json.dumps(plain(facts)), encoding="utf-8")


def read_data(folder: Path) -> Data:
    """The data.

    Columns are read from the disk when they are first used, so that several racers share their
    memory; what was stored when it was decoded lies there once.
    """
    facts = _facts(folder)
    return Data(
        facts["name"],
        tuple(map(input_of, facts["inputs"])),
        tuple(map(task_of, facts["tasks"])),
        {split: _split(folder, split, facts["columns"]) for split in SPLITS},
    )


def _split(folder: Path, split: str, columns: Sequence[str]) -> Examples:
    stored = read_stored(folder / split)
    arrays = {
        name: np.asarray(np.load(_column(folder, split, number), mmap_mode="c", allow_pickle=False))
        for number, name in enumerate(columns)
        if name not in stored
    }
    return Examples({**arrays, **stored})


def _column(folder: Path, split: str, number: int) -> Path:
    """By number, because a column may be called what no file can be."""
    return folder / f"{split}-{number}.npy"


def read_recipe(folder: Path) -> Recipe:
    """The recipe, that of the first seed."""
    recorded = _facts(folder)["recipe"]
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()
    }
    return Recipe(**values)


def start_file(folder: Path, number: int) -> Path:
    """Where the network of this number lies."""
    return folder / f"start-{number}.onnx"


def read_start(folder: Path, number: int) -> Network:
    """The network before its first step, for the seed of this number."""
    repair = replace(
        Repair.none(), weights=True
    )  # as it was saved: only weights are told from constants, as always
    start = load(start_file(folder, number), repair=repair)
    return start.changed(trainable=frozenset(_facts(folder)["trainable"][number]))


def _facts(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return facts
