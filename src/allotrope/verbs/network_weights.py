"""A network of the zoo with published weights, which `fit` trains further like one from a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from allotrope.architectures.fine_tune import prepared
from allotrope.architectures.published import check_data, published, usual_size
from allotrope.config import DataOptions, FineTuning
from allotrope.data.examples import Data
from allotrope.network import zoo
from allotrope.network.zoo.hub import PREFIX, fetched
from allotrope.verbs.network_file import NetworkFile, Tuning


@dataclass(frozen=True)
class NetworkWeights:
    """A network's name in the zoo and a safetensors file; the network is built for the data."""

    name: str
    file: Path
    notes: list[str]

    def sized(self, options: DataOptions) -> DataOptions:
        """The options with what published weights prescribe, if nothing else was asked for."""
        prescribed, notes = usual_size(options)
        self.notes.extend(notes)
        return prescribed

    def suited(self, data: Data, options: FineTuning) -> Data:
        """The data as it is.

        Raises: UsageError if the network is not made for such.
        """
        check_data(self.name, data)
        return data

    def tuning(self, data: Data, options: FineTuning, framework: str, seed: int) -> Tuning:
        """The network with the file's weights, made ready for the data.

        Raises: ModelError if the weights do not fit the network, UsageError if it does not fit
        the data.
        """
        begun = published(self.name, self.file, data, options, seed)
        checksum = hashlib.sha256(self.file.read_bytes()).hexdigest()
        notes = [*self.notes, *begun.notes]
        source = NetworkFile(begun.network, self.file, checksum, notes, self.file.parent, self.name)
        ready = prepared(begun.network, data, begun.options, framework, seed)
        return Tuning(source, begun.options, ready)


def read_weights(name: str, weights: str) -> NetworkWeights:
    """The network `name` of the zoo with the weights in a file, or of the hub.

    Raises: UsageError, MissingDependencyError, ModelError.
    """
    zoo.network(name)
    if weights.startswith(PREFIX):
        path = fetched(weights)
        return NetworkWeights(name, path, [f"{weights} lies in {path.parent}."])
    return NetworkWeights(name, Path(weights).expanduser(), [])
