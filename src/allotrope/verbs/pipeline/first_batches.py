"""The batches by which a network is weighed before it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from allotrope.config import Recipe
from allotrope.data.batches import Batches
from allotrope.frameworks.contract import Batch
from allotrope.verbs.pipeline.planning import Plan

STATISTICS = 30
"""So many batches give BatchNormalization new statistics, and slopes by which groups count."""


def first_batches(plan: Plan, recipe: Recipe) -> Iterator[Batch]:
    """The first batches that the training would see, of whole examples."""
    # Not None, which is what the preset of the augmentation says.
    batches = Batches(plan.data, replace(recipe, mixup=0.0, cutmix=0.0, mosaic=0.0))
    for index in range(min(STATISTICS, max(STATISTICS, batches.steps_per_epoch))):
        epoch, step = divmod(index, batches.steps_per_epoch)
        yield batches.batch(epoch, step)
