"""How a network is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.recording import steps_kept
from allotrope.measure.machine import cores

MOST = 4
"""Processes side by side at the most: each has a framework and all values in memory."""

ROOM = 256 * 2**20
"""Bytes on disk for the weights of one framework's training; beyond, fewer steps are kept."""


@dataclass(frozen=True)
class Options:
    """How a network is checked; `parting` is the difference of float32 losses that is reported.

    `lengths` are of free dimensions, of which `free` may be others where these do not fit. `values`
    are kinds of inputs that were asked for, `tasks` kinds of tasks by output, of whose labels the
    part `missing` is missing.
    """

    steps: int
    batch: int
    lengths: Mapping[str, int]
    free: Sequence[str]
    values: Mapping[str, str]
    seed: int
    learning_rate: float
    directions: int
    parting: float
    threads: int | None
    tasks: Mapping[str, str] = field(default_factory=dict)
    missing: float = 0.0

    @property
    def beside(self) -> int:
        """How many processes run side by side: each has its threads."""
        return max(1, min(MOST, cores() // (self.threads or 1)))

    @property
    def own_threads(self) -> int:
        """The threads of each process."""
        return self.threads or max(1, cores() // self.beside)

    def kept(self, computation: Computation) -> list[int]:
        """The steps after which weights are kept.

        In float32 only the first: later ones may part.
        """
        size = sum(array.nbytes for array in computation.network.weights.values())
        return steps_kept(self.steps, size, ROOM) if computation.precision == "float64" else [1]
