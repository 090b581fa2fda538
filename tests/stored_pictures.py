"""Small folders of pictures, and a store for them in a folder of the test's own."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
from PIL import Image

from allotrope.config import Recipe
from allotrope.data import Batches

TINY = "1KB"
"""More than so much is read from disk, if ALLOTROPE_DATA_LIMIT says so."""


def pets(root, names=("cat", "dog"), count=12, side=8, split=""):
    """A folder of pictures a class; the pixels of each are told by its class and number."""
    for name in names:
        folder = root / split / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed = zlib.crc32(f"{split}{name}{number}".encode())
            pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return root


def hash_of_batches(data, epochs=2, **options):
    """A hash over every byte that a training is given."""
    options = {"batch_size": 4, "augmentation": "medium", "mixup": 0.2, **options}
    batches = Batches(data, Recipe(**options))
    state = hashlib.blake2b()
    for epoch in range(epochs):
        for batch in batches.epoch(epoch):
            for columns in (batch.inputs, batch.targets, batch.weights):
                for name in sorted(columns):
                    state.update(name.encode() + columns[name].tobytes())
    return state.hexdigest()


def same(first, second):
    """Whether two readings have the same examples, labels and titles in each split."""
    return all(
        np.array_equal(np.asarray(one["image"]), np.asarray(other["image"]))
        and np.array_equal(one["label"], other["label"])
        and one.origin == other.origin
        for one, other in zip(first.splits.values(), second.splits.values(), strict=True)
    )
