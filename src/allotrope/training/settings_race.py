"""Settings are raced, not guessed: a few seconds of real steps with each plausible one.

The same start and batches for all. Rounds are interleaved, so that a busy machine disturbs all alike;
what is clearly slower is out early. Only settings whose losses agree with those of the first, the
framework's defaults in float32, can win. One thread is tried before the others if steps vary
strongly; compiling is tried last, for the winner, if it can pay.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data import Batches, Data
from allotrope.errors import AllotropeError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, Framework, Trainer, TrainingPlan
from allotrope.network.network import Network
from allotrope.training.plan import plan_for
from allotrope.training.schedules import learning_rate
from allotrope.training.speed import SMALLEST_BATCH, Clock, one_step, timed_step
from allotrope.training.threads_race import Threads, race_threads, with_threads

SHARE = 0.05
"""The part of a budget that the race may take."""
SHORTEST = 2.0
"""Seconds that the race may take where there is no budget and the training itself is short."""
ONE_SETTING = "There was one setting to choose from."
AGREEMENT_STEPS = 3
ROUNDS = 9
STEPS_FORESEEN = 24
"""How many steps of the slowest kind a race needs at the least to say something of four settings."""
CLEARLY_SLOWER = 1.25
WORTH_CHANGING = 1.03
"""How much faster a setting must be than one before it in the list, which is nearer to the defaults."""
COMPILED_GAIN = 1.3
"""The gain from compiling that is hoped for when deciding whether to try."""
COMPILE_SECONDS = 10.0
COMPILE_SECONDS_PER_NODE = 0.3


@dataclass(frozen=True)
class Race:
    """What was measured (`rows`, as in run.json), what is used and why."""

    rows: list[dict[str, Any]]
    chosen: Settings
    reason: str
    seconds: float
    images_per_second: float | None


@dataclass
class _Runner:
    """One setting in the race. `times`: seconds a step, one entry a round."""

    settings: Settings
    trainer: Trainer | None = None
    times: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    difference: float | None = None
    compile_seconds: float = 0.0
    reason: str = ""
    agrees: bool = False
    running: bool = True

    @property
    def median(self) -> float:
        """Seconds a step; infinite before anything was timed."""
        return float(np.median(self.times)) if self.times else math.inf

    def leave(self, reason: str) -> None:
        """Out of the race."""
        self.running, self.reason, self.trainer = False, reason, None


def race_settings(
    network: Network,
    data: Data,
    recipe: Recipe,
    framework: str | Framework = "pytorch",
    seconds: float | None = None,
    options: Sequence[Settings] | None = None,
    report: Callable[[str], None] = lambda line: None,
    clock: Clock = time.monotonic,
) -> Race:
    """Find the fastest of `options` (by default all plausible ones) whose loss agrees with float32's.

    `seconds` bounds the race, by default a twentieth of the budget, or of the time that the epochs
    are foreseen to take.

    Raises: what the framework raises if not even the first setting, its defaults, works.
    """
    racing = find_framework(framework) if isinstance(framework, str) else framework
    options = list(racing.settings() if options is None else options)
    if len(options) == 1 and threads_to_race(racing, options[0]) is None:
        return Race([], options[0], ONE_SETTING, 0.0, None)
    return _Racing(network, data, recipe, racing, seconds, options, report, clock).run()


def threads_to_race(framework: Framework, settings: Settings) -> int | None:
    """How many threads one is raced against, if that can be chosen and is left open."""
    several = framework.threads
    if settings.threads is not None or settings.device != "cpu" or several is None or several < 2:
        return None
    return several


class _Racing:
    """One call of `race_settings`."""

    def __init__(
        self,
        network: Network,
        data: Data,
        recipe: Recipe,
        framework: Framework,
        seconds: float | None,
        options: Sequence[Settings],
        report: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self.network, self.recipe, self.framework, self.report = network, recipe, framework, report
        self.clock = clock
        self.batches = Batches(data, recipe)
        plan = plan_for(network, recipe, data.tasks, data.train.columns)
        self.plan: TrainingPlan = plan
        self.runners = [_Runner(settings) for settings in options]
        self.rate = learning_rate(recipe, recipe.warmup / 4 if recipe.warmup else 0.0)
        self.started = self.called = clock()
        self.threads = Threads(None, "")
        self.seconds, self.size = seconds, 0
        self.samples: list[Batch] = []

    def run(self) -> Race:
        """The race from start to end."""
        per_image = self._probe()
        self._set_limits(per_image)
        if self.size < SMALLEST_BATCH:
            return self._not_held(per_image)
        self._race_threads()
        if len(self.runners) == 1:
            return Race([], self.runners[0].settings, self._said(ONE_SETTING), self._took(), None)
        self._race([runner for runner in self.runners if not self._compiles(runner)])
        self._try_compiling()
        return self._result()

    # --- how long and on what

    def _probe(self) -> float:
        """Seconds an image in training with the defaults, from a small batch.

        The race's time begins after the first step: what a framework loads and prepares for it, every training needs.
        """
        small = self.batches.batch(0, 0).first(32)
        self.probe = self._trainer(self.runners[0].settings)
        one_step(self.probe, small, 0.0, 1)
        self.started = self.clock()
        return timed_step(self.probe, small, 0.0, 2, self.clock) / len(small)

    def _trainer(self, settings: Settings) -> Trainer:
        return self.framework.trainer(self.network, self.plan, settings)

    def _race_threads(self) -> None:
        """One thread against the usual number, if steps vary; what wins, all settings are raced with."""
        usual = self.runners[0].settings
        several = threads_to_race(self.framework, usual)
        if several is not None:
            self.threads = race_threads(
                self.probe,
                lambda count: self._trainer(replace(usual, threads=count)),
                several,
                self.samples[0],
                self.clock,
            )
        if self.threads.reason:
            self.report(self.threads.reason)
        for runner in self.runners:
            runner.settings = with_threads(runner.settings, self.threads)
        del self.probe

    def _set_limits(self, per_image: float) -> None:
        epochs = self.recipe.epochs
        steps = None if epochs is None else epochs * self.batches.steps_per_epoch
        foreseen = [
            x for x in (None if steps is None else steps * self.batches.batch_size * per_image, self.recipe.budget) if x is not None
        ]
        self.training_seconds = min(foreseen, default=0.0)
        shortest = SHORTEST if self.recipe.budget is None else 0.0
        self.seconds = self.seconds if self.seconds is not None else max(SHARE * self.training_seconds, shortest)
        affordable = 0.8 * self._left() / (STEPS_FORESEEN * per_image)
        self.size = int(min(self.batches.batch_size, affordable))
        count = min(AGREEMENT_STEPS, self.batches.steps_per_epoch)
        order = self.batches.order(0)
        self.samples = [self.batches.batch(0, step, order).first(self.size) for step in range(count)]

    def _left(self) -> float:
        assert self.seconds is not None
        return self.seconds - (self.clock() - self.started)

    def _not_held(self, per_image: float) -> Race:
        for runner in self.runners:
            runner.leave("not measured: the budget is too short for a race")
        self.runners[0].agrees = True
        return self._race_of(self.runners[0], "The budget is too short for a race, so the framework's defaults are used.", 1 / per_image)

    # --- the rounds

    def _race(self, runners: list[_Runner]) -> None:
        """Interleaved rounds until time is up or enough are made; those that have not begun yet make their first steps before."""
        for runner in runners:
            if runner.trainer is None:
                self._start(runner)
        for number in range(ROUNDS):
            alive = [runner for runner in runners if runner.running]
            if (len(alive) < 2 and number > 2) or self._left() < sum(runner.median for runner in alive if runner.times):
                break
            for runner in alive:
                self._guarded(runner, self._round)
            self._eliminate(alive)

    def _start(self, runner: _Runner) -> None:
        if self._left() <= 0:
            runner.leave("not measured: the time for the race was up")
            return
        self.report(f"racing settings: {described(runner.settings)}")
        self._guarded(runner, self._first_steps)

    def _first_steps(self, runner: _Runner) -> None:
        """Steps on one batch from the same start, whose losses are compared with those of the defaults; the first one may compile."""
        runner.trainer = self._trainer(runner.settings)
        seconds = []
        for step in range(1, AGREEMENT_STEPS + 1):
            started = self.clock()
            runner.losses.append(one_step(runner.trainer, self.samples[0], self.rate, step))
            seconds.append(self.clock() - started)
        runner.times.append(min(seconds[1:]))
        runner.compile_seconds = max(seconds[0] - runner.times[0], 0.0) if runner.settings.compiled else 0.0
        runner.difference, runner.agrees = agreement(runner.losses, self.runners[0].losses)
        if not runner.agrees:
            runner.leave("its loss does not agree with that of the defaults")

    def _round(self, runner: _Runner) -> None:
        assert runner.trainer is not None
        step = AGREEMENT_STEPS + len(runner.times)
        batch = self.samples[step % len(self.samples)]
        runner.times.append(timed_step(runner.trainer, batch, self.rate, step, self.clock))

    def _eliminate(self, alive: list[_Runner]) -> None:
        best = min(runner.median for runner in self.runners)
        for runner in alive:
            slower = runner.median / best
            if runner.running and slower > (2 * CLEARLY_SLOWER if len(runner.times) < 3 else CLEARLY_SLOWER):
                runner.leave(f"{slower:.1f} times slower than the fastest; out after {len(runner.times)} rounds")

    def _guarded(self, runner: _Runner, action: Callable[[_Runner], None]) -> None:
        """A setting that fails is out, with the reason; the defaults must work."""
        try:
            action(runner)
        except Exception as error:  # frameworks and compilers raise anything
            if runner is self.runners[0]:
                raise
            runner.leave(f"failed: {_first_line(error)}")

    # --- compiling

    def _try_compiling(self) -> None:
        """The compiled form of the fastest, if the time it may save is more than compiling costs, and the race can afford it."""
        if not any(map(self._compiles, self.runners)):
            return
        best = self._fastest()
        foreseen = COMPILE_SECONDS + COMPILE_SECONDS_PER_NODE * len(self.network.graph.nodes)
        to_save = self._remaining_work(best) * (1 - 1 / COMPILED_GAIN)
        for runner in self.runners:
            if not self._compiles(runner):
                continue
            if replace(runner.settings, compiled=False) != best.settings:
                runner.leave("not tried: only the fastest setting is worth compiling")
            elif foreseen > to_save:
                runner.leave(f"not tried: compiling takes about {foreseen:.0f} s and could save at most {to_save:.0f} s")
            elif 2 * foreseen > self._left():
                runner.leave(f"not tried: compiling may take {2 * foreseen:.0f} s, more than is left of the race")
            else:
                self._race([best, runner])

    def _compiles(self, runner: _Runner) -> bool:
        """Whether compiling is a choice here and this runner made it; some frameworks always compile."""
        return runner.settings.compiled and not self.runners[0].settings.compiled

    def _remaining_work(self, runner: _Runner) -> float:
        """Seconds that the whole training takes with this runner's speed; with a budget, the budget."""
        if self.recipe.epochs is None:
            return self.training_seconds
        steps = self.recipe.epochs * self.batches.steps_per_epoch
        return min(self.recipe.budget or math.inf, steps * runner.median * self.batches.batch_size / self.size)

    # --- the outcome

    def _fastest(self) -> _Runner:
        """The fastest that agrees; among those about as fast, the one nearest to the defaults."""
        agreeing = [runner for runner in self.runners if runner.agrees and runner.times]
        best = min(runner.median for runner in agreeing)
        return next(runner for runner in agreeing if runner.median <= best * WORTH_CHANGING)

    def _result(self) -> Race:
        eager = [runner for runner in self.runners if not self._compiles(runner)]
        chosen = self._fastest()
        if self._compiles(chosen):
            plain = min((runner for runner in eager if runner.agrees), key=lambda runner: runner.median)
            saved = self._remaining_work(plain) * (1 - chosen.median / plain.median)
            if saved <= chosen.compile_seconds:
                chosen.reason = f"compiling took {chosen.compile_seconds:.0f} s and would save only {saved:.0f} s"
                chosen = plain
        faster = self.runners[0].median / chosen.median
        reason = f"{described(chosen.settings)} is {faster:.2f} times as fast as the defaults, and its loss agrees with theirs."
        if chosen is self.runners[0]:
            reason = "The framework's defaults are the fastest, or as fast as the fastest."
        return self._race_of(chosen, reason, self.size / chosen.median)

    def _race_of(self, chosen: _Runner, reason: str, speed: float) -> Race:
        rows = [self._row(runner, chosen) for runner in self.runners]
        return Race(rows, chosen.settings, self._said(reason), self._took(), speed)

    def _said(self, reason: str) -> str:
        """The reason, and before it why there are so many threads, if these were raced."""
        return f"{self.threads.reason} {reason}".strip()

    def _took(self) -> float:
        return self.clock() - self.called

    def _row(self, runner: _Runner, chosen: _Runner) -> dict[str, Any]:
        settings = {name: value for name, value in asdict(runner.settings).items() if name != "threads"}
        milliseconds = {"median": 1e3 * runner.median, "p90": 1e3 * float(np.quantile(runner.times, 0.9))} if runner.times else None
        return {
            **settings,
            "images_per_second": self.size / runner.median if runner.times else None,
            "milliseconds": milliseconds,
            "batch": self.size if runner.times else None,
            "rounds": len(runner.times),
            "compile_seconds": runner.compile_seconds,
            "loss_difference": runner.difference,
            "agrees": runner.agrees,
            "chosen": runner is chosen,
            "reason": runner.reason or _standing(runner, chosen),
        }


def _standing(runner: _Runner, chosen: _Runner) -> str:
    if runner is chosen:
        return "chosen"
    return "slower" if runner.median >= chosen.median else "faster by too little to leave what is nearer to the defaults"


def agreement(losses: Sequence[float], expected: Sequence[float]) -> tuple[float, bool]:
    """The largest relative difference between two courses of the loss, and whether they count as one.

    They may differ by 2 % of the loss, as rounding to bfloat16 does, and by a quarter of what the steps so far have changed:
    a setting whose steps do not learn as the defaults' do does not agree.
    """
    if not np.isfinite(losses).all():
        return math.inf, False
    found, wanted = np.asarray(losses), np.asarray(expected)
    difference = np.abs(found - wanted)
    allowed = 0.02 * np.abs(wanted) + 0.25 * np.abs(wanted - wanted[0])
    return float((difference / np.maximum(np.abs(wanted), 1e-6)).max()), bool((difference <= allowed).all())


def described(settings: Settings) -> str:
    """Settings in words: `bfloat16, channels-last, compiled on cpu`."""
    words = [settings.precision]
    if settings.layout != "default":
        words.append(settings.layout)
    if settings.compiled:
        words.append("compiled")
    return f"{', '.join(words)} on {settings.device}"


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    prefix = "" if isinstance(error, AllotropeError) else f"{type(error).__name__}: "
    return (prefix + text.splitlines()[0])[:300]
