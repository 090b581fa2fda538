"""Opens a converted folder as its README says, with nothing of Allotrope: python -I tensorflow_proof.py FOLDER INPUTS OUTPUTS.

INPUTS and OUTPUTS are .npz files. The last line printed is a JSON object: the loss before and after one gradient step, how many
variables learn, and the squared norm of the gradient.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on
sys.modules["keras"] = None  # type: ignore[assignment] # a SavedModel needs TensorFlow alone

HALVINGS = 60


def main(folder: str, inputs: str, outputs: str) -> None:
    """Writes what the model gives for the inputs, and prints what a training step does."""
    model = tf.saved_model.load(folder)
    with np.load(inputs) as file:
        arrays = [tf.constant(file[name]) for name in file.files]
    np.savez(outputs, *[np.asarray(y) for y in _several(model(*arrays))])
    print(json.dumps(_train(model, arrays)))


def _several(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _train(model: Any, inputs: list[Any]) -> dict[str, Any]:
    """One step of gradient descent toward outputs that are a little different, halved until the loss falls."""
    state = [(variable, variable.numpy()) for variable in model.state]
    random = np.random.default_rng(0)
    targets: list[tuple[Any, float]] = []

    def loss() -> Any:
        for variable, value in state:  # the same dropout masks and statistics each time
            variable.assign(value)
        found = [y for y in _several(model.train(*inputs)) if y.dtype.is_floating]
        if not targets:
            scales = [float(tf.reduce_max(tf.abs(y))) or 1.0 for y in found]
            targets.extend(
                (y.numpy() + s * random.standard_normal(y.shape).astype("float32"), s) for y, s in zip(found, scales, strict=True)
            )
        return sum(tf.reduce_mean(tf.square((y - t) / s)) for y, (t, s) in zip(found, targets, strict=True))

    loss()
    variables = list(model.parameters)
    with tf.GradientTape() as tape:
        before = loss()
    gradients = [None if g is None else tf.convert_to_tensor(g) for g in tape.gradient(before, variables)]
    squares = sum(float(tf.reduce_sum(tf.square(g))) for g in gradients if g is not None)
    if not any(g is not None for g in gradients):
        return {"loss": [], "learning": len(variables), "slope": 0.0}
    rate, after, start = 0.1 * float(before) / max(squares, 1e-30), float("inf"), [v.numpy() for v in variables]
    for _ in range(HALVINGS):
        for variable, value, gradient in zip(variables, start, gradients, strict=True):
            variable.assign(value if gradient is None else value - rate * gradient)
        after = float(loss())
        if after < float(before):
            break
        rate /= 2
    return {"loss": [float(before), after], "learning": len(variables), "slope": squares}


if __name__ == "__main__":
    main(*sys.argv[1:])
