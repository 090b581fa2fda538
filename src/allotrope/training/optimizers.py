"""How a gradient changes a weight, written once over the primitives `p` of any framework: SGD, momentum, Nesterov, RMSprop, Adam, AdamW.

Weight decay: `l2` adds decay * weight to the gradient; `decoupled` multiplies the weight by 1 - learning rate * decay before the update.
RMSprop and Adam keep epsilon outside the root; Adam corrects its bias (Kingma and Ba 2015); `momentum` is its beta1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allotrope.config import OPTIMIZERS, Recipe
from allotrope.errors import unknown_name

Slots = dict[str, Any]
"""What an optimizer remembers of one weight, by name: arrays of the weight's shape."""

DECAY_KINDS = ("l2", "decoupled")


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with its options; holds no state of its own, so one object serves every weight."""

    options: Recipe

    def __post_init__(self) -> None:
        """Raises: UsageError for an unknown optimizer or kind of decay."""
        if self.options.optimizer not in _UPDATES:
            raise unknown_name("optimizer", self.options.optimizer, OPTIMIZERS)
        if self.options.decay_kind not in DECAY_KINDS:
            raise unknown_name("kind of weight decay", self.options.decay_kind, DECAY_KINDS)

    @property
    def decoupled(self) -> bool:
        """Whether decay multiplies the weight instead of being added to the gradient; AdamW means just that."""
        return self.options.optimizer == "adamw" or self.options.decay_kind == "decoupled"

    def slots(self, p: Any, weight: Any) -> Slots:
        """The state of one weight before the first step."""
        return {name: p.full(p.shape(weight), 0.0, p.dtype(weight)) for name in _SLOTS[self.options.optimizer]}

    def update(self, p: Any, weight: Any, gradient: Any, slots: Slots, learning_rate: Any, decay: float, step: Any) -> tuple[Any, Slots]:
        """The weight and its slots after one step. `step` counts from 1; `decay` is this weight's."""
        if decay and self.decoupled:
            weight = p.multiply(weight, 1 - learning_rate * decay)
        elif decay:
            gradient = p.add(gradient, p.multiply(weight, decay))
        change, slots = _UPDATES[self.options.optimizer](p, self.options, gradient, slots, step)
        return p.subtract(weight, p.multiply(change, learning_rate)), slots


def _sgd(p: Any, options: Recipe, gradient: Any, slots: Slots, step: Any) -> tuple[Any, Slots]:
    return gradient, {}


def _momentum(p: Any, options: Recipe, gradient: Any, slots: Slots, step: Any) -> tuple[Any, Slots]:
    velocity = p.add(p.multiply(slots["velocity"], options.momentum), gradient)
    return velocity, {"velocity": velocity}


def _nesterov(p: Any, options: Recipe, gradient: Any, slots: Slots, step: Any) -> tuple[Any, Slots]:
    velocity = p.add(p.multiply(slots["velocity"], options.momentum), gradient)
    return p.add(gradient, p.multiply(velocity, options.momentum)), {"velocity": velocity}


def _rmsprop(p: Any, options: Recipe, gradient: Any, slots: Slots, step: Any) -> tuple[Any, Slots]:
    square = _moving_mean(p, slots["square"], p.multiply(gradient, gradient), options.beta2)
    return p.divide(gradient, p.add(p.sqrt(square), options.epsilon)), {"square": square}


def _adam(p: Any, options: Recipe, gradient: Any, slots: Slots, step: Any) -> tuple[Any, Slots]:
    mean = _moving_mean(p, slots["mean"], gradient, options.momentum)
    square = _moving_mean(p, slots["square"], p.multiply(gradient, gradient), options.beta2)
    root = p.sqrt(p.divide(square, 1 - options.beta2**step))
    return p.divide(p.divide(mean, 1 - options.momentum**step), p.add(root, options.epsilon)), {"mean": mean, "square": square}


def _moving_mean(p: Any, mean: Any, value: Any, decay: float) -> Any:
    return p.add(p.multiply(mean, decay), p.multiply(value, 1 - decay))


Update = Callable[[Any, Recipe, Any, Slots, Any], tuple[Any, Slots]]

_UPDATES: dict[str, Update] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
}
_SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("square",),
    "adam": ("mean", "square"),
    "adamw": ("mean", "square"),
}
