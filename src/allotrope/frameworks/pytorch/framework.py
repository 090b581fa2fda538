"""PyTorch: networks run, differentiated and trained in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Collective, Framework, Trainer, TrainingPlan
from allotrope.frameworks.inputs import check_inputs, check_output_gradients, check_shapes
from allotrope.frameworks.precisions import precisions
from allotrope.frameworks.pytorch.primitives import to_numpy, to_tensor
from allotrope.network.network import Network


class PyTorch(Framework):
    """Networks in PyTorch."""

    name = "pytorch"

    @property
    def threads(self) -> int:
        """What PyTorch takes now, in this process."""
        return torch.get_num_threads()

    def native(self, network: Network) -> torch.nn.Module:
        """A `torch.nn.Module` whose `state_dict` keys are the weight names.

        `train()` and `eval()` choose the behaviour.
        """
        from allotrope.frameworks.pytorch.module import NetworkModule

        return NetworkModule(network)

    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a module, by name."""
        return {name: to_numpy(value) for name, value in model.state_dict().items()}

    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name."""
        model = self._model(network).train(training)
        arrays = check_inputs(network, inputs)
        with torch.no_grad():
            outputs = model.outputs({name: to_tensor(array) for name, array in arrays.items()})
        return {name: to_numpy(value) for name, value in outputs.items()}

    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""
        model = self._model(network).eval()
        arrays = {name: to_tensor(array) for name, array in check_inputs(network, inputs).items()}
        upstream = check_output_gradients(network, output_gradients)
        wanted = {name: x.requires_grad_() for name, x in arrays.items() if x.is_floating_point()}
        wanted |= {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        outputs = model.outputs(arrays)
        check_shapes(upstream, {name: y.shape for name, y in outputs.items()})
        seeds = {n: to_tensor(g).to(outputs[n].dtype) for n, g in upstream.items()}
        pairs = [(outputs[n], g) for n, g in seeds.items() if outputs[n].requires_grad]
        downstream: Sequence[Tensor | None] = [None] * len(wanted)
        if pairs:
            try:
                downstream = torch.autograd.grad(
                    [y for y, _ in pairs],
                    list(wanted.values()),
                    [g for _, g in pairs],
                    allow_unused=True,
                )
            except RuntimeError as error:
                raise UnsupportedError(
                    f"PyTorch cannot differentiate this network: {error}"
                ) from error
        return {
            n: to_numpy(torch.zeros_like(x) if g is None else g)
            for (n, x), g in zip(wanted.items(), downstream, strict=True)
        }

    def _model(self, network: Network) -> Any:
        from allotrope.frameworks.pytorch.module import NetworkModule

        return NetworkModule(network, measured=True)

    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> Trainer:
        """A trainer that starts from the network's weights."""
        from allotrope.frameworks.pytorch.trainer import PyTorchTrainer

        return PyTorchTrainer(network, plan, settings, collective)

    def collective(
        self, rank: int, size: int, addresses: Sequence[str], settings: Settings
    ) -> Collective:
        """The processes by gloo, of CUDA devices by NCCL."""
        from allotrope.frameworks.pytorch.collective import TorchProcesses

        return TorchProcesses(rank, size, addresses, settings.device)

    def settings(self) -> list[Settings]:
        """Exact and eager first, then every other precision, layout and compilation here."""
        devices = (
            ["cuda"] * torch.cuda.is_available()
            + ["mps"] * torch.backends.mps.is_available()
            + ["cpu"]
        )
        return [
            Settings(device=device, precision=precision, layout=layout, compiled=compiled)
            for device in devices
            for compiled in (False, True)
            for precision in precisions(device)
            for layout in ("default", "channels-last")
        ]


FRAMEWORK = PyTorch()
