"""Makes a SavedModel from a Keras model's source, with nothing of Allotrope.

python -I make_model.py SOURCES FOLDER

SOURCES holds `model.py`, `weights.npz` and `places.json`: `<layer>/<number of its variable>` for
each weight of the ONNX file.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def _keras_build() -> Any:
    """The file that builds Keras models, as a module: this script does not see Allotrope."""
    path = Path(__file__).parents[1] / "keras" / "make_model.py"
    specification = importlib.util.spec_from_file_location("keras_build", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    # Imported where they are there, which takes as long as the rest of TensorFlow, and not needed.
    unneeded = dict.fromkeys(("jax", "pandas", "scipy", "sklearn"))
    sys.modules.update(unneeded)  # type: ignore[arg-type]

keras_build = _keras_build()

import tensorflow as tf  # noqa: E402 - that file sets the environment that it reads


class ServedNetwork(tf.Module):
    """The graphs for inference (`__call__`) and training (`train`), and the variables.

    `parameters` are those that learn, `weights` all that have a name.
    """

    def __init__(self, model: Any, weights: dict[str, Any]) -> None:
        super().__init__()
        self.parameters = [variable.value for variable in model.trainable_variables]
        self.weights = weights
        self.state = [variable.value for variable in model.non_trainable_variables]
        self._model = _Untracked(model)
        signature = [tf.TensorSpec(x.shape, x.dtype, name=x.name) for x in model.inputs]
        self.infer = tf.function(
            lambda *inputs: self._run(inputs, False), input_signature=signature, autograph=False
        )
        self.train = tf.function(
            lambda *inputs: self._run(inputs, True), input_signature=signature, autograph=False
        )
        # A loaded model is called like any function.
        self.__call__ = self.infer

    def _run(self, inputs: tuple[Any, ...], training: bool) -> Any:
        taken: Any = list(inputs)
        if len(inputs) == 1:
            taken = inputs[0]
        results = self._model.value(taken, training=training)
        if isinstance(results, (list, tuple)):
            return tuple(results)
        return results


class _Untracked:
    """Keeps a model from being saved as a Keras object: its graphs and variables are."""

    def __init__(self, value: Any) -> None:
        self.value = value


def named(model: Any, places: dict[str, str]) -> dict[str, Any]:
    """The variables by their names in the ONNX file."""
    layers = {layer.name: layer for layer in model.layers}
    parts = {name: place.rpartition("/") for name, place in places.items()}
    return {
        name: layers[layer].weights[int(number)].value for name, (layer, _, number) in parts.items()
    }


def main(sources: str, folder: str) -> None:
    """Writes the SavedModel, and prints how many variables it has."""
    model = keras_build.functional(
        keras_build.opened(sources).build(), str(Path(sources) / "weights.npz")
    )
    network = ServedNetwork(
        model, named(model, json.loads((Path(sources) / "places.json").read_text(encoding="utf-8")))
    )
    tf.saved_model.save(
        network, folder, signatures={"serving_default": network.infer, "train": network.train}
    )
    print(len(model.weights))


if __name__ == "__main__":
    main(*sys.argv[1:])
