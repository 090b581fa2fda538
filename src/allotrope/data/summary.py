"""What was found in the data, as readable lines before the training and as the `summary` of run.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allotrope.data.duplicates import Duplicates
from allotrope.data.images import SPLITS, Reading

CLASSES_SHOWN = 20
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
"""Pillow's modes in words, where they are not plain."""


def summarize(reading: Reading, duplicates: Duplicates, seconds: float) -> dict[str, Any]:
    """The `data.summary` of run.json (schema 1)."""
    counts = {name: [int(n) for n in reading.splits[name].counts(len(reading.classes))] for name in SPLITS}
    sizes = sorted(reading.sizes, key=lambda size: size[0] * size[1])
    return {
        "class_counts": {name: dict(zip(reading.classes, counts[name], strict=True)) for name in SPLITS},
        "sizes": {"smallest": list(sizes[0]), "largest": list(sizes[-1]), "distinct": len(sizes)},
        "modes": dict(reading.modes),
        "unreadable": list(reading.unreadable),
        "duplicates_across_splits": duplicates.count,
        "duplicates": [list(pair) for pair in duplicates.pairs],
        "seconds": round(seconds, 3),
        "value_range": reading.value_range,
        "notes": list(reading.notes),
    }


def summary_lines(name: str, image: tuple[int, int, int], summary: dict[str, Any]) -> list[str]:
    """The summary in words; `image` is (channels, height, width) as the network sees it."""
    counts = summary["class_counts"]
    totals = {split: sum(counts[split].values()) for split in SPLITS}
    channels, height, width = image
    lines = [
        f"{name}: {sum(totals.values()):,} images in {len(counts['train'])} classes: "
        + ", ".join(f"{total:,} {split}" for split, total in totals.items()),
        f"images: {height}x{width}, {'grey' if channels == 1 else 'colour'}{_found_sizes(summary)}",
        _balance(counts["train"]),
    ]
    lines += _duplicate_lines(summary)
    lines += _file_lines(summary["unreadable"])
    return lines + [f"note: {note}" for note in summary["notes"]]


def _found_sizes(summary: dict[str, Any]) -> str:
    sizes = summary["sizes"]
    if sizes["distinct"] == 1:
        return ""
    smallest, largest = ("x".join(map(str, sizes[key])) for key in ("smallest", "largest"))
    return f" (found {sizes['distinct']} sizes from {smallest} to {largest}; {modes_in_words(summary['modes'])})"


def modes_in_words(modes: Mapping[str, int], number: Callable[[int], str] = "{:,}".format) -> str:
    """Pillow's modes with how many pictures have them: `all grey`; `1,200 colour, 13 grey`."""
    if len(modes) == 1:
        return f"all {MODES.get(*modes, *modes)}"
    return ", ".join(f"{number(images)} {MODES.get(mode, mode)}" for mode, images in modes.items())


def _balance(counts: dict[str, int]) -> str:
    least, most = min(counts.values()), max(counts.values())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:CLASSES_SHOWN])
    more = f" and {len(ordered) - CLASSES_SHOWN} more" if len(ordered) > CLASSES_SHOWN else ""
    return f"training images of a class: {least:,} to {most:,} ({shown}{more})"


def _duplicate_lines(summary: dict[str, Any]) -> list[str]:
    count = summary["duplicates_across_splits"]
    if not count:
        return ["duplicates across splits: none"]
    pairs = [f"  {first} = {second}" for first, second in summary["duplicates"][:FILES_SHOWN]]
    more = [f"  and {count - len(pairs):,} more"] if count > len(pairs) else []
    return [f"duplicates across splits: {count:,} images of validation or test have the very pixels of one in another split", *pairs, *more]


def _file_lines(unreadable: list[dict[str, str]]) -> list[str]:
    if not unreadable:
        return []
    listed = [f"  {entry['file']}: {entry['reason']}" for entry in unreadable[:FILES_SHOWN]]
    more = [f"  and {len(unreadable) - FILES_SHOWN:,} more"] if len(unreadable) > FILES_SHOWN else []
    return [f"files that could not be read: {len(unreadable):,}", *listed, *more]
