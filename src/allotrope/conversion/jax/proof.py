"""Opens a converted folder as its README says, with nothing of Allotrope.

python -I proof.py FOLDER INPUTS OUTPUTS [INPUTS OUTPUTS ...]

INPUTS and OUTPUTS are .npz files. The last line printed is a JSON object: the loss before and after
one gradient step for the first inputs, how many parameters learn, and the squared norm of the
gradient.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# What runs a few times is compiled in half of the time without being made fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on

# Else an error ends in a remark on what JAX left out, and not in what is wrong.
jax.config.update("jax_traceback_filtering", "off")

HALVINGS = 60


def main(folder: str, *files: str) -> None:
    """Writes what the model gives for the inputs, and prints what a training step does."""
    sys.path.insert(0, folder)
    from model import load  # type: ignore[import-not-found]

    model = load()
    compiled = nnx.jit(model_of)
    for inputs, outputs in zip(files[::2], files[1::2], strict=True):
        results = _compiled_or_not(compiled, model_of, model, *_arrays(inputs))
        np.savez(outputs, *map(np.asarray, _several(results)))
    print(json.dumps(_train(model, _arrays(files[0]))))


def _arrays(path: str) -> list[Any]:
    with np.load(path) as file:
        return [jnp.asarray(file[name]) for name in file.files]


def model_of(model: Any, *inputs: Any) -> Any:
    """What the model gives."""
    return model(*inputs)


def _compiled_or_not(compiled: Any, plain: Any, *arguments: Any) -> Any:
    """What the compiled function gives.

    What the other one does if the model looks at values that JAX does not know while it traces.
    """
    try:
        return compiled(*arguments)
    except NotImplementedError:
        return plain(*arguments)


def _several(results: Any) -> tuple[Any, ...]:
    if isinstance(results, tuple):
        return results
    return (results,)


def _train(model: Any, inputs: list[Any]) -> dict[str, Any]:
    """One step of gradient descent toward outputs that are a little different.

    It is halved until the loss falls.
    """
    model.train()
    definition, parameters, rest = nnx.split(model, nnx.Param, ...)
    random = np.random.default_rng(0)

    def outputs(parameters: Any) -> list[Any]:
        results = _several(nnx.merge(definition, parameters, rest, copy=True)(*inputs))
        return [y for y in results if jnp.issubdtype(y.dtype, jnp.floating)]

    first = _compiled_or_not(jax.jit(outputs), outputs, parameters)
    scales = [float(jnp.abs(y).max()) or 1.0 for y in first]
    targets = [
        y + s * jnp.asarray(random.standard_normal(y.shape), y.dtype)
        for y, s in zip(first, scales, strict=True)
    ]

    def loss(parameters: Any) -> Any:
        return sum(
            jnp.mean(((y - t) / s) ** 2)
            for y, t, s in zip(outputs(parameters), targets, scales, strict=True)
        )

    leaves = jax.tree.leaves(parameters)
    if not leaves:
        return {"loss": [], "learning": 0, "slope": 0.0}
    plain = jax.value_and_grad(loss)
    compiled = jax.jit(plain)

    def measured(parameters: Any) -> Any:
        return _compiled_or_not(compiled, plain, parameters)

    before, gradients = measured(parameters)
    squares = sum(float(jnp.square(g).sum()) for g in jax.tree.leaves(gradients))
    rate, after = 0.1 * float(before) / max(squares, 1e-30), float("inf")
    for _ in range(HALVINGS):
        moved = jax.tree.map(lambda p, g, rate=rate: p - rate * g, parameters, gradients)
        after = float(measured(moved)[0])
        if after < float(before):
            break
        # A step that is too long may raise the loss though the gradient is right.
        rate /= 2
    return {"loss": [float(before), after], "learning": len(leaves), "slope": squares}


if __name__ == "__main__":
    main(*sys.argv[1:])
