"""An optimizer with its options, as trainers ask for it: weight decay, wrappers, the update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from allotrope.config import Recipe
from allotrope.errors import UsageError, unknown_name
from allotrope.frameworks.contract import OptimizerOptions
from allotrope.optimizer_options import OPTIMIZER_OPTIONS, OPTIMIZERS
from allotrope.recipe_choices import DECAY_KINDS
from allotrope.training.optimizers.at_step import AtStep, Changed, Slots
from allotrope.training.optimizers.optimizer_table import OPTIMIZER_TABLE, OptimizerKind
from allotrope.training.optimizers.schedule_free import mean_of_steps
from allotrope.training.optimizers.wrappers import (
    SLOW,
    SUM,
    accumulated,
    bounded,
    centralized,
    looked_ahead,
    with_l1,
)


def optimizer_of(recipe: Recipe) -> OptimizerRule:
    """The optimizer that a recipe names. Raises: UsageError for an unknown one or kind of decay."""
    if recipe.optimizer not in OPTIMIZER_TABLE:
        raise unknown_name("optimizer", recipe.optimizer, OPTIMIZERS)
    if recipe.decay_kind not in DECAY_KINDS:
        raise unknown_name("kind of weight decay", recipe.decay_kind, DECAY_KINDS)
    if recipe.optimizer == "schedule-free" and not recipe.momentum:
        raise UsageError("schedule-free takes the mean of steps by momentum, which is 0 here.")
    options = OptimizerOptions(
        name=recipe.optimizer,
        momentum=recipe.momentum,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        decoupled=OPTIMIZER_OPTIONS[recipe.optimizer].decoupled or recipe.decay_kind == "decoupled",
        lookahead=recipe.lookahead or 0,
        accumulate=recipe.accumulate or 1,
        centralize=bool(recipe.centralize),
        l1=recipe.l1 or 0.0,
        max_norm=recipe.max_norm,
    )
    return OptimizerRule(options)


@dataclass(frozen=True)
class OptimizerRule:
    """An optimizer with its options; it holds no state, so one object serves every weight."""

    options: OptimizerOptions

    @property
    def kind(self) -> OptimizerKind:
        """What the table has for its name."""
        return OPTIMIZER_TABLE[self.options.name]

    @property
    def by_shape(self) -> bool:
        """Whether the axes of a weight count, or slots have other shapes than it."""
        rows = self.options.centralize or self.options.max_norm is not None
        return self.kind.by_shape or rows

    @property
    def delivers_another(self) -> bool:
        """Whether other weights than the trained ones are evaluated and delivered."""
        return self.options.name == "schedule-free"

    def delivered(self, p: Any, weight: Any, slots: Slots) -> Any:
        """What is to be evaluated of a weight and its slots."""
        if not self.delivers_another:
            return weight
        return mean_of_steps(p, self.options.momentum, weight, slots)

    def slots(self, p: Any, weight: Any) -> Slots:
        """The state of one weight before the first step."""
        shape, dtype = p.shape(weight), p.dtype(weight)
        own = self.kind.slots
        if isinstance(own, tuple):
            slots = {name: p.full(shape, 0.0, dtype) for name in own}
        else:
            slots = own(p, weight)
        if self.options.accumulate > 1:
            slots[SUM] = p.full(shape, 0.0, dtype)
        if self.options.lookahead:
            slots[SLOW] = p.add(p.full(shape, 0.0, dtype), weight)
        return slots

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
        if self.options.centralize:
            gradient = centralized(p, gradient)
        if self.options.l1:
            gradient = with_l1(p, gradient, weight, self.options.l1)
        at = AtStep(p, self.options, weight, gradient, slots, learning_rate, decay, step)
        if self.options.accumulate == 1:
            return self._looking_ahead(at)

        def inner(mean: Any, own: Slots, done: Any) -> Changed:
            return self._looking_ahead(replace(at, gradient=mean, slots=own, step=done))

        return accumulated(at, self.options.accumulate, inner)

    def _looking_ahead(self, at: AtStep) -> Changed:
        if not self.options.lookahead:
            return self._updated(at)
        own = {name: array for name, array in at.slots.items() if name != SLOW}
        weight, slots = self._updated(replace(at, slots=own))
        weight, slow = looked_ahead(at, self.options.lookahead, weight)
        return weight, {**slots, **slow}

    def _updated(self, at: AtStep) -> Changed:
        p, decay = at.p, at.decay
        if decay and not self.kind.own_decay:
            if self.options.decoupled:
                at = replace(at, weight=p.multiply(at.weight, 1 - at.rate * decay))
            else:
                at = replace(at, gradient=p.add(at.gradient, p.multiply(at.weight, decay)))
        weight, slots = self.kind.update(at)
        if self.options.max_norm is not None:
            weight = bounded(p, weight, self.options.max_norm)
        return weight, slots
