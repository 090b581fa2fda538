"""A network of the zoo that begins with published weights: built for the data, and what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from allotrope.architectures.fine_tune import found_by_trying
from allotrope.config import DataOptions, FineTuning
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.pretrained.readings import IMAGENET, PixelReading
from allotrope.network import zoo
from allotrope.network.network import Network
from allotrope.network.zoo.transferred import transferred

SIDE = 224
"""The side of the pictures that published weights were trained with, unless somebody says more."""
CHANNELS = 3
KERAS = PixelReading("values from -1 to 1", (127.5,) * 3, (127.5,) * 3)
AUTHORS = PixelReading("raw pixels less ImageNet's mean", (104.0, 117.0, 123.0), (1.0,) * 3, True)
"""Of SqueezeNet's authors, in Caffe."""
PHOTOGRAPHS = PixelReading("ImageNet's mean and deviation", *IMAGENET)
OTHERWISE = frozenset({"mlp", "cnn", "whitened_cnn", "deit_tiny"})
SMALL_RESIDUAL = frozenset({"resnet8", "resnet20", "resnet32", "resnet56"})
"""Networks whose published weights do not agree on what they see, as those before."""


@dataclass(frozen=True)
class Published:
    """The network with the weights of its file, the options that suit these, and what was done."""

    network: Network
    options: FineTuning
    notes: Sequence[str]


def usual_size(options: DataOptions) -> tuple[DataOptions, list[str]]:
    """The options with the size that published weights expect, if none was asked for; a note."""
    if options.image_size is not None:
        return options, []
    note = (
        f"Pictures in folders are brought to {SIDE}x{SIDE}, as published weights expect; for less "
        "work: --image-size 128."
    )
    return replace(options, image_size=SIDE), [note]


def check_data(name: str, data: Data) -> None:
    """Raises UsageError if the data is not one picture and one classification."""
    if not found_by_trying(data.inputs, data.tasks):
        raise UsageError(
            f"--weights: {name} takes one picture and tells classes apart, and {data.name} is "
            "other data. Leave other columns out by --input NAME=none, or leave --weights out."
        )


def published(name: str, file: Path, data: Data, options: FineTuning, seed: int) -> Published:
    """The network `name` of the zoo for the data's pictures, with the weights in the file.

    A last layer for another number of classes is to be replaced.

    Raises: ModelError if the weights do not fit the network.
    """
    (picture,), (task,) = data.inputs, data.tasks
    assert isinstance(picture, Image)
    size = (CHANNELS, picture.height, picture.width)
    weighted = transferred(zoo.network(name), size, file, seed)
    classes = (weighted.network.outputs[0].shape or ())[1:]
    asked, notes = _usual_reading(name, weighted.library, options)
    if classes != (task.size,):
        asked = replace(asked, new_head=True)
    return Published(weighted.network, asked, [weighted.line, *notes])


def _usual_reading(name: str, library: str, options: FineTuning) -> tuple[FineTuning, list[str]]:
    """The options with what a library's weights see of pixels, if nothing else was asked for.

    For networks of which that is not known it is left to be found by trying.
    """
    unknown = name in SMALL_RESIDUAL | OTHERWISE
    if unknown or options.mean or options.std or options.channel_order:
        return options, []
    reading = {"Keras": KERAS, "Caffe": AUTHORS}.get(library, PHOTOGRAPHS)
    order = "bgr" if reading.reverse else "rgb"
    settled = replace(options, mean=reading.mean, std=reading.std, channel_order=order)
    note = (
        f"It sees {reading.name}, as is usual for {name} in {library} names; for another reading: "
        "--mean, --std and --channel-order."
    )
    return settled, [note]
