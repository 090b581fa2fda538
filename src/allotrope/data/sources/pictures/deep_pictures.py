"""Pictures of more than 8 bits a channel: which values are black and white in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from allotrope.data.sources.pictures.decoder import Decoder
from allotrope.errors import DataError
from allotrope.inputs.image.pictures import Header, read_values
from allotrope.inputs.image.ranges import (
    REMEDY,
    SAMPLE,
    Spread,
    ValueRange,
    check_agreement,
    spread_of,
    stretch_range,
    text_of,
)

FEWEST_OF_A_PICTURE = 16
MOST_OF_A_PICTURE = 4096


@dataclass
class _Gathered:
    """What was seen of the values of one split."""

    lowest: float = np.inf
    highest: float = -np.inf
    samples: list[np.ndarray] = field(default_factory=list)
    strange: int = 0

    def add(self, lowest: float, highest: float, sample: np.ndarray, strange: int) -> None:
        self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)
        self.samples.append(sample)
        self.strange += strange

    def spread(self) -> Spread:
        return spread_of(np.concatenate(self.samples), self.lowest, self.highest)


def find_value_range(
    decoder: Decoder,
    headers: Mapping[int, Header],
    parts: Sequence[str],
    asked: ValueRange | None,
    notes: list[str],
) -> ValueRange | None:
    """The values that are black and white in deep pictures; None if there are none.

    Judged by the training pictures, of which every value is looked at, and the same for all splits.
    Raises: DataError if pictures of another split do not lie in the training pictures' range.
    """
    deep = [row for row, header in headers.items() if header.deep]
    if not deep:
        return None
    count = f"{len(deep):,} of {len(headers):,} pictures have more than 8 bits a channel"
    if asked is not None:
        notes.append(f"{count}: their values {text_of(asked)} are black and white, as asked for")
        return asked
    gathered = _gathered(decoder, deep, parts)
    _check_depths(decoder.folder, headers, parts, gathered)
    if "train" not in gathered:
        return None
    spreads = {split: values.spread() for split, values in gathered.items()}
    chosen = stretch_range(spreads["train"])
    check_agreement(str(decoder.folder), spreads, chosen)
    train = spreads["train"]
    full = ""
    if chosen != (train.lowest, train.highest):
        full = f", of values from {train.lowest:g} to {train.highest:g}"
    notes.append(
        f"{count}: {text_of(chosen)}, the range of the training pictures{full}, is stretched to "
        f"0..255; {REMEDY}"
    )
    strange = sum(values.strange for values in gathered.values())
    if strange:
        notes.append(f"{strange:,} values of these pictures are no numbers and were made black")
    return chosen


def _gathered(decoder: Decoder, deep: Sequence[int], parts: Sequence[str]) -> dict[str, _Gathered]:
    most = min(MOST_OF_A_PICTURE, max(FEWEST_OF_A_PICTURE, SAMPLE // len(deep)))
    gathered: dict[str, _Gathered] = {}

    def look(path: Path) -> tuple[float, float, np.ndarray, int]:
        values = read_values(path).reshape(-1)
        numbers = values[np.isfinite(values)]
        if not numbers.size:
            return np.inf, -np.inf, np.empty(0), len(values)
        sample = numbers[:: max(1, numbers.size // most)].astype(np.float64)
        return float(numbers.min()), float(numbers.max()), sample, len(values) - len(numbers)

    for row, seen in decoder.each(look, deep, "looked at the values of"):
        if seen[2].size:
            gathered.setdefault(parts[row], _Gathered()).add(*seen)
    return gathered


def _check_depths(
    folder: Path,
    headers: Mapping[int, Header],
    parts: Sequence[str],
    gathered: Mapping[str, _Gathered],
) -> None:
    """Raises DataError if one of train and another split is all deep, and the other not at all."""
    depths: dict[str, set[bool]] = {}
    for row, header in headers.items():
        depths.setdefault(parts[row], set()).add(header.deep)
    train = depths.get("train", set())
    wrong = [
        split
        for split, deep in depths.items()
        if len(deep | train) == 2 and (len(deep) == 1 == len(train) or train == {False})
    ]
    if wrong:
        deep = "8 bits a channel"
        if train == {True}:
            deep = "more than 8 bits a channel"
        other = "more than 8"
        if train == {True}:
            other = "8"
        raise DataError(
            f"{folder}: the training pictures have {deep}, pictures of {', '.join(wrong)} "
            f"{other}. Store all of them alike, or {REMEDY} in those that have more than 8."
        )
