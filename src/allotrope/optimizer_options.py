"""Every optimizer by name: which options it has, and what is usual for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from allotrope.errors import UsageError

NUMBERS = ("momentum", "beta2", "epsilon")
"""Options that some optimizers have; `momentum` is the beta1 of those that have two."""
BETAS = ("momentum", "beta2")


@dataclass(frozen=True)
class OfOptimizer:
    """What is known of an optimizer beside how it computes.

    `options` are those that it has of `NUMBERS`, `usual` its own values if they are not those of a
    recipe. `rate` is a usual learning rate. `adaptive`: it brings gradients of every size to one.
    `decoupled`: its decay multiplies the weight whatever the recipe says. `constant`: it wants no
    schedule and no average of weights.
    """

    options: tuple[str, ...]
    rate: float
    usual: dict[str, float] = field(default_factory=dict)
    adaptive: bool = True
    decoupled: bool = False
    constant: bool = False


OPTIMIZER_OPTIONS: dict[str, OfOptimizer] = {
    "sgd": OfOptimizer((), 0.1, adaptive=False),
    "momentum": OfOptimizer(("momentum",), 0.1, adaptive=False),
    "nesterov": OfOptimizer(("momentum",), 0.1, adaptive=False),
    "rmsprop": OfOptimizer(("beta2", "epsilon"), 1e-3),
    "adam": OfOptimizer(NUMBERS, 1e-3),
    "adamw": OfOptimizer(NUMBERS, 1e-3, decoupled=True),
    "adagrad": OfOptimizer(("epsilon",), 1e-2, {"epsilon": 1e-10}),
    "adadelta": OfOptimizer(("beta2", "epsilon"), 1.0, {"beta2": 0.9, "epsilon": 1e-6}),
    "adamax": OfOptimizer(NUMBERS, 2e-3),
    "nadam": OfOptimizer(NUMBERS, 1e-3),
    "radam": OfOptimizer(NUMBERS, 1e-3),
    "amsgrad": OfOptimizer(NUMBERS, 1e-3),
    "lion": OfOptimizer(BETAS, 1e-4, {"beta2": 0.99}, decoupled=True),
    "lamb": OfOptimizer(NUMBERS, 2e-3, {"epsilon": 1e-6}, decoupled=True),
    # Its steps are 0.001 of the weights at a rate of 1, so that rates are of another kind.
    "lars": OfOptimizer(("momentum",), 5.0),
    "adafactor": OfOptimizer((), 1e-2, decoupled=True),
    "muon": OfOptimizer(NUMBERS, 1e-3, decoupled=True),
    "schedule-free": OfOptimizer(NUMBERS, 2.5e-3, decoupled=True, constant=True),
}
OPTIMIZERS = tuple(OPTIMIZER_OPTIONS)


def check_options(optimizer: str, asked: Iterable[str]) -> None:
    """Raises UsageError that lists the options that an optimizer does not have, and who has them.

    `asked` may have other names beside `NUMBERS`.
    """
    known = OPTIMIZER_OPTIONS[optimizer].options
    lacking = [name for name in NUMBERS if name in asked and name not in known]
    if not lacking:
        return
    have = [f"{name} is an option of {', '.join(_with_option(name))}" for name in lacking]
    own = f"its options are {', '.join(known)}" if known else "it has no such options"
    raise UsageError(
        f"optimizer {optimizer} has no {' and no '.join(lacking)}: {own}. {'; '.join(have)}."
    )


def _with_option(name: str) -> list[str]:
    return [each for each, of in OPTIMIZER_OPTIONS.items() if name in of.options]
