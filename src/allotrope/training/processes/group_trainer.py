"""A trainer that has several processes make its steps: each batch is cut into their rows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from allotrope.errors import TrainingError
from allotrope.frameworks.contract import Arrays, Batch, Trainer
from allotrope.frameworks.together import rows_of
from allotrope.process.carried_arrays import from_parts, to_parts
from allotrope.process.group import ProcessGroup
from allotrope.training.processes.asked_training import AskedTraining

APART = 1e-3
"""Losses of one step differ by so much, in parts of them, only if processes have come apart."""


class PendingLoss:
    """The loss of a step that may not be made yet; `float` waits for it."""

    def __init__(self, trainer: GroupTrainer, step: int) -> None:
        """Not known yet."""
        self._trainer, self.step = trainer, step
        self.value: float | None = None

    def __float__(self) -> float:
        while self.value is None:
            self._trainer.settle()
        return self.value


class GroupTrainer(Trainer):
    """The trainers of all processes as one. All have the same weights; rank 0 answers."""

    def __init__(self, group: ProcessGroup, asked: AskedTraining) -> None:
        """Raises: TrainingError if a process is gone or cannot train this."""
        self._group = group
        self._pending: deque[PendingLoss] = deque()
        group.be_patient(True)
        facts, parts = asked.message()
        shared = {"size": group.size, "addresses": self._addresses(), "asked": facts}
        for rank in range(group.size):
            group.ask(rank, "begin", parts, saying="the beginning", rank=rank, **shared)
        self._answers()

    def _addresses(self) -> list[str]:
        """HOST:PORT of every process, at which its engine may listen."""
        members = [self._group.members[rank] for rank in range(self._group.size)]
        for member in members:
            self._group.ask(member.rank, "port")
        ports = [header["port"] for header, _ in self._answers()]
        return [f"{one.host}:{port}" for one, port in zip(members, ports, strict=True)]

    def step(self, batch: Batch, learning_rate: float, step: int) -> PendingLoss:
        """One update by all processes; see the contract. Raises: TrainingError."""
        total = len(batch)
        for rank in range(self._group.size):
            start, stop = rows_of(total, rank, self._group.size)
            rows = {name: x[start:stop] for name, x in batch.inputs.items()}
            described, parts = _in_turn(rows, batch.targets, batch.weights)
            said: dict[str, Any] = {"learning_rate": learning_rate, "step": step}
            self._group.ask(rank, "step", parts, saying=f"step {step}", columns=described, **said)
        loss = PendingLoss(self, step)
        self._pending.append(loss)
        return loss

    def settle(self) -> None:
        """Waits for the oldest step that is not known to be made. Raises: TrainingError."""
        losses = [header["loss"] for header, _ in self._answers()]
        oldest = self._pending.popleft()
        oldest.value = losses[0]
        self._group.be_patient(False)
        if not _alike(losses):
            raise TrainingError(
                f"the processes have come apart: in step {oldest.step} their losses of the same "
                f"batch are {losses}. Use machines with the same processors and versions."
            )

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs, by rank 0; see the contract."""
        described, parts = to_parts(inputs)
        return self._of_first("evaluate", parts, described=described)

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        return self._of_first("weights", [])

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return self._of_first("state", [])

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Every process goes on from a saved state. Raises: TrainingError."""
        self._settle_all()
        described, parts = to_parts(state)
        for rank in range(self._group.size):
            self._group.ask(rank, "load_state", parts, described=described)
        self._answers()

    def _of_first(self, command: str, parts: Any, **said: Any) -> dict[str, np.ndarray]:
        """The arrays that rank 0 answers with."""
        self._settle_all()
        self._group.ask(0, command, parts, **said)
        header, answer = self._group.answer(0)
        return from_parts(header["described"], answer)

    def _settle_all(self) -> None:
        while self._pending:
            self.settle()

    def _answers(self) -> list[Any]:
        return [self._group.answer(rank) for rank in range(self._group.size)]


def _in_turn(*columns: Arrays) -> tuple[list[Any], list[Any]]:
    """What there is to say of several mappings of arrays, and the bytes of all."""
    pairs = [to_parts(arrays) for arrays in columns]
    return [described for described, _ in pairs], [part for _, parts in pairs for part in parts]


def _alike(losses: list[float]) -> bool:
    # A loss that is no number is for whoever looks at it.
    if not all(map(math.isfinite, losses)):
        return True
    return max(losses) - min(losses) <= APART * max(map(abs, losses))
