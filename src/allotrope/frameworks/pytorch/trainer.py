"""Training steps in PyTorch: autocast, memory layout, compilation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from allotrope.config import Settings
from allotrope.frameworks.contract import Arrays, Batch, Collective, Trainer, TrainingPlan
from allotrope.frameworks.pytorch.compiled import CompiledForward
from allotrope.frameworks.pytorch.memory_formats import MEMORY_FORMATS, lay_out
from allotrope.frameworks.pytorch.module import NetworkModule
from allotrope.frameworks.pytorch.optimizer_choice import optimizer_for
from allotrope.frameworks.pytorch.primitives import shared_tensor, to_numpy, to_tensor
from allotrope.frameworks.pytorch.product_precision import products
from allotrope.frameworks.together import Together
from allotrope.frameworks.updates import (
    check_state,
    climbed,
    loss_of,
    nothing_to_learn,
    single,
)
from allotrope.network.network import Network


class PyTorchTrainer(Trainer):
    """A network in training, on one device, with one set of settings."""

    def __init__(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> None:
        """Raises: UnsupportedError for operators without a meaning."""
        self.plan, self.settings = plan, settings
        self._take_threads()
        memory_format = MEMORY_FORMATS[settings.layout]
        self.model = NetworkModule(network, memory_format, settings.device, plan.seed)
        lay_out(self.model, memory_format)
        if plan.averages:
            self.averaged = copy.deepcopy(self.model).eval()
        else:
            self.averaged = None
        self.together = Together(collective, self.model.program)
        learning = network.trainable - plan.frozen
        self.parameters = {n: w for n, w in self.model.values().items() if n in learning}
        for name, value in self.model.values().items():
            value.requires_grad_(name in self.parameters)
        self.optimizer = optimizer_for(plan, self.parameters, self.model.program.p)
        self.outputs: Callable[[dict[str, Tensor]], dict[str, Tensor]] = self.model.outputs
        if settings.compiled:
            self.outputs = CompiledForward(self.model)

    def step(self, batch: Batch, learning_rate: float, step: int) -> Tensor:
        """One update; see the contract. Raises: UnsupportedError if no weight has a gradient."""
        self._take_threads()
        if not self.model.training:  # to say it again visits every submodule
            self.model.train()
        self.model.training_step = step
        with products(self.settings.precision):
            loss = self._differentiated(batch)
            if self.plan.sharpness is not None:
                self._differentiate_above(batch, self.plan.sharpness)
            if self.plan.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.plan.clip_norm)
            self.optimizer.step(learning_rate, step)
        if self.averaged is not None:
            self._average(step)
        return loss

    def _differentiated(self, batch: Batch) -> Tensor:
        """The loss of a batch; the parameters have its gradients."""
        self.model.share = self.together.share(batch.targets)
        with self._autocast():
            outputs = self.outputs(self._tensors(batch.inputs))
        outputs = self.together.whole(outputs, self.model.share)
        targets, weights = self._tensors(batch.targets), self._tensors(batch.weights)
        loss: Tensor = loss_of(self.model.program.p, self.plan, outputs, targets, weights)
        if not loss.requires_grad:
            raise nothing_to_learn()
        for parameter in self.parameters.values():
            parameter.grad = None
        self.together.part(loss).backward()
        self._sum_gradients()
        return loss.detach()

    def _sum_gradients(self) -> None:
        """The gradients of all processes in the place of those of this one."""
        learning = [w for w in self.parameters.values() if w.grad is not None]
        with torch.no_grad():
            summed = self.together.summed([w.grad for w in learning])
        for parameter, gradient in zip(learning, summed, strict=True):
            parameter.grad = gradient

    def _differentiate_above(self, batch: Batch, far: float) -> None:
        """Gradients where the loss is highest near; weights and state stay as they are."""
        before = {name: value.detach().clone() for name, value in self.model.values().items()}
        sloping = [w for w in self.parameters.values() if w.grad is not None]
        gradients = [w.grad for w in sloping]
        with torch.no_grad():
            above = climbed(self.model.program.p, sloping, gradients, far)
            torch._foreach_copy_(sloping, above)
        self._differentiated(batch)
        with torch.no_grad():
            for name, value in self.model.values().items():
                value.copy_(before[name])

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

    def _average(self, step: int) -> None:
        assert self.averaged is not None
        followed = dict(self.model.values())
        if self.plan.optimizer.delivers_another:
            followed |= self.optimizer.delivered()
        averaged = self.averaged.values()
        pairs = [(averaged[n], w) for n, w in followed.items() if w.is_floating_point()]
        with torch.no_grad():
            means, newest = [a for a, _ in pairs], [w for _, w in pairs]
            if self.plan.average is None:
                torch._foreach_copy_(means, newest)
            else:
                decay = min(self.plan.average, (1 + step) / (10 + step))
                torch._foreach_lerp_(means, newest, 1 - decay)

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        model = self._delivered()
        if model.training:
            model.eval()
        rounding = products(self.settings.precision)
        with torch.inference_mode(), self._autocast(), rounding:
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

    def _state_tensors(self) -> dict[str, Tensor]:
        tensors = {f"weights/{n}": w for n, w in self.model.values().items()}
        for name, slots in self.optimizer.slots.items():
            tensors |= {f"optimizer/{slot}/{name}": x for slot, x in slots.items()}
        if self.averaged is not None:
            tensors |= {f"average/{n}": w for n, w in self.averaged.values().items()}
        return tensors
