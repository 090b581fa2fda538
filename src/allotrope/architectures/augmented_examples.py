"""A few training examples beside what augmentation makes of them, as a training would see it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotrope.architectures.augmenting import (
    OF_PICTURES,
    check_augmentation,
    mirroring,
    what_acts,
)
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.inputs.augmentation import Augmentation, augmentation_of
from allotrope.inputs.image.policies import reaches

BATCH = 64
"""Examples are shown as they are in a batch of so many."""
CHANGE = 1
"""Which of a seed's random streams this is, as in the batches of a training."""


@dataclass(frozen=True)
class AugmentedExamples:
    """Columns of examples by input, the first as they are; what was decided, and what to mind.

    `rows` are those of the training examples; `shown[name]` has an array [n, …] for each column.
    """

    rows: np.ndarray
    shown: dict[str, list[np.ndarray]]
    notes: list[str]


def augmented_examples(data: Data, recipe: Recipe, count: int, variants: int) -> AugmentedExamples:
    """So many training examples, evenly spread, in so many epochs.

    A function of (seed, epoch). If `recipe.flip` is None, pictures are mirrored if the data shows
    that they bear it, as in `fit`.

    Raises: UsageError for what needs other inputs than there are.
    """
    count = min(count, len(data.train))
    rows = np.linspace(0, len(data.train) - 1, count).astype(int)
    check_augmentation(data.inputs, {name: getattr(recipe, name) for name in OF_PICTURES})
    recipe, notes = _settled(data, recipe)
    strength = augmentation_of(recipe)
    batch = np.concatenate([rows, _others(data, BATCH - count, recipe.seed)])
    x = {each.name: data.train[each.name][batch] for each in data.inputs}
    shown = {name: [values[:count]] for name, values in x.items()}
    for epoch in range(variants):
        for name, changed in _epoch(data, x, strength, recipe.seed, epoch).items():
            shown[name].append(changed[:count])
    return AugmentedExamples(rows, shown, notes)


def _others(data: Data, count: int, seed: int) -> np.ndarray:
    """Rows that are in the batch too, with which cells and boxes are exchanged."""
    return np.random.default_rng(seed).integers(0, len(data.train), max(count, 0))


def _settled(data: Data, recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe with what the data says of mirroring, and all that has to be minded."""
    strength = augmentation_of(replace(recipe, flip=None))
    asked = {"augmentation": recipe.augmentation}
    notes = what_acts(data.inputs, recipe, asked)
    may, reasons = mirroring(data, recipe.seed)
    if reasons and (strength.flip or recipe.flip):
        notes += reasons
        if recipe.flip and not may:
            notes.append(
                "--flip was asked for: mirrored, an example may mean something else, and would be "
                "learned with its old label. Leave --flip out unless you know that it does not."
            )
    far = reaches(strength.policy)
    if far:
        notes.append(
            f"In {recipe.augmentation} {far}: whatever means something else upside down, such as "
            "6 and 9, would be learned with the wrong label."
        )
    if recipe.flip is None:
        recipe = replace(recipe, flip=strength.flip and may)
    return recipe, notes


def _epoch(
    data: Data, x: dict[str, np.ndarray], strength: Augmentation, seed: int, epoch: int
) -> dict[str, np.ndarray]:
    """The examples as a batch of this epoch."""
    count = len(next(iter(x.values())))
    # Mirrored in every other epoch, as in training.
    mirrored = (np.arange(count) + epoch) % 2 == 1
    streams = {
        each.name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(CHANGE, epoch, i)))
        for i, each in enumerate(data.inputs)
    }
    changed = {
        each.name: each.augment(x[each.name], streams[each.name], strength, mirrored)
        for each in data.inputs
    }
    # The first that boxes can be cut out of draws how all are mixed.
    leading = next((each for each in data.inputs if each.cuts), data.inputs[0])
    mixture = leading.draw_mixture(count, streams[leading.name], strength)
    if mixture is None:
        return changed
    return {each.name: each.mixed(changed[each.name], mixture) for each in data.inputs}
