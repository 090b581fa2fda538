"""Makes `model.keras` of a folder's `model.py`, without Allotrope.

python -I make_model.py FOLDER WEIGHTS
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if __name__ == "__main__":
    # Imported where they are there, which takes as long as the rest of TensorFlow, and not needed.
    unneeded = dict.fromkeys(("jax", "pandas", "scipy", "sklearn"))
    sys.modules.update(unneeded)  # type: ignore[arg-type]

import keras
import numpy as np


def opened(folder: str) -> Any:
    """The folder's `model.py`, where Allotrope cannot be imported from here on."""
    sys.modules["allotrope"] = None  # type: ignore[assignment]
    sys.path.insert(0, folder)
    return importlib.import_module("model")


def functional(model: Any, weights: str) -> Any:
    """The model with its weights, which are in WEIGHTS by `<layer>/<number of the variable>`."""
    with np.load(weights) as file:
        for layer in model.layers:
            count = len([name for name in file.files if name.rpartition("/")[0] == layer.name])
            if count:
                layer.set_weights([file[f"{layer.name}/{number}"] for number in range(count)])
    return model


def subclassed(model: Any, weights: str) -> Any:
    """The same of a subclass, whose weights are there by `<attribute>`, or `<layer>/<number>`."""
    with np.load(weights) as file:
        parts = [name.partition("/") for name in file.files]
        for attribute, _, number in parts:
            holder = getattr(model, attribute)
            if number == "0":
                count = sum(other == attribute for other, *_ in parts)
                holder.set_weights([file[f"{attribute}/{place}"] for place in range(count)])
            elif not number:
                holder.assign(file[attribute])
    return model


def main(folder: str, weights: str) -> None:
    """Writes the model, and prints how many variables it has."""
    module = opened(folder)
    if hasattr(module, "build"):
        model = functional(module.build(), weights)
        model.save(Path(folder) / "model.keras")
    else:
        model = subclassed(module.Network(), weights)
        model.save_weights(Path(folder) / "model.weights.h5")
    print(len(model.weights))


if __name__ == "__main__":
    keras.utils.disable_interactive_logging()
    main(*sys.argv[1:])
