"""One process of a training: `python -m …trainer_worker RANK SIZE HOST:PORT [CARD]`.

It computes its rows of each batch, as it is told by the process that leads.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.errors import AllotropeError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, Collective, Trainer
from allotrope.frameworks.keras.keras_engine import ENGINES
from allotrope.process.carried_arrays import Described, from_parts, to_parts
from allotrope.process.link import Part, free_port
from allotrope.process.member import serve_leader
from allotrope.training.processes.asked_training import AskedTraining
from allotrope.training.processes.version_card import version_card

Parts = list[bytearray]
Reply = tuple[dict[str, Any], list[Part]]


class TrainerWorker:
    """The process's state: after `begin` a trainer."""

    def __init__(self) -> None:
        self._trainer: Trainer
        self._joined: dict[str, Collective] = {}

    def port(self, parts: Parts) -> Reply:
        """A port at which an engine may listen on this machine."""
        return {"port": free_port()}, []

    def begin(
        self, parts: Parts, rank: int, size: int, addresses: Sequence[str], asked: Mapping[str, Any]
    ) -> Reply:
        """Joins the other processes, with a trainer of the network."""
        training = AskedTraining.of(asked, parts)
        threads = training.settings.threads or int(os.environ["OMP_NUM_THREADS"])
        training = replace(training, settings=replace(training.settings, threads=threads))
        self._trainer = training.trainer(self._among(rank, size, addresses, training))
        return {}, []

    def _among(
        self, rank: int, size: int, addresses: Sequence[str], training: AskedTraining
    ) -> Collective:
        """The processes of the framework's engine, which are joined once."""
        framework = find_framework(training.framework)
        engine = ENGINES.get(framework.engine or "", framework.name)
        if engine not in self._joined:
            joined = framework.collective(rank, size, addresses, training.settings)
            self._joined[engine] = joined
        return self._joined[engine]

    def step(
        self,
        parts: Parts,
        columns: Sequence[Described],
        learning_rate: float,
        step: int,
    ) -> Reply:
        """One update with rows of inputs, and all targets and weights: the loss of the batch."""
        rest, arrays = list(parts), []
        for described in columns:
            arrays.append(from_parts(described, rest[: len(described)]))
            del rest[: len(described)]
        return {"loss": float(self._trainer.step(Batch(*arrays), learning_rate, step))}, []

    def evaluate(self, parts: Parts, described: Described) -> Reply:
        """The outputs for these inputs."""
        return _of_arrays(self._trainer.evaluate(from_parts(described, parts)))

    def state(self, parts: Parts) -> Reply:
        """What the next step depends on."""
        return _of_arrays(self._trainer.state())

    def load_state(self, parts: Parts, described: Described) -> Reply:
        """Goes on from a state."""
        self._trainer.load_state(from_parts(described, parts))
        return {}, []

    def weights(self, parts: Parts) -> Reply:
        """Every weight as it should be delivered."""
        return _of_arrays(self._trainer.weights())


def _of_arrays(arrays: Mapping[str, np.ndarray]) -> Reply:
    described, parts = to_parts(arrays)
    return {"described": described}, list(parts)


def main(rank: str, size: str, address: str, card: str = "{}") -> None:
    """Serves the leader at the address; `card` adds to what has to be the same there."""
    asked = {**version_card(), **json.loads(card)}
    known = int(size) or None
    serve_leader(TrainerWorker(), int(rank), known, address, asked)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AllotropeError as error:
        print(json.dumps({"end": str(error), "result": {}}))
        sys.exit(str(error))
