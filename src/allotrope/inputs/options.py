"""The options that kinds of inputs bring to the verbs that train."""

from __future__ import annotations

from allotrope.inputs.image.options import (
    AUGMENTATION_OPTIONS,
    IMAGE_OPTIONS,
    ImageOptions,
    TrainedImageOptions,
    pretrained,
    reading,
)

__all__ = ["TAKING", "TRAINING", "TakingOptions", "TrainingOptions", "pretrained", "reading"]

TAKING = IMAGE_OPTIONS
"""How what the network takes is read, for every verb that trains."""
TRAINING = (*IMAGE_OPTIONS, *AUGMENTATION_OPTIONS)
"""The same, and how it is changed in training, for a verb that decides how to train."""


class TakingOptions(ImageOptions, total=False):
    """The types of `TAKING`."""


class TrainingOptions(TrainedImageOptions, total=False):
    """The types of `TRAINING`."""
