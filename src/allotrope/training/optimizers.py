"""How a gradient changes a weight, written once over the primitives `p` of any framework.

SGD, momentum, Nesterov, RMSprop, Adam, AdamW. Weight decay: `l2` adds decay * weight to the
gradient; `decoupled` multiplies the weight by 1 - learning rate * decay before the update. RMSprop
and Adam keep epsilon outside the root; Adam corrects its bias (Kingma and Ba 2015); `momentum` is
its beta1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.frameworks.contract import OptimizerOptions
from allotrope.recipe_choices import OPTIMIZERS

Slots = dict[str, Any]
"""What an optimizer remembers of one weight, by name: arrays of the weight's shape."""

DECAY_KINDS = ("l2", "decoupled")


def optimizer_of(recipe: Recipe) -> OptimizerRule:
    """The optimizer that a recipe names. Raises: UsageError for an unknown one or kind of decay."""
    if recipe.optimizer not in _UPDATES:
        raise unknown_name("optimizer", recipe.optimizer, OPTIMIZERS)
    if recipe.decay_kind not in DECAY_KINDS:
        raise unknown_name("kind of weight decay", recipe.decay_kind, DECAY_KINDS)
    options = OptimizerOptions(
        name=recipe.optimizer,
        momentum=recipe.momentum,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        decoupled=recipe.optimizer == "adamw" or recipe.decay_kind == "decoupled",
    )
    return OptimizerRule(options)


@dataclass(frozen=True)
class OptimizerRule:
    """An optimizer with its options; it holds no state, so one object serves every weight."""

    options: OptimizerOptions

    def slots(self, p: Any, weight: Any) -> Slots:
        """The state of one weight before the first step."""
        shape, dtype = p.shape(weight), p.dtype(weight)
        return {name: p.full(shape, 0.0, dtype) for name in _SLOTS[self.options.name]}

    def update(
        self,
        p: Any,
        weight: Any,
        gradient: Any,
        slots: Slots,
        learning_rate: Any,
        decay: float,
        step: Any,
    ) -> tuple[Any, Slots]:
        """The weight and its slots after one step.

        `step` counts from 1, `decay` is this weight's.
        """
        if decay and self.options.decoupled:
            weight = p.multiply(weight, 1 - learning_rate * decay)
        elif decay:
            gradient = p.add(gradient, p.multiply(weight, decay))
        change, slots = _UPDATES[self.options.name](p, self.options, gradient, slots, step)
        return p.subtract(weight, p.multiply(change, learning_rate)), slots


def _sgd(
    p: Any, options: OptimizerOptions, gradient: Any, slots: Slots, step: Any
) -> tuple[Any, Slots]:
    return gradient, {}


def _momentum(
    p: Any, options: OptimizerOptions, gradient: Any, slots: Slots, step: Any
) -> tuple[Any, Slots]:
    velocity = p.add(p.multiply(slots["velocity"], options.momentum), gradient)
    return velocity, {"velocity": velocity}


def _nesterov(
    p: Any, options: OptimizerOptions, gradient: Any, slots: Slots, step: Any
) -> tuple[Any, Slots]:
    velocity = p.add(p.multiply(slots["velocity"], options.momentum), gradient)
    return p.add(gradient, p.multiply(velocity, options.momentum)), {"velocity": velocity}


def _rmsprop(
    p: Any, options: OptimizerOptions, gradient: Any, slots: Slots, step: Any
) -> tuple[Any, Slots]:
    square = _moving_mean(p, slots["square"], p.multiply(gradient, gradient), options.beta2)
    return p.divide(gradient, p.add(p.sqrt(square), options.epsilon)), {"square": square}


def _adam(
    p: Any, options: OptimizerOptions, gradient: Any, slots: Slots, step: Any
) -> tuple[Any, Slots]:
    mean = _moving_mean(p, slots["mean"], gradient, options.momentum)
    square = _moving_mean(p, slots["square"], p.multiply(gradient, gradient), options.beta2)
    root = p.sqrt(p.divide(square, 1 - options.beta2**step))
    change = p.divide(p.divide(mean, 1 - options.momentum**step), p.add(root, options.epsilon))
    return change, {"mean": mean, "square": square}


def _moving_mean(p: Any, mean: Any, value: Any, decay: float) -> Any:
    return p.add(p.multiply(mean, decay), p.multiply(value, 1 - decay))


Update = Callable[[Any, OptimizerOptions, Any, Slots, Any], tuple[Any, Slots]]

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
