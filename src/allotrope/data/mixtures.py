"""How examples of a training are mixed with each other, and which the network mixes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.config import Recipe
from allotrope.frameworks.contract import Batch
from allotrope.inputs.augmentation import augmentation_of
from allotrope.inputs.contract import Input
from allotrope.inputs.mixture import Mixture


@dataclass(frozen=True)
class Mixing:
    """The mixing of a recipe, for the inputs of some data."""

    inputs: Sequence[Input]
    recipe: Recipe

    def drawn(self, count: int, rng: np.random.Generator) -> Mixture | None:
        """How so many examples are mixed; None if they are not."""
        # Boxes can be cut of some kinds alone; what cannot be cut is blended by the same share.
        mixer = next((each for each in self.inputs if each.cuts), self.inputs[0])
        return mixer.draw_mixture(count, rng, augmentation_of(self.recipe))

    @property
    def within(self) -> tuple[str, ...]:
        """The inputs that are not mixed as they are: the network blends what it makes of them."""
        unmixed = self.drawn(1, np.random.default_rng(0)) is None
        return () if unmixed else tuple(each.name for each in self.inputs if not each.blends)

    def mixed(self, batch: Batch, mixture: Mixture) -> Batch:
        """The batch with examples mixed, or the network told how to, and targets mixed."""
        inputs = {each.name: each.mixed(batch.inputs[each.name], mixture) for each in self.inputs}
        if self.within:
            inputs |= mixture.columns()
        weights = {name: mixture.weights(weight) for name, weight in batch.weights.items()}
        targets = {
            name: mixture.targets(target, batch.weights.get(name))
            for name, target in batch.targets.items()
        }
        return replace(batch, inputs=inputs, targets=targets, weights=weights)
