"""How fast a training is on this machine, from a few real steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from allotrope.config import Recipe, Settings
from allotrope.data import Batches, Data
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, Trainer
from allotrope.network.network import Network
from allotrope.training.learner import trainer_for

Clock = Callable[[], float]
"""Seconds since some moment."""

SMALLEST_BATCH = 16
PROBE_SECONDS = 0.2
PROBES = 4
COMPILED_SIZE = 64


def training_speed(
    network: Network,
    data: Data,
    recipe: Recipe,
    framework: str = "pytorch",
    options: Sequence[Settings] | None = None,
) -> float:
    """About how many examples a second a training makes here.

    From a few small steps with each setting that costs little to start. `options`: the settings
    that may be used, by default all that are plausible here.
    """
    trains = find_framework(framework)
    (batch,) = Batches(data, recipe).alike(1)
    return max(
        _speed(trainer_for(trains, network, data, recipe, settings), batch, settings.compiled)
        for settings in quick_to_start(options or trains.settings())
    )


def quick_to_start(options: Sequence[Settings]) -> Sequence[Settings]:
    """Those of the first device that need no compiling, and of these those in the faster layout.

    Where all compile, as JAX does and a user may ask for, the first alone.
    """
    here = [settings for settings in options if settings.device == options[0].device]
    eager = [settings for settings in here if not settings.compiled]
    channels_last = [settings for settings in eager if settings.layout == "channels-last"]
    return channels_last or eager or here[:1]


def _speed(trainer: Trainer, batch: Batch, compiled: bool) -> float:
    """Examples a second, by the fastest of a few steps that move no weight.

    They are on as much of the batch as takes about `PROBE_SECONDS`, or, where each size is compiled
    by itself, on `COMPILED_SIZE`. A machine that others use too is slower for some of them: too
    narrow a network would be chosen for the whole training.
    """
    size = COMPILED_SIZE if compiled else _affordable(trainer, batch)
    whole = batch.first(size)
    one_step(trainer, whole, 0.0, 3)
    return len(whole) / min(timed_step(trainer, whole, 0.0, 4 + step) for step in range(PROBES))


def _affordable(trainer: Trainer, batch: Batch) -> int:
    """How many examples take about `PROBE_SECONDS`, by a step of few."""
    small = batch.first(SMALLEST_BATCH)
    one_step(trainer, small, 0.0, 1)
    affordable = PROBE_SECONDS / timed_step(trainer, small, 0.0, 2) * SMALLEST_BATCH
    return max(SMALLEST_BATCH, int(affordable))


def one_step(trainer: Trainer, batch: Batch, rate: float, step: int) -> float:
    """The loss of a step, waited for."""
    return float(trainer.step(batch, rate, step))


def timed_step(
    trainer: Trainer, batch: Batch, rate: float, step: int, clock: Clock = time.monotonic
) -> float:
    """Seconds of a step, its loss waited for."""
    started = clock()
    one_step(trainer, batch, rate, step)
    return clock() - started
