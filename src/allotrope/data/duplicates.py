"""Finds images that are in two splits at once: they make a result look better than it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from allotrope.data.images import SPLITS, ImageSplit

LISTED = 100


@dataclass(frozen=True)
class Duplicates:
    """How many images of a later split have the same pixels as one of an earlier split, and the first such pairs by title."""

    count: int
    relabelled: int
    pairs: tuple[tuple[str, str], ...]


def find_duplicates(splits: Mapping[str, ImageSplit]) -> Duplicates:
    """Exact duplicates across splits, by a hash of the pixels; `relabelled` counts those with different labels."""
    seen: dict[bytes, tuple[str, int]] = {}
    pairs: list[tuple[str, str]] = []
    count = relabelled = 0
    for name in SPLITS:
        split = splits[name]
        for row, image in enumerate(split.images):
            first, first_row = seen.setdefault(blake2b(image, digest_size=16).digest(), (name, row))
            if first != name:
                count += 1
                relabelled += int(splits[first].labels[first_row] != split.labels[row])
                pairs.append((splits[first].title(first_row, first), split.title(row, name)))
    return Duplicates(count, relabelled, tuple(pairs[:LISTED]))
