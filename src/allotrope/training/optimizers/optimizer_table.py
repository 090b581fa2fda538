"""Every optimizer by name: its update, what it remembers, which options it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allotrope.training.optimizers.adam_family import adam, adamax, amsgrad, nadam, radam
from allotrope.training.optimizers.at_step import Slots, Update
from allotrope.training.optimizers.by_squares import adadelta, adagrad, rmsprop
from allotrope.training.optimizers.descent import momentum, nesterov, sgd
from allotrope.training.optimizers.factored import adafactor, adafactor_slots
from allotrope.training.optimizers.orthogonal import muon, muon_slots
from allotrope.training.optimizers.schedule_free import schedule_free, schedule_free_slots
from allotrope.training.optimizers.sign_descent import lion
from allotrope.training.optimizers.trust_ratio import lamb, lars

MakeSlots = Callable[[Any, Any], Slots]


@dataclass(frozen=True)
class OptimizerKind:
    """How an optimizer of the table computes; optimizer_options.py has its options.

    `slots` are names of arrays of the weight's shape that begin at 0, or make others. `own_decay`:
    it decays by itself. `by_shape`: the axes of a weight count, not only its numbers.
    """

    update: Update
    slots: tuple[str, ...] | MakeSlots
    own_decay: bool = False
    by_shape: bool = False


_ADAM = ("mean", "square")
OPTIMIZER_TABLE: dict[str, OptimizerKind] = {
    "sgd": OptimizerKind(sgd, ()),
    "momentum": OptimizerKind(momentum, ("velocity",)),
    "nesterov": OptimizerKind(nesterov, ("velocity",)),
    "rmsprop": OptimizerKind(rmsprop, ("square",)),
    "adam": OptimizerKind(adam, _ADAM),
    "adamw": OptimizerKind(adam, _ADAM),
    "adagrad": OptimizerKind(adagrad, ("total",)),
    "adadelta": OptimizerKind(adadelta, ("square", "change")),
    "adamax": OptimizerKind(adamax, ("mean", "largest")),
    "nadam": OptimizerKind(nadam, _ADAM),
    "radam": OptimizerKind(radam, _ADAM),
    "amsgrad": OptimizerKind(amsgrad, (*_ADAM, "largest")),
    "lion": OptimizerKind(lion, ("mean",)),
    "lamb": OptimizerKind(lamb, _ADAM, own_decay=True),
    "lars": OptimizerKind(lars, ("velocity",), own_decay=True),
    "adafactor": OptimizerKind(adafactor, adafactor_slots, own_decay=True, by_shape=True),
    "muon": OptimizerKind(muon, muon_slots, by_shape=True),
    "schedule-free": OptimizerKind(
        schedule_free, schedule_free_slots, own_decay=True, by_shape=True
    ),
}
