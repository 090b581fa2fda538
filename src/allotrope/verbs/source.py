"""The ONNX file that `fit` trains further, and the copy of it in the run's folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.architectures.fine_tune import Prepared, prepared
from allotrope.config import DataOptions, FineTuning, Repair
from allotrope.data.images import ImageData
from allotrope.errors import UsageError
from allotrope.inputs.image.pretrained.form import picture_side
from allotrope.inputs.image.pretrained.picture_size import fits, side_inside
from allotrope.network.network import Network
from allotrope.network.reading.read import load

START = "checkpoints/start.onnx"
"""The network before its first step."""


@dataclass(frozen=True)
class Source:
    """A network, the file that it was read from, that file's checksum, and what was repaired in reading."""

    network: Network
    file: Path
    sha256: str
    repairs: list[str]

    def tuning(self, data: ImageData, options: FineTuning, framework: str, seed: int) -> Tuning:
        """The network made ready for the data. Raises: UsageError, UnsupportedError where the two do not fit."""
        return Tuning(self, options, prepared(self.network, data, options, framework, seed))

    def sized(self, options: DataOptions) -> DataOptions:
        """The options with the size that the network is fixed to. Raises: UsageError where another one was asked for."""
        side = picture_side(self.network)
        if side is None:
            return self._sized_by_inside(options)
        if options.image_size not in (None, side):
            raise UsageError(
                f"--image-size is {options.image_size}, and '{self.file}' takes images of {side}x{side} only. "
                "Leave it out, or export the file with free height and width."
            )
        return replace(options, image_size=side)

    def _sized_by_inside(self, options: DataOptions) -> DataOptions:
        """The options with the size to which the inside fixes a network whose input leaves it open."""
        asked = options.image_size
        side = side_inside(self.network)
        if side is None or (asked is not None and fits(self.network, asked)):
            return options
        if asked is not None:
            raise UsageError(
                f"--image-size is {asked}, and the inside of '{self.file}' does not take it: "
                f"{side}x{side} fits. Leave it out, or ask for --image-size {side}."
            )
        self.repairs.append(
            f"Its input leaves height and width free, and its inside does not: pictures in folders "
            f"are brought to {side}x{side}. For another size that fits: --image-size."
        )
        return replace(options, image_size=side)


@dataclass(frozen=True)
class Tuning:
    """A network that is about to be trained further, and what was done to it."""

    source: Source
    options: FineTuning
    ready: Prepared

    @property
    def notes(self) -> list[str]:
        """What was done, in sentences."""
        return [f"{self.source.file.name} was asked for, to be trained further.", *self.source.repairs, *self.ready.notes]

    @property
    def facts(self) -> dict[str, Any]:
        """What goes on record."""
        source, ready = self.source, self.ready
        loaded = {"file": source.file, "sha256": source.sha256, "repairs": source.repairs, "options": self.options}
        loaded["reading"] = ready.reading
        return {**loaded, "replaced": list(ready.replaced), "frozen": list(ready.frozen), "notes": ready.notes}


def read_source(file: Path, repair: Repair) -> Source:
    """The network in an ONNX file, with its losses made good. Raises: ModelError, UnsupportedError."""
    repairs: list[str] = []
    network = load(file, repair=repair, report=repairs.append)
    return Source(network, file, hashlib.sha256(file.read_bytes()).hexdigest(), repairs)


def read_start(folder: Path) -> Source:
    """The network as the run began with it."""
    file = folder / START
    return Source(as_saved(file), file, hashlib.sha256(file.read_bytes()).hexdigest(), [])


def as_saved(file: Path) -> Network:
    """A network that was written here, with nothing changed in it."""
    return load(file, repair=False)
