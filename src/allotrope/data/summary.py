"""What was found in the data: readable lines before the training, and `summary` of run.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allotrope.data.duplicates import Duplicates
from allotrope.data.examples import IMAGE, SPLITS, Data
from allotrope.data.reading import PicturesFound, Reading, noun
from allotrope.tasks import Classification, Task
from allotrope.wording import agreeing, counted, plural

FILES_SHOWN = 10
MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "I;16": "grey of 16 bits",
    "I;16B": "grey of 16 bits",
    "I": "grey of up to 32 bits",
    "F": "grey in fractions",
}
"""Pillow's modes in words, if they are not plain."""


def summarize(reading: Reading, duplicates: Duplicates, seconds: float) -> dict[str, Any]:
    """The `data.summary` of run.json (schema 1).

    `class_counts`, `sizes` and `modes` are of the only task and the only picture; else `labels` and
    `pictures` have such by name.
    """
    ranges = [getattr(each, "value_range", None) for each in reading.inputs]
    return {
        **_labels(reading),
        **_pictures(reading.pictures),
        "unreadable": list(reading.unreadable),
        "duplicates_across_splits": duplicates.count,
        "duplicates": [list(pair) for pair in duplicates.pairs],
        "seconds": round(seconds, 3),
        "value_range": next((value for value in ranges if value is not None), None),
        "notes": list(reading.notes),
    }


def _labels(reading: Reading) -> dict[str, Any]:
    counts = {
        task.name: {name: task.counted(reading.splits[name][task.name]) for name in SPLITS}
        for task in reading.tasks
    }
    if [task.kind for task in reading.tasks] == [Classification.kind]:
        return {"class_counts": counts[reading.tasks[0].name]}
    return {"labels": counts}


def _pictures(pictures: Mapping[str, PicturesFound]) -> dict[str, Any]:
    facts = {name: _sizes_and_modes(each) for name, each in pictures.items()}
    return next(iter(facts.values())) if len(facts) == 1 else {"pictures": facts}


def _sizes_and_modes(pictures: PicturesFound) -> dict[str, Any]:
    sizes = sorted(pictures.sizes, key=lambda size: size[0] * size[1])
    ends = {"smallest": list(sizes[0]), "largest": list(sizes[-1]), "distinct": len(sizes)}
    return {"sizes": ends, "modes": dict(pictures.modes)}


def summary_lines(data: Data) -> list[str]:
    """The summary in words."""
    counts = {name: len(split) for name, split in data.splits.items()}
    listed = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    several = len(data.inputs) > 1 or data.inputs[0].name != IMAGE
    what = f"{counted(sum(counts.values()), noun(data.inputs))}{_classes(data)}"
    lines = [f"{data.name}: {what}: {listed}"]
    for each in data.inputs:
        title = f"input '{each.name}' ({each.kind})" if several else plural(noun(data.inputs))
        sizes = _found_sizes(data.summary, each.name)
        lines.append(f"{title}: {each.described(data.train[each.name])}{sizes}")
    lines += [_task_line(data, task) for task in data.tasks]
    lines += _duplicate_lines(data)
    lines += _file_lines(data.summary["unreadable"])
    return lines + [f"note: {note}" for note in data.summary["notes"]]


def _classes(data: Data) -> str:
    if not _is_classified(data):
        return ""
    return f" in {counted(data.tasks[0].size, 'class')}"


def _is_classified(data: Data) -> bool:
    return [task.kind for task in data.tasks] == [Classification.kind]


def _task_line(data: Data, task: Task) -> str:
    described = task.described(data.train[task.name])
    if _is_classified(data):
        return f"training {plural(noun(data.inputs))} of a class: {described}"
    return f"task '{task.name}' ({task.kind}): {described}"


def _found_sizes(summary: dict[str, Any], name: str) -> str:
    facts = summary if "sizes" in summary else summary["pictures"].get(name, {})
    sizes = facts.get("sizes")
    if sizes is None or sizes["distinct"] == 1:
        return ""
    smallest, largest = ("x".join(map(str, sizes[key])) for key in ("smallest", "largest"))
    modes = modes_in_words(facts["modes"])
    return f" (found {sizes['distinct']} sizes from {smallest} to {largest}; {modes})"


def modes_in_words(modes: Mapping[str, int], number: Callable[[int], str] = "{:,}".format) -> str:
    """Pillow's modes with how many pictures have them: `all grey`; `1,200 colour, 13 grey`."""
    if len(modes) == 1:
        return f"all {MODES.get(*modes, *modes)}"
    return ", ".join(f"{number(count)} {MODES.get(mode, mode)}" for mode, count in modes.items())


def _duplicate_lines(data: Data) -> list[str]:
    count = data.summary["duplicates_across_splits"]
    if not count:
        return ["duplicates across splits: none"]
    pairs = [f"  {first} = {second}" for first, second in data.summary["duplicates"][:FILES_SHOWN]]
    more = [f"  and {count - len(pairs):,} more"] if count > len(pairs) else []
    what = "the inputs of one"
    if noun(data.inputs) == IMAGE:
        what = "the very pixels of one"
    first = (
        f"duplicates across splits: {counted(count, noun(data.inputs))} of validation or test "
        f"{agreeing(count, 'has', 'have')} {what} in another split"
    )
    return [first, *pairs, *more]


def _file_lines(unreadable: list[dict[str, str]]) -> list[str]:
    if not unreadable:
        return []
    listed = [f"  {entry['file']}: {entry['reason']}" for entry in unreadable[:FILES_SHOWN]]
    more = len(unreadable) - FILES_SHOWN
    rest = [f"  and {more:,} more"] if more > 0 else []
    return [f"files that could not be read: {len(unreadable):,}", *listed, *rest]
