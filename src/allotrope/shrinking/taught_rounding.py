"""An int8 network that learned with its rounding, from the float network that it rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.network.network import Network
from allotrope.progress import Progress
from allotrope.shrinking.distill import distillation
from allotrope.shrinking.rounded_training import Quantizer, held_still, integer_weights, rounded
from allotrope.training.loop import Trained, train

LEARNING_RATE = 5e-4
"""Small steps: what was learned is only moved to where rounding does not hurt it."""


@dataclass(frozen=True)
class TaughtIntegers:
    """The network as it is delivered, and with floats that are rounded.

    `training` has the network that trained, which computes what is delivered.
    """

    integers: Network
    learned: Network
    training: Trained


def with_taught_rounding(
    network: Network,
    data: Data,
    recipe: Recipe,
    settings: Settings,
    framework: str,
    calibration: Mapping[str, np.ndarray],
    quantizer: Quantizer,
    folder: Path | None = None,
    show: Progress | None = None,
    *,
    resume: bool = False,
    learning_rate: float = LEARNING_RATE,
) -> TaughtIntegers:
    """The network trained further with the rounding of a quantizer's file.

    It learns from the labels and from what it answers without rounding, which is most of what it
    can learn; in float32, since bfloat16 has no more steps than int8. `calibration` are raw inputs
    of training examples, from which the quantizer takes its ranges.

    Raises: UnsupportedError if nothing is rounded, or steps become 0; what `train` raises.
    """
    start = rounded(network, calibration, quantizer)
    settings = replace(settings, precision="float32", compiled=False)
    learning = rounding_recipe(recipe, learning_rate)
    training = train(
        held_still(start),
        data,
        learning,
        settings,
        framework,
        folder,
        show,
        resume=resume,
        has_learned=True,
        teaching=distillation(network, data, learning, framework, settings),
    )
    weights = training.network.weights
    learned = start.with_weights({name: weights[name] for name in start.weights if name in weights})
    return TaughtIntegers(integer_weights(learned), learned, training)


def rounding_recipe(recipe: Recipe, learning_rate: float = LEARNING_RATE) -> Recipe:
    """How a network learns with its rounding: as before, in small steps.

    Its own optimizer's rates suited other weights, before normalization was folded into them.
    """
    return replace(
        recipe,
        optimizer="adam",
        learning_rate=learning_rate,
        momentum=0.9,
        weight_decay=0.0,
        schedule="cosine",
        warmup=0.0,
        bias_scale=1.0,
        backbone_rate=1.0,
        layer_decay=1.0,
        label_smoothing=0.0,
        average=None,
        patience=None,
    )
