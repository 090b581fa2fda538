"""The ONNX file that `fit` trains further, and the copy of it in the run's folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.architectures.continued import continued, own_columns
from allotrope.architectures.fine_tune import PreparedNetwork, found_by_trying, prepared
from allotrope.config import DataOptions, FineTuning, Repair
from allotrope.data.examples import Data
from allotrope.data.suited import known_columns, suited
from allotrope.inputs.prescribed import prescribed
from allotrope.inputs.text.tokens.prescribed_tokens import again
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.network.network import Network
from allotrope.network.reading.read import load

START = "checkpoints/start.onnx"
"""The network before its first step."""


@dataclass(frozen=True)
class NetworkFile:
    """A network, its file, that file's checksum, and what was repaired in reading.

    `beside` is the folder in which its tokenizer lies, if it takes tokens. `family` is the name of
    a network of the zoo whose weights alone are in the file.
    """

    network: Network
    file: Path
    sha256: str
    repairs: list[str]
    beside: Path
    family: str = ""

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.family or self.file.stem

    def tuning(self, data: Data, options: FineTuning, framework: str, seed: int) -> Tuning:
        """The network made ready for the data.

        Raises: UsageError, UnsupportedError where the two do not fit.
        """
        prepare = prepared if found_by_trying(data.inputs, data.tasks) else continued
        return Tuning(self, options, prepare(self.network, data, options, framework, seed))

    def sized(self, options: DataOptions) -> DataOptions:
        """The options with what the network prescribes.

        Raises: UsageError where something else was asked for.
        """
        own = own_columns(self.network)
        if own is None or found_by_trying(*own):
            return prescribed(self.network, options, self.file, self.beside, self.repairs.append)
        known = known_columns(*own)
        for each in own[0]:
            if isinstance(each, Tokens):
                known = replace(known, tokens=again(self.network, each, options, self.beside))
        return replace(options, known=known)

    def suited(self, data: Data, options: FineTuning) -> Data:
        """The data with the columns that the network says of itself; as it is if it says none.

        Raises: UsageError if the data lacks some of them, or a text that the network takes.
        """
        own = own_columns(self.network)
        if own is None or found_by_trying(data.inputs, data.tasks):
            return data
        return suited(data, *own, self.file.name, new_head=options.new_head)


@dataclass(frozen=True)
class Tuning:
    """A network that is about to be trained further, and what was done to it."""

    source: NetworkFile
    options: FineTuning
    ready: PreparedNetwork

    @property
    def notes(self) -> list[str]:
        """What was done, in sentences."""
        return [
            f"{self.source.family or self.source.file.name} was asked for, to be trained further.",
            *self.source.repairs,
            *self.ready.notes,
        ]

    @property
    def facts(self) -> dict[str, Any]:
        """What goes on record."""
        source, ready = self.source, self.ready
        loaded = {
            "file": source.file,
            "sha256": source.sha256,
            "repairs": source.repairs,
            "options": self.options,
        }
        loaded["reading"] = ready.reading
        return {
            **loaded,
            "replaced": list(ready.replaced),
            "frozen": list(ready.frozen),
            "notes": ready.notes,
        }


def read_source(file: Path, repair: Repair) -> NetworkFile:
    """The network in an ONNX file, with its losses made good.

    Raises: ModelError, UnsupportedError.
    """
    repairs: list[str] = []
    network = load(file, repair=repair, report=repairs.append)
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    return NetworkFile(network, file, checksum, repairs, file.parent)


def read_start(folder: Path) -> NetworkFile:
    """The network as the run began with it."""
    file = folder / START
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    return NetworkFile(as_saved(file), file, checksum, [], folder)


def as_saved(file: Path) -> Network:
    """A network that was written here, with nothing changed in it."""
    return load(file, repair=False)
