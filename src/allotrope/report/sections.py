"""What the other sections of the report show, as plain rows for the templates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.data.summary import modes_in_words
from allotrope.report.formatting import (
    count,
    duration,
    runtime_name,
    short_count,
    significant,
    size,
    stated,
    words,
)
from allotrope.report.judged import IMAGE, judged
from allotrope.report.record import Record
from allotrope.run_words import SPEED, inside
from allotrope.wording import counted

SPLITS = ("train", "validation", "test")
SAID_ELSEWHERE = ("step", "validation_metric")
"""Columns of the history that others say: steps go with epochs, what decides has its own name."""
NEVER_RAN = ("not tried", "not measured")
"""How the reasons of settings begin that were left out, which says nothing against them."""


@dataclass(frozen=True)
class RaceRow:
    """One setting of a race; `share` is its speed as a fraction of the fastest."""

    record: Record
    speed: float | None
    share: float

    @property
    def verdict(self) -> tuple[str, str, str]:
        """Its kind, itself, and why where that is not all said."""
        reason = self.record.text("reason")
        if self.record.flag("chosen"):
            return "good", "✓ chosen", reason * (reason != "chosen")
        if self.record.flag("agrees"):
            return "plain", "agrees", reason
        head, _, rest = reason.partition(": ")
        if head in NEVER_RAN:
            return "plain", head, rest
        return "bad", "✕ not usable", reason


@dataclass(frozen=True)
class Balance:
    """How many examples of one class each split has.

    `share` is the class's size as a fraction of the largest class.
    """

    name: str
    counts: list[float | None]
    share: float


def race_rows(run: Record) -> list[RaceRow]:
    """The settings race, fastest first."""
    records = Record(inside(run.record("settings_race").fields)).records("rows")
    speeds = [record.number("examples_per_second") for record in records]
    fastest = max((speed or 0.0 for speed in speeds), default=0.0) or 1.0
    rows = [
        RaceRow(record, speed, (speed or 0.0) / fastest)
        for record, speed in zip(records, speeds, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.share)


def class_balance(run: Record, classes: list[str]) -> list[Balance]:
    """Examples per class and split, in the order of the classes."""
    tables = [run.record("data", "summary", "class_counts", split) for split in SPLITS]
    names = classes or list(dict.fromkeys(name for table in tables for name in table.fields))
    counts = []
    if any(tables):
        counts = [[table.number(name) for table in tables] for name in names]
    largest = max((sum(value or 0.0 for value in row) for row in counts), default=0.0) or 1.0
    return [
        Balance(name, row, sum(value or 0.0 for value in row) / largest)
        for name, row in zip(names, counts, strict=False)
    ]


def data_facts(run: Record) -> list[tuple[str, str]]:
    """What the data is, in a few names and values."""
    data, sizes = run.record("data"), run.record("data", "summary", "sizes")
    facts = [
        ("source", data.text("source")),
        ("classes", stated(count, len(data.items("classes")) or None)),
    ]
    nouns = judged(run)[0].nouns
    facts += [(f"{split} {nouns}", stated(count, data.number(split))) for split in SPLITS]
    if data.items("image"):
        lengths = " × ".join(data.texts("image"))
        facts.append(("network sees", f"{lengths} (channels × height × width)"))
    smallest, largest = (" × ".join(sizes.texts(name)) for name in ("smallest", "largest"))
    if smallest != largest:
        distinct = sizes.text("distinct")
        facts.append(("size of the pictures", f"{smallest} to {largest}, {distinct} sizes"))
    elif smallest:
        facts.append(("size of the pictures", f"all {smallest}"))
    modes = run.record("data", "summary", "modes")
    counted = {mode: int(modes.number(mode) or 0) for mode in modes.fields}
    facts.append(("colours", modes_in_words(counted, count)))
    duplicates = run.number("data", "summary", "duplicates_across_splits")
    facts.append(("duplicates across the split", stated(count, duplicates)))
    seconds = run.number("data", "summary", "seconds")
    facts.append(("read in", stated(duration, seconds)))
    return [(name, value) for name, value in facts if value]


def training_facts(run: Record) -> list[tuple[str, str]]:
    """How the training went, in a few names and values."""
    training, tasks = run.record("training"), judged(run)
    numbers: list[tuple[str, float | None, Any]] = [
        ("epochs", training.number("epochs"), words),
        ("steps", training.number("steps"), count),
        ("best epoch", training.number("best_epoch"), words),
        ("took", training.number("seconds"), duration),
        (f"{tasks[0].nouns} per second", run.number("images_per_second"), count),
    ]
    for task in tasks:
        of = f" of {task.task}" * task.beside
        numbers += [
            (f"validation {task.title}", task.value(run, "validation"), task.text),
            (f"validation loss{of}", task.account(run, "validation").number("loss"), significant),
            (f"test loss{of}", task.account(run, "test").number("loss"), significant),
        ]
    facts = [("framework", _framework(run)), ("stopped", training.text("stopped"))]
    facts += [(name, write(value)) for name, value, write in numbers if value is not None]
    return [(name, value) for name, value in facts if value]


@dataclass(frozen=True)
class HistoryColumn:
    """A column of history.csv, as a title and as its numbers are written."""

    name: str
    title: str
    write: Callable[[float | None], str]


def history_columns(run: Record, history: Sequence[Mapping[str, float]]) -> list[HistoryColumn]:
    """The columns of the history that are shown."""
    names = dict.fromkeys(name for row in history for name in row if name not in SAID_ELSEWHERE)
    metrics = {
        f"{split}_{task.column}": task.text
        for task in judged(run)
        for split in ("train", "validation")
    }
    plain = functools.partial(significant, digits=4)
    # The file says images of whatever the examples are.
    spoken = {SPEED: f"{judged(run)[0].nouns}_per_second"}
    return [
        HistoryColumn(name, spoken.get(name, name).replace("_", " "), metrics.get(name, plain))
        for name in names
    ]


def _framework(run: Record) -> str:
    """The framework, and what computes for it where that is another."""
    names = (runtime_name(run.text("framework")), runtime_name(run.text("engine")))
    return " on ".join(name for name in names if name)


def network_facts(run: Record) -> list[tuple[str, str]]:
    """The network's name, arguments and cost."""
    details = run.record("network_details")
    costs = (
        ("weights", details.number("weights")),
        ("multiply-adds", details.number("multiply_adds")),
    )
    facts = [("name", run.text("network"))] + [
        (name, short_count(number)) for name, number in costs if number is not None
    ]
    return [(name, value) for name, value in facts if value] + options(details.record("arguments"))


_IN_WORDS = {("threads", "none"): "all cores"}
"""Values that mean more than they say."""


def settings_facts(run: Record) -> list[tuple[str, str]]:
    """The settings that were used."""
    facts = options(run.record("settings"))
    return [(name, _IN_WORDS.get((name, value), value)) for name, value in facts]


def options(record: Record) -> list[tuple[str, str]]:
    """The fields of a recipe, of settings or of a network's arguments as names and text."""
    return [(name.replace("_", " "), words(value)) for name, value in record.fields.items()]


def environment(run: Record) -> list[tuple[str, list[tuple[str, str]]]]:
    """Machine, versions and the rest, each a title with its facts."""
    facts, rest = [], {}
    for name, value in run.record("environment").fields.items():
        if isinstance(value, dict):
            memory = run.number("environment", name, "memory")
            if memory is not None and memory > 1e6:
                value = {**value, "memory": size(memory)}
            facts.append((name.replace("_", " ").capitalize(), options(Record(value))))
        else:
            rest[name] = value
    if rest:
        facts.append(("Platform", options(Record(rest))))
    return facts


def measurement_note(run: Record) -> str:
    """How the candidates were measured, as a sentence; empty where run.json does not say."""
    measurement = run.record("measurement")
    units = {"threads": "thread", "rounds": "interleaved round", "warmup": "warm-up run"}
    numbers = {field: measurement.number(field) for field in units}
    stated_numbers = {field: number for field, number in numbers.items() if number is not None}
    parts = ", ".join(
        counted(number, units[field], count) for field, number in stated_numbers.items()
    )
    batch = measurement.text("batch") or "64"
    if not parts:
        return ""
    return (
        f"Each candidate in a fresh process, {parts}; latency at batch 1, "
        f"throughput at batch {batch}."
    )


def race_note(run: Record) -> str:
    """Why the settings were chosen and how long the race took."""
    seconds = run.number("settings_race", "seconds")
    reason = run.text("settings_race", "reason").rstrip(".")
    took = ""
    if seconds is not None:
        took = f"The race took {duration(seconds)}"
    return "".join(f"{part}. " for part in (reason, took) if part).rstrip()


@dataclass(frozen=True)
class Usage:
    """What the delivered program takes, and the packages that it needs beside its runtime."""

    argument: str
    packages: str


def usage(run: Record) -> Usage:
    """Pictures and volumes alone are named one by one, anything else by the rows of a table."""
    kinds = [each.text("kind") for each in run.records("data", "inputs")] or [IMAGE]
    argument, packages = "ROWS.csv", "NumPy"
    if kinds == [IMAGE]:
        argument = "IMAGE"
    if IMAGE in kinds:
        packages = "NumPy, Pillow"
    if kinds == ["volume"]:
        argument, packages = "VOLUME", "NumPy, nibabel or pydicom"
    return Usage(argument, packages)


def repeat_note(run: Record) -> str:
    """How alike a repetition will be, which differs if the clock ended the training."""
    if run.text("kind") != "compare" and run.number("recipe", "budget") is not None:
        alike = (
            "A training that the clock ends is not repeated to the bit; "
            "with --epochs instead of --budget it is"
        )
    else:
        alike = (
            "The same versions on the same hardware give the same network, "
            "with --threads 1 to the bit"
        )
    return f"{alike}; latencies are this machine's."
