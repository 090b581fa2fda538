"""Which optimizer makes the steps of a plan in PyTorch: its own if it has it, else the plan's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from allotrope.frameworks.contract import TrainingPlan
from allotrope.frameworks.pytorch.fused_optimizer import SLOTS, FusedOptimizer
from allotrope.frameworks.pytorch.planned_steps import PlannedSteps


def optimizer_for(
    plan: TrainingPlan, parameters: Mapping[str, Tensor], p: Any
) -> FusedOptimizer | PlannedSteps:
    """What changes these parameters by name; `p` are the primitives of their device."""
    options = plan.optimizer.options
    if options.name in SLOTS and not options.wrapped:
        return FusedOptimizer(plan, parameters)
    return PlannedSteps(plan, parameters, p)
