"""Network and recipe for volumes alone, with the reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from allotrope.architectures.asked_recipe import with_asked
from allotrope.architectures.asked_style import style_of
from allotrope.architectures.assembled import assembled
from allotrope.architectures.chosen import Choice, losses_of, with_task_weights
from allotrope.architectures.side_by_side import members_in_words, seeds_of_members
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.contract import Input
from allotrope.inputs.volume.volume import Volume
from allotrope.network.network import Network
from allotrope.network.rewriting.ensemble import ensemble
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import size_in_words
from allotrope.network.zoo import VOLUMETRIC

MANY, SMALL_SIDE = 1_000, 32
"""From so many volumes on, of no longer sides than that, a residual network is worth its time."""
LEAST_SIDE = 4
USUAL_EPOCHS, USUAL_BUDGET = 40.0, 120.0
LEAST_STEPS = 300
"""Few volumes make few steps an epoch, and 80 steps in all hardly moved a network."""
VOLUMES = Recipe(
    optimizer="adamw",
    learning_rate=4e-3,
    momentum=0.9,
    beta2=0.99,
    weight_decay=0.02,
    schedule="one-cycle",
    warmup=0.2,
    label_smoothing=0.05,
    average=0.98,
    augmentation="medium",
    flip=False,
    batch_size=64,
)
"""As for small pictures. Nothing is mirrored, as left and right differ in a body."""


def is_volume(data: Data) -> bool:
    """Whether the only input is a volume."""
    return [type(each) for each in data.inputs] == [Volume]


def choose_for_volume(
    data: Data,
    name: str,
    overrides: Mapping[str, Any],
    budget: float | None,
    epochs: float | None,
    seed: int,
    members: int = 1,
    shape: Mapping[str, Any] | None = None,
) -> Choice:
    """A network that suits number and size of the volumes, and how it is trained.

    `shape` are arguments of the network's function that are asked for.

    Raises: UsageError for a network that takes no volumes.
    """
    if name not in ("auto", *VOLUMETRIC):
        raise UsageError(
            f"network '{name}' takes no volumes. Known for volumes: {', '.join(VOLUMETRIC)}, or "
            "auto."
        )
    (volume,) = data.inputs
    assert isinstance(volume, Volume)
    reasons = [f"{name} was asked for."]
    if name == "auto":
        name, reason = volume_family(volume, len(data.train))
        reasons = [reason]
    seeds = seeds_of_members(seed, members)
    style = {**style_of(overrides), **(shape or {})}
    network = ensemble([_network(data, name, each, style) for each in seeds])
    reasons += members_in_words(members)
    recipe = replace(_recipe(data, budget, epochs, reasons), seed=seed)
    recipe = with_asked(recipe, overrides, reasons)
    network = with_task_weights(network, recipe, data.tasks, reasons)
    reasons.append(size_in_words(name, network))
    return Choice(name, {"seed": seed, **style}, network, recipe, reasons)


def volume_family(volume: Volume, count: int) -> tuple[str, str]:
    """The name of the network that suits so many such volumes, and why."""
    sides = " x ".join(map(str, volume.shape))
    if count >= MANY and max(volume.shape) <= SMALL_SIDE and min(volume.shape) >= LEAST_SIDE:
        return "resnet8_3d", f"resnet8_3d, because {count:,} volumes of {sides} voxels are many."
    return "cnn_3d", (
        f"cnn_3d, a small network of 3-D convolutions, for {count:,} volumes of {sides} voxels."
    )


def volume_alone(volume: Volume, name: str, seed: int, style: Mapping[str, Any]) -> Network:
    """The network for a volume among other inputs, of which a trunk is taken.

    `style` is what was asked for of its layers.
    """
    network = VOLUMETRIC[name](2, (1, *volume.shape), seed=seed, **style)
    return named_after(network, [volume.name], ["y"])


def _network(data: Data, name: str, seed: int, style: Mapping[str, Any]) -> Network:
    def build(each: Input) -> Network:
        assert isinstance(each, Volume)
        return volume_alone(each, name, seed, style)

    return assembled(data.inputs, data.tasks, build, seed)


def _recipe(data: Data, budget: float | None, epochs: float | None, reasons: list[str]) -> Recipe:
    """Batches of 8 to 32, twice the root of the number of volumes; fewer make smaller steps."""
    batch = min(max(2 ** round(math.log2(2 * math.sqrt(len(data.train)))), 8), 32)
    recipe = replace(
        VOLUMES,
        batch_size=batch,
        learning_rate=VOLUMES.learning_rate * batch / VOLUMES.batch_size,
        loss=losses_of(data.tasks),
    )
    reasons.append("Volumes are not mirrored in training: left and right differ; --flip does it.")
    if epochs is not None:
        return replace(recipe, epochs=epochs, budget=budget)
    # An epoch may take a second or an hour, by the number of voxels: so both limits stand.
    seconds = USUAL_BUDGET if budget is None else budget
    steps = max(1, len(data.train) // batch)
    usual = float(max(USUAL_EPOCHS, math.ceil(LEAST_STEPS / steps)))
    reasons.append(f"{usual:g} epochs of {steps} steps, or what fits into {seconds:g} s.")
    return replace(recipe, epochs=usual, budget=seconds)
