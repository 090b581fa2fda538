"""The gradients of a training's loss, in any framework, by weight and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, TrainingPlan
from allotrope.network.network import Network
from allotrope.training.optimizers import optimizer_of

GradientsOf = Callable[[Batch], Mapping[str, np.ndarray]]

_FORGETFUL = Recipe(optimizer="momentum", momentum=1e-30)
"""An optimizer whose velocity is the gradient of the last step: it remembers nothing of those
before, and frameworks' own optimizers keep no velocity at a momentum of 0."""
_VELOCITY = "optimizer/velocity/"


def loss_gradients(
    network: Network, plan: TrainingPlan, settings: Settings, framework: str
) -> GradientsOf:
    """Gives, for a batch, the gradient of the plan's loss by every weight that it trains.

    The gradients are those of a training step of the framework: batches normalize by their own
    statistics, and weight decay, clipping and averaging have no part in them. No weight changes.
    """
    bare = replace(
        plan,
        optimizer=optimizer_of(_FORGETFUL),
        learning_rate_scale={},
        weight_decay={},
        clip_norm=None,
        average=None,
    )
    trainer = find_framework(framework).trainer(network, bare, settings)

    def gradients(batch: Batch) -> dict[str, np.ndarray]:
        float(trainer.step(batch, learning_rate=0.0, step=1))
        state = trainer.state()
        names = [name for name in state if name.startswith(_VELOCITY)]
        return {name.removeprefix(_VELOCITY): state[name] for name in names}

    return gradients
