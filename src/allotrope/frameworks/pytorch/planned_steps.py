"""Optimizers that PyTorch has no kernel for, over primitives, a weight at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from allotrope.frameworks.contract import TrainingPlan
from allotrope.frameworks.updates import updated


class PlannedSteps:
    """`plan.optimizer` over these primitives; a parameter without a gradient has one of zeros."""

    def __init__(self, plan: TrainingPlan, parameters: Mapping[str, Tensor], p: Any) -> None:
        """For these parameters by name."""
        self.plan, self.parameters, self.p = plan, parameters, p
        with torch.no_grad():
            self.slots: dict[str, dict[str, Tensor]] = {
                name: plan.optimizer.slots(p, weight) for name, weight in parameters.items()
            }

    @torch.no_grad()
    def step(self, learning_rate: float, step: int) -> None:
        """Changes the parameters by their gradients, and the slots in place."""
        for name, weight in self.parameters.items():
            gradient, own = weight.grad, self.slots[name]
            if gradient is None:
                gradient = torch.zeros_like(weight)
            new, slots = updated(
                self.p, self.plan, name, weight, gradient, own, learning_rate, step
            )
            weight.copy_(new)
            for slot, value in slots.items():
                own[slot].copy_(value)

    @torch.no_grad()
    def delivered(self) -> dict[str, Tensor]:
        """What is to be evaluated of each parameter."""
        optimizer = self.plan.optimizer
        return {
            name: optimizer.delivered(self.p, weight, self.slots[name])
            for name, weight in self.parameters.items()
        }
