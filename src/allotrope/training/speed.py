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


def training_speed(
    network: Network,
    data: Data,
    recipe: Recipe,
    framework: str = "pytorch",
    options: Sequence[Settings] | None = None,
) -> float:
    """About how many examples a second a training makes here.

    From a few small steps with each setting that is not compiled. `options`: the settings that may
    be used, by default all that are plausible here.
    """
    trains = find_framework(framework)
    usable = [settings for settings in (options or trains.settings()) if not settings.compiled]
    channels_last = [settings for settings in usable if settings.layout == "channels-last"]
    (batch,) = Batches(data, recipe).alike(1)
    return max(
        _speed(trainer_for(trains, network, data, recipe, settings), batch)
        for settings in channels_last or usable
    )


def _speed(trainer: Trainer, batch: Batch) -> float:
    """Examples a second, by the fastest of a few steps that move no weight.

    They are on as much of the batch as takes about `PROBE_SECONDS`. A machine that others use too
    is slower for some of them: too narrow a network would be chosen for the whole training.
    """
    small = batch.first(SMALLEST_BATCH)
    one_step(trainer, small, 0.0, 1)
    affordable = PROBE_SECONDS / timed_step(trainer, small, 0.0, 2) * SMALLEST_BATCH
    whole = batch.first(max(SMALLEST_BATCH, int(affordable)))
    one_step(trainer, whole, 0.0, 3)
    return len(whole) / min(timed_step(trainer, whole, 0.0, 4 + step) for step in range(PROBES))


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
