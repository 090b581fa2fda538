"""A network as a native `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives, to_tensor
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program
from allotrope.operators.memory import bounded
from allotrope.operators.share import BatchShare


class NetworkModule(nn.Module):
    """The network's weights as parameters and buffers, its graph as `forward`.

    A weight `layer1.0.conv1.weight` is the parameter `weight` of the submodule `layer1.0.conv1`. In
    training mode BatchNorm uses the batch and updates its state, and Dropout draws the mask of
    (`seed`, `training_step`).
    """

    def __init__(
        self,
        network: Network,
        memory_format: torch.memory_format | None = None,
        device: str = "cpu",
        seed: int = 0,
        measured: bool = False,
    ) -> None:
        """`measured` asks at every node whether there is room for its result.

        Raises: UnsupportedError that lists every operator without a meaning here.
        """
        super().__init__()
        self.network, self.seed, self.training_step = network, seed, 0
        self.share: BatchShare | None = None
        p: Any = PyTorchPrimitives(device, memory_format)
        if measured:
            p = bounded(p)
        self.program = Program(lowered(network), p, ReferencePrimitives())
        self._owners: list[tuple[str, nn.Module, str]] = []
        for name, array in network.weights.items():
            self._register(name, to_tensor(array, device), name in network.trainable)
        self.eval()

    def _register(self, name: str, value: Tensor, trainable: bool) -> None:
        owner, last = self._owner(name)
        if trainable:
            # Not by register_parameter, which refuses names with dots.
            owner._parameters[last] = nn.Parameter(value)
        else:
            owner._buffers[last] = value
        self._owners.append((name, owner, last))

    def _owner(self, name: str) -> tuple[nn.Module, str]:
        """The submodule that holds a weight, made where it is missing.

        This module itself where the name cannot be a path.
        """
        *path, last = name.split(".")
        module: nn.Module = self
        for part in path:
            child = module._modules.get(part)
            if child is None:
                if not part or hasattr(module, part):
                    return self, name
                child = nn.Module()
                module.add_module(part, child)
            module = child
        if not last or hasattr(module, last):
            return self, name
        return module, last

    def values(self) -> dict[str, Tensor]:
        """Every parameter and buffer by its name in the network."""
        return {name: _held(owner, last) for name, owner, last in self._owners}

    def outputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's outputs by name; in training mode the state is updated."""
        weights = self.values()
        context = Context(
            training=self.training, seed=self.seed, step=self.training_step, share=self.share
        )
        results = self.program({**weights, **inputs}, context)
        if context.updates:
            with torch.no_grad():
                torch._foreach_copy_(
                    [weights[name] for name in context.updates], list(context.updates.values())
                )
        return {v.name: y for v, y in zip(self.network.outputs, results, strict=True)}

    def forward(self, *inputs: Tensor) -> Any:
        """Inputs in the network's order.

        A tensor, or a tuple if the network has several outputs.
        """
        outputs = self.outputs(dict(zip(self._input_names(), inputs, strict=True)))
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        return tuple(outputs.values())

    def _input_names(self) -> Iterable[str]:
        return (value.name for value in self.network.inputs)


def _held(owner: nn.Module, last: str) -> Tensor:
    """What a submodule itself holds under a name, as a parameter or a buffer."""
    if last in owner._parameters:
        return owner._parameters[last]
    return owner._buffers[last]
