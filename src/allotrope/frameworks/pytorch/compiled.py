"""The forward pass of a network in training as one compiled function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from allotrope.frameworks.pytorch.module import NetworkModule
from allotrope.operators.interpret import Context


class CompiledForward:
    """Does what a module in training mode does, for one shape of its input.

    The interpreter is traced away first: the compiler then sees one flat graph of PyTorch's functions, where it would break
    into a piece for every node.
    """

    def __init__(self, model: NetworkModule) -> None:
        """Nothing is compiled before the first call."""
        self.model = model
        self._names = list(model.values())
        self._updated: list[str] = []
        self._function: Any = None

    def __call__(self, x: Tensor) -> Tensor:
        """The output for x, batch first; the module's state is updated."""
        weights = self.model.values()
        step = torch.tensor(self.model.training_step, dtype=torch.int32, device=x.device)
        arguments = (list(weights.values()), step, x)
        if self._function is None:
            self._function = self._compile(arguments)
        output, updates = self._function(*arguments)
        with torch.no_grad():
            for name, value in zip(self._updated, updates, strict=True):
                weights[name].copy_(value)
        return output

    def _compile(self, arguments: tuple[list[Tensor], Tensor, Tensor]) -> Any:
        # Left to itself the compiler takes convolutions out of channels-last, which costs a factor of ten on CPUs.
        torch._inductor.config.force_layout_optimization = self.model.program.p.memory_format == torch.channels_last
        function = lambda weights, step, x: self._run(weights, step, x)  # noqa: E731 - tracing would count a bound method's self
        return torch.compile(make_fx(function, pre_dispatch=True)(*arguments))

    def _run(self, weights: list[Tensor], step: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        (input_value,) = self.model.network.inputs
        context = Context(training=True, seed=self.model.seed, step=step)
        (output,) = self.model.program({**dict(zip(self._names, weights, strict=True)), input_value.name: x}, context)
        self._updated = list(context.updates)
        return output, list(context.updates.values())
