"""Opens a converted folder, SavedModel or `model.keras`, as its README says, with nothing of Allotrope.

Run as `python -I proof.py FOLDER INPUTS OUTPUTS`; INPUTS and OUTPUTS are .npz files. The last line printed is a JSON
object: the loss before and after one gradient step, how many variables learn, and the squared norm of the gradient.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on

HALVINGS = 60


@dataclass(frozen=True)
class _Opened:
    """What a user of the folder has: the model as it infers and as it trains, what learns, and the rest of its variables."""

    infer: Callable[..., Any]
    train: Callable[..., Any]
    parameters: list[tf.Variable]
    state: list[tf.Variable]


def _keras(file: Path) -> _Opened:
    import keras

    return _of_keras(keras.saving.load_model(file, safe_mode=True))


def _of_keras(model: Any) -> _Opened:
    def call(inputs: list[tf.Tensor], training: bool) -> Any:
        return model(inputs[0] if len(inputs) == 1 else inputs, training=training)

    variables = [[one.value for one in several] for several in (model.trainable_variables, model.non_trainable_variables)]
    return _Opened(lambda *inputs: call(list(inputs), False), lambda *inputs: call(list(inputs), True), *variables)


def _source(folder: str) -> _Opened:
    sys.path.insert(0, folder)
    from model import load  # type: ignore[import-not-found]

    return _of_keras(load())


def _saved_model(folder: str) -> _Opened:
    sys.modules["keras"] = None  # type: ignore[assignment] # a SavedModel needs TensorFlow alone
    model = tf.saved_model.load(folder)
    return _Opened(model, model.train, list(model.parameters), list(model.state))


def _opened(folder: Path) -> _Opened:
    if (folder / "model.keras").exists():
        return _keras(folder / "model.keras")
    return _source(str(folder)) if (folder / "model.py").exists() else _saved_model(str(folder))


def main(folder: str, inputs: str, outputs: str) -> None:
    """Writes what the model gives for the inputs, and prints what a training step does."""
    model = _opened(Path(folder))
    with np.load(inputs) as saved:
        arrays = [tf.constant(saved[name]) for name in saved.files]
    np.savez(outputs, *[np.asarray(y) for y in _several(model.infer(*arrays))])
    print(json.dumps(_train(model, arrays)))


def _several(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _train(model: _Opened, inputs: list[tf.Tensor]) -> dict[str, Any]:
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
    variables = model.parameters
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
