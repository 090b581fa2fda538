"""Opens a converted folder, SavedModel or `model.keras`, as its README says, without Allotrope.

Run as `python -I proof.py FOLDER INPUTS OUTPUTS [INPUTS OUTPUTS ...]`; INPUTS and OUTPUTS are .npz
files. The last line printed is a JSON object: the loss before and after one gradient step for the
first inputs, how many variables learn, and the squared norm of the gradient.
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
if __name__ == "__main__":
    # Imported where they are there, which takes as long as the rest of TensorFlow, and not needed.
    unneeded = dict.fromkeys(("jax", "pandas", "scipy", "sklearn"))
    sys.modules.update(unneeded)  # type: ignore[arg-type]

import numpy as np
import tensorflow as tf

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on

HALVINGS = 60


@dataclass(frozen=True)
class _Opened:
    """What a user of the folder has: the model as it infers and as it trains, and its variables.

    `parameters` are those that learn, `state` is the rest.
    """

    infer: Callable[..., Any]
    train: Callable[..., Any]
    parameters: list[tf.Variable]
    state: list[tf.Variable]


def _keras(file: Path) -> _Opened:
    import keras

    return _of_keras(keras.saving.load_model(file, safe_mode=True))


def _of_keras(model: Any) -> _Opened:
    import keras

    # Else an error ends in what Keras was called with, and not in what is wrong.
    keras.config.disable_traceback_filtering()

    def call(inputs: list[tf.Tensor], training: bool) -> Any:
        if len(inputs) == 1:
            return model(inputs[0], training=training)
        return model(inputs, training=training)

    variables = [
        [one.value for one in several]
        for several in (model.trainable_variables, model.non_trainable_variables)
    ]
    return _Opened(
        lambda *inputs: call(list(inputs), False),
        lambda *inputs: call(list(inputs), True),
        *variables,
    )


def _source(folder: str) -> _Opened:
    sys.path.insert(0, folder)
    from model import load  # type: ignore[import-not-found]

    return _of_keras(load())


def _saved_model(folder: str) -> _Opened:
    # A SavedModel needs TensorFlow alone.
    sys.modules["keras"] = None  # type: ignore[assignment]
    model = tf.saved_model.load(folder)
    return _Opened(model, model.train, list(model.parameters), list(model.state))


def _opened(folder: Path) -> _Opened:
    if (folder / "model.keras").exists():
        return _keras(folder / "model.keras")
    if (folder / "model.py").exists():
        return _source(str(folder))
    return _saved_model(str(folder))


def main(folder: str, *files: str) -> None:
    """Writes what the model gives for the inputs, and prints what a training step does."""
    model = _opened(Path(folder))
    for inputs, outputs in zip(files[::2], files[1::2], strict=True):
        np.savez(outputs, *[np.asarray(y) for y in _several(model.infer(*_arrays(inputs)))])
    print(json.dumps(_train(model, _arrays(files[0]))))


def _arrays(path: str) -> list[tf.Tensor]:
    with np.load(path) as saved:
        return [tf.constant(saved[name]) for name in saved.files]


def _several(results: Any) -> list[Any]:
    if isinstance(results, (list, tuple)):
        return list(results)
    return [results]


def _train(model: _Opened, inputs: list[tf.Tensor]) -> dict[str, Any]:
    """One step of gradient descent toward outputs that are a little different.

    It is halved until the loss falls.
    """
    state = [(variable, variable.numpy()) for variable in model.state]
    random = np.random.default_rng(0)
    targets: list[tuple[Any, float]] = []

    def loss() -> Any:
        # The same dropout masks and statistics each time.
        for variable, value in state:
            variable.assign(value)
        outputs = [y for y in _several(model.train(*inputs)) if y.dtype.is_floating]
        if not targets:
            scales = [float(tf.reduce_max(tf.abs(y))) or 1.0 for y in outputs]
            targets.extend(
                (y.numpy() + s * random.standard_normal(y.shape).astype("float32"), s)
                for y, s in zip(outputs, scales, strict=True)
            )
        return sum(
            tf.reduce_mean(tf.square((y - t) / s))
            for y, (t, s) in zip(outputs, targets, strict=True)
        )

    loss()
    variables = model.parameters
    with tf.GradientTape() as tape:
        before = loss()
    # A variable that the loss does not depend on has no gradient, and stays.
    moved = [
        (variable, variable.numpy(), tf.convert_to_tensor(gradient))
        for variable, gradient in zip(variables, tape.gradient(before, variables), strict=True)
        if gradient is not None
    ]
    if not moved:
        return {"loss": [], "learning": len(variables), "slope": 0.0}
    squares = sum(float(tf.reduce_sum(tf.square(gradient))) for *_, gradient in moved)
    rate, after = 0.1 * float(before) / max(squares, 1e-30), float("inf")
    for _ in range(HALVINGS):
        for variable, value, gradient in moved:
            variable.assign(value - rate * gradient)
        after = float(loss())
        if after < float(before):
            break
        rate /= 2
    return {"loss": [float(before), after], "learning": len(variables), "slope": squares}


if __name__ == "__main__":
    main(*sys.argv[1:])
