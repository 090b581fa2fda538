"""Opens a converted folder as its README says, with nothing of Allotrope.

python -I proof.py FOLDER INPUTS OUTPUTS [INPUTS OUTPUTS ...]

INPUTS and OUTPUTS are .npz files. The last line printed is a JSON object: the loss before and after
one gradient step for the first inputs, how many parameters learn, and the squared norm of the
gradient.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on
HALVINGS = 60


def main(folder: str, *files: str) -> None:
    """Writes what the model gives for the inputs, and prints what a training step does."""
    sys.path.insert(0, folder)
    from model import load  # type: ignore[import-not-found]

    model = load()
    for inputs, outputs in zip(files[::2], files[1::2], strict=True):
        with torch.no_grad():
            np.savez(outputs, *[np.asarray(y) for y in _several(model(*_arrays(inputs)))])
    print(json.dumps(_train(model, _arrays(files[0]))))


def _arrays(path: str) -> list[torch.Tensor]:
    with np.load(path) as file:
        return [torch.from_numpy(file[name]) for name in file.files]


def _several(results: Any) -> tuple[Any, ...]:
    if isinstance(results, tuple):
        return results
    return (results,)


def _train(model: torch.nn.Module, inputs: list[torch.Tensor]) -> dict[str, Any]:
    """One step of gradient descent toward outputs that are a little different.

    It is halved until the loss falls.
    """
    model.train(all(x.ndim == 0 or len(x) > 1 for x in inputs))
    parameters = [p for p in model.parameters() if p.requires_grad]
    targets: list[torch.Tensor] = []
    scales: list[float] = []

    def loss() -> torch.Tensor:
        # The same dropout masks each time.
        torch.manual_seed(0)
        outputs = [y for y in _several(model(*inputs)) if y.is_floating_point()]
        if not targets:
            scales.extend(float(y.detach().abs().max()) or 1.0 for y in outputs)
            targets.extend(
                y.detach() + scale * torch.randn_like(y)
                for y, scale in zip(outputs, scales, strict=True)
            )
        return torch.stack(
            [
                ((y - t) / s).square().mean()
                for y, t, s in zip(outputs, targets, scales, strict=True)
            ]
        ).sum()

    before = loss()
    if not parameters or not before.requires_grad:
        return {"loss": [], "learning": len(parameters), "slope": 0.0}
    gradients = torch.autograd.grad(before, parameters, allow_unused=True)
    squares = sum(float(g.square().sum()) for g in gradients if g is not None)
    rate, after = 0.1 * float(before) / max(squares, 1e-30), float("inf")
    start = [p.detach().clone() for p in parameters]
    for _ in range(HALVINGS):
        with torch.no_grad():
            for p, s, g in zip(parameters, start, gradients, strict=True):
                if g is not None:
                    p.copy_(s - rate * g)
            after = float(loss())
        if after < float(before):
            break
        rate /= 2
    return {"loss": [float(before), after], "learning": len(parameters), "slope": squares}


if __name__ == "__main__":
    main(*sys.argv[1:])
