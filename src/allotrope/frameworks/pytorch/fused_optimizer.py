"""PyTorch's own optimizers, which change all weights in one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from allotrope.frameworks.contract import TrainingPlan

SLOTS = {
    "sgd": {},
    "momentum": {"velocity": "momentum_buffer"},
    "nesterov": {"velocity": "momentum_buffer"},
    "rmsprop": {"square": "square_avg"},
    "adam": {"mean": "exp_avg", "square": "exp_avg_sq"},
    "adamw": {"mean": "exp_avg", "square": "exp_avg_sq"},
}
"""What each of them remembers of a weight: our name, PyTorch's name."""


class FusedOptimizer:
    """One of `torch.optim` for a plan. Tests show that it computes what `plan.optimizer` does."""

    def __init__(self, plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> None:
        """For these parameters by name."""
        self.own = _own(plan, parameters)
        self.slots = self._prepared(plan.optimizer.options.name, parameters)

    def step(self, learning_rate: float, step: int) -> None:
        """Changes the parameters by their gradients."""
        for group in self.own.param_groups:
            group["lr"] = learning_rate * group["scale"]
            if group["shrink"]:
                with torch.no_grad():
                    torch._foreach_mul_(group["params"], 1 - group["lr"] * group["shrink"])
        # The optimizer's own count of steps, which corrects Adam's bias.
        for slots in self.own.state.values():
            if "step" in slots:
                slots["step"].fill_(step - 1)
        self.own.step()

    def delivered(self) -> dict[str, Tensor]:
        """None of these delivers other weights than it trains."""
        return {}

    def _prepared(
        self, name: str, parameters: Mapping[str, Tensor]
    ) -> dict[str, dict[str, Tensor]]:
        """Slots by parameter, which PyTorch makes in the first step.

        Made here, a checkpoint finds the same names before it as after.
        """
        made = {}
        for key, parameter in parameters.items():
            slots = self.own.state[parameter]
            slots |= {theirs: torch.zeros_like(parameter) for theirs in SLOTS[name].values()}
            if name in ("adam", "adamw", "rmsprop"):
                slots["step"] = torch.zeros((), dtype=torch.float32)
            made[key] = {ours: slots[theirs] for ours, theirs in SLOTS[name].items()}
        return made


def _own(plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    options = plan.optimizer.options
    groups = list(_groups(plan, parameters))
    if options.name in ("sgd", "momentum", "nesterov"):
        if options.name == "sgd":
            momentum = 0.0
        else:
            momentum = options.momentum
        nesterov = options.name == "nesterov"
        return torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov, fused=True)
    if options.name == "rmsprop":
        constants: dict[str, Any] = {"alpha": options.beta2, "eps": options.epsilon}
        return torch.optim.RMSprop(groups, lr=1.0, foreach=True, **constants)
    constants = {"betas": (options.momentum, options.beta2), "eps": options.epsilon}
    return torch.optim.Adam(groups, lr=1.0, fused=True, **constants)


def _groups(plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> Iterable[dict[str, Any]]:
    """Parameters that share a learning-rate scale and a weight decay."""
    decoupled = plan.optimizer.options.decoupled
    keys = {
        name: (plan.learning_rate_scale.get(name, 1.0), plan.weight_decay.get(name, 0.0))
        for name in parameters
    }
    for key in sorted(set(keys.values())):
        scale, decay = key
        if decoupled:
            shrink, added = decay, 0.0
        else:
            shrink, added = 0.0, decay
        members = [parameters[name] for name, own in keys.items() if own == key]
        yield {"params": members, "scale": scale, "shrink": shrink, "weight_decay": added}
