"""Training steps in PyTorch: autocast, memory layout, compilation and its fused optimizers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allotrope.config import Settings
from allotrope.frameworks.contract import Arrays, Batch, Trainer, TrainingPlan
from allotrope.frameworks.pytorch.compiled import CompiledForward
from allotrope.frameworks.pytorch.memory_formats import MEMORY_FORMATS, lay_out
from allotrope.frameworks.pytorch.module import NetworkModule
from allotrope.frameworks.pytorch.primitives import shared_tensor, to_numpy, to_tensor
from allotrope.frameworks.updates import check_state, loss_of, nothing_to_learn, single
from allotrope.network.network import Network


class PyTorchTrainer(Trainer):
    """A network in training, on one device, with one set of settings."""

    def __init__(self, network: Network, plan: TrainingPlan, settings: Settings) -> None:
        """Raises: UnsupportedError for operators without a meaning."""
        self.plan, self.settings = plan, settings
        self._take_threads()
        memory_format = MEMORY_FORMATS[settings.layout]
        self.model = NetworkModule(network, memory_format, settings.device, plan.seed)
        lay_out(self.model, memory_format)
        if plan.average is not None:
            self.averaged = copy.deepcopy(self.model).eval()
        else:
            self.averaged = None
        learning = network.trainable - plan.frozen
        self.parameters = {n: w for n, w in self.model.values().items() if n in learning}
        for name, value in self.model.values().items():
            value.requires_grad_(name in self.parameters)
        self.optimizer = optimizer_for(plan, self.parameters)
        self.slots = SLOTS[plan.optimizer.options.name]
        self._prepare_slots()
        self.outputs: Callable[[dict[str, Tensor]], dict[str, Tensor]] = self.model.outputs
        if settings.compiled:
            self.outputs = CompiledForward(self.model)

    def step(self, batch: Batch, learning_rate: float, step: int) -> Tensor:
        """One update; see the contract. Raises: UnsupportedError if no weight has a gradient."""
        self._take_threads()
        if not self.model.training:  # to say it again visits every submodule
            self.model.train()
        self.model.training_step = step
        with self._autocast():
            outputs = self.outputs(self._tensors(batch.inputs))
        targets, weights = self._tensors(batch.targets), self._tensors(batch.weights)
        loss: Tensor = loss_of(self.model.program.p, self.plan, outputs, targets, weights)
        if not loss.requires_grad:
            raise nothing_to_learn()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._update(learning_rate, step)
        if self.averaged is not None:
            self._average(step)
        return loss.detach()

    def _take_threads(self) -> None:
        """The number is the whole process's, and trainers with several take turns in a race."""
        threads = self.settings.threads
        if threads is not None and threads != torch.get_num_threads():
            torch.set_num_threads(threads)

    def _tensors(self, arrays: Arrays) -> dict[str, Tensor]:
        """The arrays on the trainer's device, in the memory that they have if that is the CPU's."""
        return {name: shared_tensor(x, self.settings.device) for name, x in arrays.items()}

    def _autocast(self) -> torch.autocast:
        narrow = self.settings.precision == "bfloat16"
        return torch.autocast(self.settings.device, torch.bfloat16, enabled=narrow)

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
        averaged = zip(self.averaged.values().values(), self.model.values().values(), strict=True)
        pairs = [(a, w) for a, w in averaged if w.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_([a for a, _ in pairs], [w for _, w in pairs], 1 - decay)

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        model = self._delivered()
        if model.training:
            model.eval()
        with torch.inference_mode(), self._autocast():
            outputs = single(model.program.p, model.outputs(self._tensors(inputs)))
            return {name: to_numpy(y) for name, y in outputs.items()}

    def _delivered(self) -> NetworkModule:
        if self.averaged is not None:
            return self.averaged
        return self.model

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state to be delivered; see the contract."""
        return {name: to_numpy(value).copy() for name, value in self._delivered().values().items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on; see the contract."""
        return {name: to_numpy(value).copy() for name, value in self._state_tensors().items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state. Raises: TrainingError if names or shapes differ."""
        tensors = self._state_tensors()
        check_state({name: tuple(tensor.shape) for name, tensor in tensors.items()}, state)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(to_tensor(state[name], self.settings.device))

    def _prepare_slots(self) -> None:
        """PyTorch makes its slots in the first step.

        Made here, a checkpoint finds the same names before it as after.
        """
        counted = self.plan.optimizer.options.name in ("adam", "adamw", "rmsprop")
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
            tensors |= {
                f"optimizer/{ours}/{name}": slots[theirs] for ours, theirs in self.slots.items()
            }
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
    """PyTorch's own optimizer for a plan.

    Tests show that it computes what `plan.optimizer` does.
    """
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
