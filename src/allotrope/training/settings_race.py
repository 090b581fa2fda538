"""Settings are raced, not guessed: a few seconds of real steps with each plausible one.

The same start and batches for all. Rounds are interleaved, so that a busy machine disturbs all
alike; what is clearly slower is out early. Only settings whose losses agree with those of the
first, the framework's defaults in float32, can win. One thread is tried before the others if steps
vary strongly; compiling is tried last, for the winner, if it can pay.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from allotrope.config import Recipe, Settings
from allotrope.data import Batches, Data
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, Framework, Trainer
from allotrope.network.network import Network
from allotrope.training.learner import trainer_for
from allotrope.training.race_entrant import AGREEMENT_STEPS, Entrant
from allotrope.training.race_limits import CompileCost, Limits
from allotrope.training.race_rounds import Rounds
from allotrope.training.race_words import NOT_HELD, ONE_SETTING, row_of, why_chosen
from allotrope.training.schedules import learning_rate
from allotrope.training.speed import SMALLEST_BATCH, Clock, one_step, timed_step
from allotrope.training.threads_race import Threads, race_threads, with_threads

WORTH_CHANGING = 1.03
"""How much faster a setting must be than one before it, which is nearer to the defaults."""
FITTING = 0.8
"""All epochs fit in the budget if they are foreseen to take this part of it."""
COMPILED_GAIN = 1.3
"""The gain from compiling that is hoped for when deciding whether to try."""


@dataclass(frozen=True)
class Race:
    """What was measured (`rows`, with the inner keys of `run_words`), what is used and why."""

    rows: list[dict[str, Any]]
    chosen: Settings
    reason: str
    seconds: float
    examples_per_second: float | None


def race_settings(
    network: Network,
    data: Data,
    recipe: Recipe,
    framework: str | Framework = "pytorch",
    seconds: float | None = None,
    options: Sequence[Settings] | None = None,
    report: Callable[[str], None] = lambda line: None,
    clock: Clock = time.monotonic,
    compiling: CompileCost | None = None,
) -> Race:
    """Find the fastest of `options` (by default all plausible) whose loss agrees with float32's.

    `seconds` bounds the race, by default a twentieth of the budget, or of the time that the epochs
    are foreseen to take. `compiling`: what that is expected to cost.

    Raises: what the framework raises if not even the first setting, its defaults, works.
    """
    racing = find_framework(framework) if isinstance(framework, str) else framework
    options = list(racing.settings() if options is None else options)
    if len(options) == 1 and threads_to_race(racing, options[0]) is None:
        return Race([], options[0], ONE_SETTING, 0.0, None)
    cost = compiling or CompileCost()
    return _Racing(network, data, recipe, racing, options, report, clock, cost).run(seconds)


def threads_to_race(framework: Framework, settings: Settings) -> int | None:
    """How many threads one is raced against, if that can be chosen and is left open."""
    several = framework.threads
    if settings.threads is not None or settings.device != "cpu" or several is None or several < 2:
        return None
    return several


class _Racing:
    """One call of `race_settings`."""

    limits: Limits
    samples: list[Batch]
    rounds: Rounds

    def __init__(
        self,
        network: Network,
        data: Data,
        recipe: Recipe,
        framework: Framework,
        options: Sequence[Settings],
        report: Callable[[str], None],
        clock: Clock,
        compiling: CompileCost,
    ) -> None:
        self.network, self.data, self.recipe, self.framework = network, data, recipe, framework
        self.report, self.clock, self.compiling = report, clock, compiling
        self.batches = Batches(data, recipe)
        self.entrants = [Entrant(settings) for settings in options]
        self.rate = learning_rate(recipe, recipe.warmup / 4 if recipe.warmup else 0.0)
        self.started = self.called = clock()
        self.threads = Threads(None, "")

    def run(self, seconds: float | None) -> Race:
        """The race from start to end, for so many seconds if that was said."""
        probe = self._trainer(self.entrants[0].settings)
        per_example = self._probe(probe)
        spent = self.clock() - self.started
        self.limits = Limits.of(self.recipe, self.batches, per_example, seconds, spent)
        self.samples = self._samples()
        if self.limits.size < SMALLEST_BATCH:
            return self._not_held(per_example)
        self._race_threads(probe)
        # Its memory is free before others take theirs.
        del probe
        if len(self.entrants) == 1:
            settings = self.entrants[0].settings
            return Race([], settings, self._said(ONE_SETTING), self._took(), None)
        self.rounds = self._rounds()
        self.rounds.race([one for one in self.entrants if not self._compiles(one)])
        self._try_compiling()
        return self._result()

    # --- how long and on what

    def _probe(self, trainer: Trainer) -> float:
        """Seconds an example in training with the defaults, from a small batch.

        The race's time begins after the first step: what a framework loads and prepares for it,
        every training needs.
        """
        small = self.batches.batch(0, 0).first(32)
        one_step(trainer, small, 0.0, 1)
        self.started = self.clock()
        return timed_step(trainer, small, 0.0, 2, self.clock) / len(small)

    def _trainer(self, settings: Settings) -> Trainer:
        return trainer_for(self.framework, self.network, self.data, self.recipe, settings)

    def _samples(self) -> list[Batch]:
        """The batches that all are raced on, cut to the size that time allows."""
        return [batch.first(self.limits.size) for batch in self.batches.alike(AGREEMENT_STEPS)]

    def _rounds(self) -> Rounds:
        return Rounds(
            self.entrants,
            self._trainer,
            self.samples,
            self.rate,
            self.clock,
            self._left,
            self.report,
        )

    def _left(self) -> float:
        return self.limits.seconds - (self.clock() - self.started)

    def _race_threads(self, probe: Trainer) -> None:
        """One thread against the usual number, if steps vary; with what wins, all are raced."""
        usual = self.entrants[0].settings
        several = threads_to_race(self.framework, usual)
        if several is not None:
            self.threads = race_threads(
                probe,
                lambda count: self._trainer(replace(usual, threads=count)),
                several,
                self.samples[0],
                self.clock,
            )
        if self.threads.reason:
            self.report(self.threads.reason)
        for entrant in self.entrants:
            entrant.settings = with_threads(entrant.settings, self.threads)

    # --- compiling

    def _compiles(self, entrant: Entrant) -> bool:
        """Whether compiling is a choice here and this setting makes it; some always compile."""
        return entrant.settings.compiled and not self.entrants[0].settings.compiled

    def _try_compiling(self) -> None:
        """The compiled form of the fastest, if it may pay."""
        compiled = [entrant for entrant in self.entrants if self._compiles(entrant)]
        if not compiled:
            return
        best = self._fastest(self.entrants)
        for entrant in compiled:
            reason = self._why_not_compile(entrant, best)
            if reason:
                entrant.leave(f"not tried: {reason}")
            else:
                self.rounds.race([best, entrant])

    def _why_not_compile(self, entrant: Entrant, best: Entrant) -> str:
        """What it may save must be more than it costs, and the race must afford it."""
        foreseen = self.compiling.foreseen(self.network) * self.batches.shapes_at_most
        to_save = self._remaining_work(best) * (1 - 1 / COMPILED_GAIN)
        if replace(entrant.settings, compiled=False) != best.settings:
            return "only the fastest setting is worth compiling"
        if foreseen > to_save:
            return f"compiling takes about {foreseen:.0f} s and could save at most {to_save:.0f} s"
        # It is only a guess, so twice as much has to be left; the race compiles for one shape.
        foreseen = 2 * self.compiling.foreseen(self.network)
        if foreseen > self._left():
            return f"compiling may take {foreseen:.0f} s, more than is left of the race"
        return ""

    def _remaining_work(self, entrant: Entrant) -> float:
        """Seconds that the whole training takes at this speed; with a budget, the budget."""
        if self.recipe.epochs is None:
            return self.limits.training_seconds
        return min(self.recipe.budget or math.inf, self._all_epochs(entrant))

    def _all_epochs(self, entrant: Entrant) -> float:
        """Seconds that all epochs take at this speed; endless if only a budget ends them."""
        if self.recipe.epochs is None:
            return math.inf
        steps = self.recipe.epochs * self.batches.steps_per_epoch
        return steps * entrant.median * self.batches.batch_size / self.limits.size

    # --- the outcome

    def _fastest(self, entrants: Sequence[Entrant]) -> Entrant:
        """The fastest of these that agrees; of those about as fast, the nearest to the defaults.

        Rounding buys speed with a little quality: not where all epochs fit in the budget without.
        """
        agreeing = [entrant for entrant in entrants if entrant.agrees and entrant.times]
        exact = [entrant for entrant in agreeing if self._is_exact(entrant)]
        if self._fits(exact):
            agreeing = exact
        best = min(entrant.median for entrant in agreeing)
        return next(one for one in agreeing if one.median <= best * WORTH_CHANGING)

    def _is_exact(self, entrant: Entrant) -> bool:
        return entrant.settings.precision == self.entrants[0].settings.precision

    def _fits(self, entrants: Sequence[Entrant]) -> bool:
        """Whether the fastest of these makes all epochs within the budget, if there is one."""
        if self.recipe.budget is None or not entrants:
            return False
        return min(map(self._all_epochs, entrants)) <= FITTING * self.recipe.budget

    def _result(self) -> Race:
        chosen = self._fastest(self.entrants)
        if self._compiles(chosen):
            chosen = self._unless_it_costs_more(chosen)
        # It may have been out early, as slower than one that rounds.
        chosen.reason = ""
        reason = why_chosen(chosen, self.entrants[0], self._not_needed(chosen))
        return self._race_of(chosen, reason, self.limits.size / chosen.median)

    def _not_needed(self, chosen: Entrant) -> Entrant | None:
        """The fastest of the settings that round where the chosen one does not, if one is faster.

        Each of them says why it is not used.
        """
        rounding = [
            entrant
            for entrant in self.entrants
            if entrant.agrees and entrant.median * WORTH_CHANGING < chosen.median
            if self._is_exact(chosen) and not self._is_exact(entrant)
        ]
        for entrant in rounding:
            entrant.reason = "faster, but it rounds, and all epochs fit in the budget without"
        return min(rounding, key=lambda one: one.median, default=None)

    def _unless_it_costs_more(self, compiled: Entrant) -> Entrant:
        """The compiled setting, or the fastest other one if compiling took more than it saves."""
        fastest = self._fastest([one for one in self.entrants if not self._compiles(one)])
        saved = self._remaining_work(fastest) * (1 - compiled.median / fastest.median)
        took = compiled.compile_seconds * self.batches.shapes_at_most
        if saved > took:
            return compiled
        compiled.reason = f"compiling took {took:.0f} s and would save only {saved:.0f} s"
        return fastest

    def _not_held(self, per_example: float) -> Race:
        for entrant in self.entrants:
            entrant.leave("not measured: the budget is too short for a race")
        defaults = self.entrants[0]
        defaults.agrees = True
        return self._race_of(defaults, NOT_HELD, 1 / per_example)

    def _race_of(self, chosen: Entrant, reason: str, speed: float) -> Race:
        rows = [row_of(entrant, chosen, self.limits.size) for entrant in self.entrants]
        return Race(rows, chosen.settings, self._said(reason), self._took(), speed)

    def _said(self, reason: str) -> str:
        """The reason, and before it why there are so many threads, if these were raced."""
        return f"{self.threads.reason} {reason}".strip()

    def _took(self) -> float:
        return self.clock() - self.called
