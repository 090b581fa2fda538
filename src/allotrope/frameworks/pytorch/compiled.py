"""The forward pass of a network in training as one compiled function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from allotrope.frameworks.pytorch.module import NetworkModule
from allotrope.operators.interpret import Context

Compiler = Callable[[Any], Any]


class CompiledForward:
    """Does what a module in training mode does; compiled once for each shape of its inputs.

    The interpreter is traced away first: the compiler then sees one flat graph of PyTorch's
    functions, instead of breaking it into a piece for every node.
    """

    def __init__(self, model: NetworkModule, compiler: Compiler = torch.compile) -> None:
        """Nothing is compiled before the first call."""
        self._compiler = compiler
        self.model = model
        self._names = list(model.values())
        self._inputs = [value.name for value in model.network.inputs]
        self._outputs = [value.name for value in model.network.outputs]
        self._updated: list[str] = []
        self._compiled: dict[tuple[torch.Size, ...], Any] = {}

    def __call__(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name; the module's state is updated."""
        weights = self.model.values()
        device = self.model.program.p.device
        step = torch.tensor(self.model.training_step, dtype=torch.int32, device=device)
        arguments = (list(weights.values()), step, [inputs[name] for name in self._inputs])
        # What is traced holds the sizes that it was traced with.
        shapes = tuple(x.shape for x in arguments[2])
        if shapes not in self._compiled:
            self._compiled[shapes] = self._compile(arguments)
        outputs, updates = self._compiled[shapes](*arguments)
        with torch.no_grad():
            for name, value in zip(self._updated, updates, strict=True):
                weights[name].copy_(value)
        return dict(zip(self._outputs, outputs, strict=True))

    def _compile(self, arguments: tuple[list[Tensor], Tensor, list[Tensor]]) -> Any:
        # Left to itself the compiler takes convolutions out of channels-last, which costs a factor
        # of ten on CPUs.
        last = self.model.program.p.memory_format == torch.channels_last
        torch._inductor.config.force_layout_optimization = last
        # Else it computes a bfloat16 value again without rounding it, and where that is compared
        # with what was rounded, as in the gradient of a maximum, none is equal: 0 / 0.
        torch._inductor.config.emulate_precision_casts = True

        def run(weights: list[Tensor], step: Tensor, inputs: list[Tensor]) -> Any:
            return self._run(weights, step, inputs)  # tracing would count a bound method's self

        return self._compiler(make_fx(run, pre_dispatch=True)(*arguments))

    def _run(
        self, weights: list[Tensor], step: Tensor, inputs: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        context = Context(training=True, seed=self.model.seed, step=step)
        values = dict(zip([*self._names, *self._inputs], [*weights, *inputs], strict=True))
        outputs = self.model.program(values, context)
        self._updated = list(context.updates)
        return list(outputs), list(context.updates.values())
