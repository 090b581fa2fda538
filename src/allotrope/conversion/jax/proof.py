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
    every = []
    for inputs, outputs in zip(files[::2], files[1::2], strict=True):
        every.append(_several(_compiled_or_not(compiled, model_of, model, *_arrays(inputs))))
        np.savez(outputs, *map(np.asarray, every[-1]))
    print(json.dumps(_train(model, _arrays(files[0]), _floats(every[0]))))


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


def _floats(results: Any) -> list[Any]:
    return [y for y in _several(results) if jnp.issubdtype(y.dtype, jnp.floating)]


def _beside(outputs: list[Any]) -> list[tuple[Any, Any]]:
    """Targets a little beside the outputs, each with the scale that its distance is taken in."""
    random = np.random.default_rng(0)
    arrays = [np.asarray(y) for y in outputs]
    scales = [float(np.abs(y).max()) or 1.0 for y in arrays]
    return [
        (y + s * random.standard_normal(y.shape).astype(y.dtype), s)
        for y, s in zip(arrays, scales, strict=True)
    ]


def _train(model: Any, inputs: list[Any], inferred: list[Any]) -> dict[str, Any]:
    """One step of gradient descent toward outputs that are a little different.

    It is halved until the loss falls. `inferred` are outputs as training has them but for values.
    """
    model.train()
    definition, parameters, rest = nnx.split(model, nnx.Param, ...)
    leaves = jax.tree.leaves(parameters)
    if not leaves:
        return {"loss": [], "learning": 0, "slope": 0.0}

    def loss(parameters: Any, targets: Any) -> Any:
        outputs = _floats(nnx.merge(definition, parameters, rest, copy=True)(*inputs))
        distances = [((y - t) / s) ** 2 for y, (t, s) in zip(outputs, targets, strict=True)]
        return sum(map(jnp.mean, distances)), outputs

    plain = jax.value_and_grad(loss, has_aux=True)
    compiled = jax.jit(plain)

    def step(parameters: Any, targets: Any) -> Any:
        return _compiled_or_not(compiled, plain, parameters, targets)

    # The first outputs are from what gives gradients too: to be compiled is what takes long.
    (_, outputs), _ = step(parameters, _beside(inferred))
    targets = _beside(outputs)

    def measured(parameters: Any) -> Any:
        (value, _), gradients = step(parameters, targets)
        return value, gradients

    before, gradients = measured(parameters)
    # In NumPy, since JAX would compile each of these lines for each shape.
    start, gradients = (jax.tree.map(np.asarray, tree) for tree in (parameters, gradients))
    squares = sum(float(np.square(g).sum()) for g in jax.tree.leaves(gradients))
    rate, after = 0.1 * float(before) / max(squares, 1e-30), float("inf")
    for _ in range(HALVINGS):
        moved = jax.tree.map(lambda p, g, rate=rate: p - rate * g, start, gradients)
        after = float(measured(moved)[0])
        if after < float(before):
            break
        # A step that is too long may raise the loss though the gradient is right.
        rate /= 2
    return {"loss": [float(before), after], "learning": len(leaves), "slope": squares}


if __name__ == "__main__":
    main(*sys.argv[1:])
