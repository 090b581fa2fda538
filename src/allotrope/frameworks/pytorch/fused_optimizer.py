"""Optimizers by PyTorch's kernels that change all weights in one call.

Those of `torch.optim` call the same ones, and import PyTorch's compiler before: more than a second
of each process that trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from allotrope.frameworks.contract import TrainingPlan

MOMENTUM, RMSPROP, ADAM = ("velocity",), ("square",), ("mean", "square")
SLOTS = {
    "sgd": (),
    "momentum": MOMENTUM,
    "nesterov": MOMENTUM,
    "rmsprop": RMSPROP,
    "adam": ADAM,
    "adamw": ADAM,
}
"""What each of them remembers of a weight."""


@dataclass(frozen=True)
class Group:
    """Weights of one dtype that share a learning-rate scale and a weight decay.

    The decay is either `shrink`, by which weights are multiplied, or `added` to their gradients.
    """

    weights: Mapping[str, Tensor]
    scale: float
    shrink: float
    added: float


class FusedOptimizer:
    """The optimizer of a plan. Tests show that it computes what `plan.optimizer` does."""

    def __init__(self, plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> None:
        """For these parameters by name."""
        self.options = plan.optimizer.options
        self.groups = list(_groups(plan, parameters))
        self.slots = {
            name: {slot: torch.zeros_like(weight) for slot in SLOTS[self.options.name]}
            for name, weight in parameters.items()
        }

    @torch.no_grad()
    def step(self, learning_rate: float, step: int) -> None:
        """Changes the parameters by their gradients."""
        for group in self.groups:
            rate = learning_rate * group.scale
            if group.shrink:
                torch._foreach_mul_(list(group.weights.values()), 1 - rate * group.shrink)
            self._change(group, rate, step)

    def delivered(self) -> dict[str, Tensor]:
        """None of these delivers other weights than it trains."""
        return {}

    def _change(self, group: Group, rate: float, step: int) -> None:
        """Weights without a gradient stay."""
        names = [name for name, weight in group.weights.items() if weight.grad is not None]
        if not names:
            return
        weights = [group.weights[name] for name in names]
        gradients = [weight.grad for weight in weights]
        own = [[self.slots[n][slot] for n in names] for slot in SLOTS[self.options.name]]
        if self.options.name == "rmsprop":
            self._rmsprop(weights, gradients, own, rate, group.added)
        elif self.options.name in ("adam", "adamw"):
            self._adam(weights, gradients, own, rate, group.added, step)
        else:
            self._sgd(weights, gradients, own, rate, group.added)

    def _sgd(self, weights: Any, gradients: Any, own: Any, rate: float, decay: float) -> None:
        torch._fused_sgd_(
            weights,
            gradients,
            *(own or [[]]),
            weight_decay=decay,
            momentum=self.options.momentum if own else 0.0,
            lr=rate,
            dampening=0.0,
            nesterov=self.options.name == "nesterov",
            maximize=False,
            is_first_step=False,
        )

    def _rmsprop(self, weights: Any, gradients: Any, own: Any, rate: float, decay: float) -> None:
        (squares,) = own
        if decay:
            gradients = torch._foreach_add(gradients, weights, alpha=decay)
        torch._foreach_mul_(squares, self.options.beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - self.options.beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, self.options.epsilon)
        torch._foreach_addcdiv_(weights, gradients, roots, value=-rate)

    def _adam(
        self, weights: Any, gradients: Any, own: Any, rate: float, decay: float, step: int
    ) -> None:
        means, squares = own
        # The count of steps, which corrects the bias of both means.
        count = torch.full((), float(step), device=weights[0].device)
        torch._fused_adam_(
            weights,
            gradients,
            means,
            squares,
            [],
            [count] * len(weights),
            lr=rate,
            beta1=self.options.momentum,
            beta2=self.options.beta2,
            weight_decay=decay,
            eps=self.options.epsilon,
            amsgrad=False,
            maximize=False,
        )


def _groups(plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> Iterator[Group]:
    keys = {
        name: (
            plan.learning_rate_scale.get(name, 1.0),
            plan.weight_decay.get(name, 0.0),
            str(weight.dtype),
        )
        for name, weight in parameters.items()
    }
    for key in sorted(set(keys.values())):
        scale, decay, _ = key
        members = {name: parameters[name] for name, own in keys.items() if own == key}
        if plan.optimizer.options.decoupled:
            yield Group(members, scale, shrink=decay, added=0.0)
        else:
            yield Group(members, scale, shrink=0.0, added=decay)
