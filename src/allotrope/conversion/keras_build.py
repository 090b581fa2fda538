"""Makes `model.keras` from a folder's `model.py`, with nothing of Allotrope: python -I keras_build.py FOLDER WEIGHTS."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

sys.modules["allotrope"] = None  # type: ignore[assignment] # to import it is an error from here on


def built(folder: str, weights: str) -> Any:
    """The model with its weights, which are in WEIGHTS by `<layer>/<number of the variable>`."""
    sys.path.insert(0, folder)
    from model import build  # type: ignore[import-not-found]

    model = build()
    with np.load(weights) as file:
        for layer in model.layers:
            count = len([name for name in file.files if name.rpartition("/")[0] == layer.name])
            if count:
                layer.set_weights([file[f"{layer.name}/{number}"] for number in range(count)])
    return model


def main(folder: str, weights: str) -> None:
    """Writes the model, and prints how many variables it has."""
    model = built(folder, weights)
    model.save(Path(folder) / "model.keras")
    print(len(model.weights))


if __name__ == "__main__":
    keras.utils.disable_interactive_logging()
    main(*sys.argv[1:])
