"""A network of the zoo with published weights, which `fit` trains further like one from a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from allotrope.architectures.fine_tune import found_by_trying, prepared
from allotrope.config import DataOptions, FineTuning
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.pretrained.readings import IMAGENET, PixelReading
from allotrope.network import zoo
from allotrope.network.zoo.hub import PREFIX, fetched
from allotrope.network.zoo.transferred import transferred
from allotrope.verbs.network_file import NetworkFile, Tuning

SMALL_RESIDUAL = ("resnet8", "resnet20", "resnet32", "resnet56")
SIDE = 224
"""The side of the pictures that published weights were trained with, unless somebody says more."""
CHANNELS = 3


KERAS = PixelReading("values from -1 to 1", (127.5,) * 3, (127.5,) * 3)
AUTHORS = PixelReading("raw pixels less ImageNet's mean", (104.0, 117.0, 123.0), (1.0,) * 3, True)
"""Of SqueezeNet's authors, in Caffe."""
PHOTOGRAPHS = PixelReading("ImageNet's mean and deviation", *IMAGENET)
OTHERWISE = frozenset({"mlp", "cnn", "whitened_cnn", "deit_tiny"})
"""Networks, and all small ResNets, whose published weights do not agree on what they see."""


@dataclass(frozen=True)
class NetworkWeights:
    """A network's name in the zoo and a safetensors file; the network is built for the data."""

    name: str
    file: Path
    notes: list[str]

    def sized(self, options: DataOptions) -> DataOptions:
        """The options with the usual size of pictures, if none was asked for."""
        if options.image_size is not None:
            return options
        self.notes.append(
            f"Pictures in folders are brought to {SIDE}x{SIDE}, as published weights expect; for "
            "less work: --image-size 128."
        )
        return replace(options, image_size=SIDE)

    def suited(self, data: Data, options: FineTuning) -> Data:
        """The data as it is.

        Raises: UsageError if it is not one picture and one classification.
        """
        if not found_by_trying(data.inputs, data.tasks):
            raise UsageError(
                f"--weights: {self.name} takes one picture and tells classes apart, and "
                f"{data.name} is other data. Leave other columns out by --input NAME=none, or "
                "leave --weights out."
            )
        return data

    def tuning(self, data: Data, options: FineTuning, framework: str, seed: int) -> Tuning:
        """The network with the file's weights, made ready for the data.

        A last layer for another number of classes is replaced.

        Raises: ModelError if the weights do not fit the network, UsageError if it does not fit
        the data.
        """
        (picture,), (task,) = data.inputs, data.tasks
        assert isinstance(picture, Image)
        size = (CHANNELS, picture.height, picture.width)
        weighted = transferred(zoo.network(self.name), size, self.file, seed)
        classes = (weighted.network.outputs[0].shape or ())[1:]
        asked, notes = _usual_reading(self.name, weighted.library, options)
        if classes != (task.size,):
            asked = replace(asked, new_head=True)
        notes = [*self.notes, weighted.line, *notes]
        source = NetworkFile(
            weighted.network, self.file, _checksum(self.file), notes, self.file.parent, self.name
        )
        return Tuning(source, asked, prepared(source.network, data, asked, framework, seed))


def _usual_reading(name: str, library: str, options: FineTuning) -> tuple[FineTuning, list[str]]:
    """The options with what a library's weights see of pixels, if nothing else was asked for.

    For networks of which that is not known it is left to be found by trying.
    """
    small = name in SMALL_RESIDUAL or name in OTHERWISE
    if small or options.mean or options.std or options.channel_order:
        return options, []
    reading = {"Keras": KERAS, "Caffe": AUTHORS}.get(library, PHOTOGRAPHS)
    order = "bgr" if reading.reverse else "rgb"
    settled = replace(options, mean=reading.mean, std=reading.std, channel_order=order)
    note = (
        f"It sees {reading.name}, as is usual for {name} in {library} names; for another reading: "
        "--mean, --std and --channel-order."
    )
    return settled, [note]


def read_weights(name: str, weights: str) -> NetworkWeights:
    """The network `name` of the zoo with the weights in a file, or of the hub.

    Raises: UsageError, MissingDependencyError, ModelError.
    """
    zoo.network(name)
    if weights.startswith(PREFIX):
        path = fetched(weights)
        return NetworkWeights(name, path, [f"{weights} lies in {path.parent}."])
    return NetworkWeights(name, Path(weights).expanduser(), [])


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
