"""Training steps in PyTorch: autocast, memory layout, compilation and PyTorch's own fused optimizers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allotrope.config import Settings
from allotrope.frameworks.contract import Trainer, TrainingPlan
from allotrope.frameworks.pytorch.compiled import CompiledForward
from allotrope.frameworks.pytorch.module import NetworkModule
from allotrope.frameworks.pytorch.primitives import to_numpy, to_tensor
from allotrope.frameworks.updates import check_state
from allotrope.network.network import Network

MEMORY_FORMATS = {"default": torch.contiguous_format, "channels-last": torch.channels_last}


class PyTorchTrainer(Trainer):
    """A network in training, on one device, with one set of settings."""

    def __init__(self, network: Network, plan: TrainingPlan, settings: Settings) -> None:
        """Raises: UnsupportedError for operators without a meaning."""
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self.plan, self.settings = plan, settings
        memory_format = MEMORY_FORMATS[settings.layout]
        self.model = NetworkModule(network, memory_format, settings.device, plan.seed)
        self.model.to(memory_format=memory_format)
        self.averaged = copy.deepcopy(self.model).eval() if plan.average is not None else None
        self.parameters = {n: w for n, w in self.model.values().items() if n in network.trainable and n not in plan.frozen}
        for name, value in self.model.values().items():
            value.requires_grad_(name in self.parameters)
        self.optimizer = optimizer_for(plan, self.parameters)
        self.slots = SLOTS[plan.optimizer.options.optimizer]
        self._prepare_slots()
        self.forward = CompiledForward(self.model) if settings.compiled else self.model

    def step(self, images: np.ndarray, target: np.ndarray, learning_rate: float, step: int) -> Tensor:
        """One update; see the contract."""
        if not self.model.training:  # to say it again visits every submodule
            self.model.train()
        self.model.training_step = step
        x = torch.from_numpy(images).to(self.settings.device, non_blocking=True)
        with self._autocast():
            logits = self.forward(x)
        wanted = torch.from_numpy(target).to(self.settings.device)
        loss: Tensor = self.plan.loss(self.model.program.p, logits.to(wanted.dtype), wanted)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._update(learning_rate, step)
        if self.averaged is not None:
            self._average(step)
        return loss.detach()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.settings.device, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def _update(self, learning_rate: float, step: int) -> None:
        if self.plan.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.plan.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["scale"]
            if group["shrink"]:
                with torch.no_grad():
                    torch._foreach_mul_(group["params"], 1 - group["lr"] * group["shrink"])
        self._set_step(step - 1)
        self.optimizer.step()

    def _average(self, step: int) -> None:
        assert self.averaged is not None and self.plan.average is not None
        decay = min(self.plan.average, (1 + step) / (10 + step))
        both = zip(self.averaged.values().values(), self.model.values().values(), strict=True)
        pairs = [(a, w) for a, w in both if w.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_([a for a, _ in pairs], [w for _, w in pairs], 1 - decay)

    def evaluate(self, images: np.ndarray) -> np.ndarray:
        """Logits [n, k]; see the contract."""
        model = self._delivered()
        if model.training:
            model.eval()
        with torch.inference_mode(), self._autocast():
            return to_numpy(model(torch.from_numpy(images).to(self.settings.device)).float())

    def _delivered(self) -> NetworkModule:
        return self.averaged if self.averaged is not None else self.model

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        return {name: to_numpy(value).copy() for name, value in self._delivered().values().items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return {name: to_numpy(value).copy() for name, value in self._state_tensors().items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError where names or shapes differ."""
        tensors = self._state_tensors()
        check_state({name: tuple(tensor.shape) for name, tensor in tensors.items()}, state)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(to_tensor(state[name], self.settings.device))

    def _prepare_slots(self) -> None:
        """PyTorch makes its slots in the first step; made here, a checkpoint finds the same names before it as after."""
        counted = self.plan.optimizer.options.optimizer in ("adam", "adamw", "rmsprop")
        for parameter in self.parameters.values():
            slots = self.optimizer.state[parameter]
            slots |= {theirs: torch.zeros_like(parameter) for theirs in self.slots.values()}
            if counted:
                slots["step"] = torch.zeros((), dtype=torch.float32)

    def _set_step(self, done: int) -> None:
        """The optimizer's own count of steps, which corrects Adam's bias."""
        for slots in self.optimizer.state.values():
            if "step" in slots:
                slots["step"].fill_(done)

    def _state_tensors(self) -> dict[str, Tensor]:
        tensors = {f"weights/{n}": w for n, w in self.model.values().items()}
        for name, parameter in self.parameters.items():
            slots = self.optimizer.state[parameter]
            tensors |= {f"optimizer/{ours}/{name}": slots[theirs] for ours, theirs in self.slots.items()}
        if self.averaged is not None:
            tensors |= {f"average/{n}": w for n, w in self.averaged.values().items()}
        return tensors


SLOTS = {
    "sgd": {},
    "momentum": {"velocity": "momentum_buffer"},
    "nesterov": {"velocity": "momentum_buffer"},
    "rmsprop": {"square": "square_avg"},
    "adam": {"mean": "exp_avg", "square": "exp_avg_sq"},
    "adamw": {"mean": "exp_avg", "square": "exp_avg_sq"},
}
"""What each optimizer remembers of a weight: our name, PyTorch's name."""


def optimizer_for(plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    """PyTorch's own optimizer for a plan; tests show that it computes what `plan.optimizer` does."""
    recipe = plan.optimizer.options
    groups = list(_groups(plan, parameters))
    if recipe.optimizer in ("sgd", "momentum", "nesterov"):
        momentum = 0.0 if recipe.optimizer == "sgd" else recipe.momentum
        return torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=recipe.optimizer == "nesterov", fused=True)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=1.0, alpha=recipe.beta2, eps=recipe.epsilon, foreach=True)
    return torch.optim.Adam(groups, lr=1.0, betas=(recipe.momentum, recipe.beta2), eps=recipe.epsilon, fused=True)


def _groups(plan: TrainingPlan, parameters: Mapping[str, Tensor]) -> Iterable[dict[str, Any]]:
    """Parameters that share a learning-rate scale and a weight decay."""
    recipe = plan.optimizer.options
    decoupled = recipe.decay_kind == "decoupled" or recipe.optimizer == "adamw"
    keys = {name: (plan.learning_rate_scale.get(name, 1.0), plan.weight_decay.get(name, 0.0)) for name in parameters}
    for key in sorted(set(keys.values())):
        scale, decay = key
        members = [parameters[name] for name, found in keys.items() if found == key]
        yield {"params": members, "scale": scale, "shrink": decay if decoupled else 0.0, "weight_decay": 0.0 if decoupled else decay}
