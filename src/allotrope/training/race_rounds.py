"""The rounds of a race of settings: all take a step in turn, what is clearly slower is out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allotrope.config import Settings
from allotrope.frameworks.contract import Batch, Trainer
from allotrope.training.race_entrant import Entrant
from allotrope.training.race_words import described, first_line
from allotrope.training.speed import SMALLEST_BATCH, Clock, one_step, timed_step

ROUNDS = 9
CLEARLY_SLOWER = 1.25
FEW_ROUNDS = 3
"""After fewer, a setting must be slower by twice as much to be out."""


@dataclass(frozen=True)
class Rounds:
    """Steps of all entrants on the same `samples`; the first entrant has the defaults.

    `trainer` makes one for settings, `left` tells the seconds that are left of the race.
    """

    entrants: Sequence[Entrant]
    trainer: Callable[[Settings], Trainer]
    samples: Sequence[Batch]
    rate: float
    clock: Clock
    left: Callable[[], float]
    report: Callable[[str], None]

    def race(self, entrants: Sequence[Entrant]) -> None:
        """Interleaved rounds of some entrants until time is up or enough are made.

        Those that have not begun yet make their first steps before; what is out stays out.
        """
        for entrant in entrants:
            if entrant.running and entrant.trainer is None:
                self._start(entrant)
        for number in range(ROUNDS):
            alive = [entrant for entrant in entrants if entrant.running]
            decided = len(alive) < 2 and number >= FEW_ROUNDS
            if decided or self.left() < sum(one.median for one in alive if one.times):
                break
            # In turn, so that whatever else the machine does falls on all alike.
            for entrant in alive:
                self._guarded(entrant, self._round)
            self._eliminate(alive)

    def _start(self, entrant: Entrant) -> None:
        # The defaults are always measured: something has to be chosen.
        if self.left() <= 0 and entrant is not self.entrants[0]:
            entrant.leave("not measured: the time for the race was up")
            return
        self.report(f"racing settings: {described(entrant.settings)}")
        self._guarded(entrant, self._first_steps)

    def _first_steps(self, entrant: Entrant) -> None:
        if self._far_slower(entrant):
            entrant.leave(
                f"a step of {SMALLEST_BATCH} examples takes longer than others' whole steps"
            )
            return
        trainer = self.trainer(entrant.settings)
        entrant.first_steps(trainer, self.samples[0], self.rate, self.clock)
        entrant.compare(self.entrants[0].losses)

    def _far_slower(self, entrant: Entrant) -> bool:
        """Whether a few examples are too much for another device than that of the defaults.

        Whole batches may take a CPU a hundred times as long as the accelerator beside it.
        """
        if entrant.settings.device == self.entrants[0].settings.device:
            return False
        few, trainer = self.samples[0].first(SMALLEST_BATCH), self.trainer(entrant.settings)
        one_step(trainer, few, 0.0, 1)
        fastest = min(one.median for one in self.entrants)
        return timed_step(trainer, few, 0.0, 2, self.clock) > CLEARLY_SLOWER * fastest

    def _round(self, entrant: Entrant) -> None:
        entrant.timed_round(self.samples, self.rate, self.clock)

    def _eliminate(self, alive: Sequence[Entrant]) -> None:
        best = min(entrant.median for entrant in self.entrants)
        for entrant in alive:
            slower, rounds = entrant.median / best, len(entrant.times)
            # A median of few steps tells little on a busy machine.
            allowed = CLEARLY_SLOWER
            if rounds < FEW_ROUNDS:
                allowed = 2 * CLEARLY_SLOWER
            if entrant.running and slower > allowed:
                entrant.leave(
                    f"{slower:.1f} times slower than the fastest; out after {rounds} rounds"
                )

    def _guarded(self, entrant: Entrant, action: Callable[[Entrant], None]) -> None:
        """A setting that fails is out, with the reason; the defaults must work."""
        try:
            action(entrant)
        except Exception as error:  # frameworks and compilers raise anything
            if entrant is self.entrants[0]:
                raise
            entrant.leave(f"failed: {first_line(error)}")
