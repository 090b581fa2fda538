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
from allotrope.data.reading import labelled, labelled_data
from allotrope.network.network import Network
from allotrope.network.reading.read import load

FACTS = "race.json"


def write_inputs(folder: Path, data: Data, starts: Sequence[Network], recipe: Recipe) -> None:
    """Everything that decides what the racers compute.

    `starts`: raw pixels in, logits out; one a seed.
    """
    for name in SPLITS:
        split: Examples = data.splits[name]
        np.save(folder / f"{name}.images.npy", split.images)
        np.save(folder / f"{name}.labels.npy", split.labels)
    for number, start in enumerate(starts):
        start.save(folder / f"start-{number}.onnx")
    trainable = [sorted(start.trainable) for start in starts]
    facts = {
        "name": data.name,
        "classes": data.classes,
        "recipe": asdict(recipe),
        "trainable": trainable,
    }
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def read_data(folder: Path) -> Data:
    """The data.

    Images are read from the disk when they are first used, so that several racers share their
    memory.
    """
    facts = _facts(folder)
    train, validation, test = (_split(folder, name) for name in SPLITS)
    return labelled_data(facts["name"], tuple(facts["classes"]), train, validation, test)


def _split(folder: Path, name: str) -> Examples:
    images = np.load(folder / f"{name}.images.npy", mmap_mode="c", allow_pickle=False)
    return labelled(np.asarray(images), np.load(folder / f"{name}.labels.npy", allow_pickle=False))


def read_recipe(folder: Path) -> Recipe:
    """The recipe, that of the first seed."""
    recorded = _facts(folder)["recipe"]
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()
    }
    return Recipe(**values)


def read_start(folder: Path, number: int) -> Network:
    """The network before its first step, for the seed of this number."""
    repair = replace(
        Repair.none(), weights=True
    )  # as it was saved: only weights are told from constants, as always
    start = load(folder / f"start-{number}.onnx", repair=repair)
    return start.changed(trainable=frozenset(_facts(folder)["trainable"][number]))


def _facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return found
