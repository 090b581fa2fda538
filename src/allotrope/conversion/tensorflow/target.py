"""A network as a TensorFlow SavedModel that can be trained: graphs, and variables by name."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from allotrope.conversion.core.proof import run_alone
from allotrope.conversion.keras.subclass import write_subclass
from allotrope.conversion.keras.target import RULES, keras_source, readme
from allotrope.errors import UnsupportedError
from allotrope.network.network import Network

README = """\
# {name} in TensorFlow

A SavedModel, which needs nothing but TensorFlow.

```python
import tensorflow as tf

model = tf.saved_model.load("{folder}")
{outputs} = model({inputs})

with tf.GradientTape() as tape:
    loss = ...  # of model.train({inputs}): BatchNorm by the batch, dropout
gradients = tape.gradient(loss, model.parameters)
```

Takes {inputs_described}; gives {outputs_described}.

`model.parameters` are the variables that learn; `model.weights` has all by their names in the ONNX
file. TensorFlow convolves with channels last: variables are in its order of axes.
"""


def write(network: Network, folder: Path) -> None:
    """Writes the files of the folder.

    Raises: UnsupportedError that lists every node without a meaning.
    """
    try:
        _write_saved_model(network, folder)
    except UnsupportedError:
        # An operator that TensorFlow cannot trace with free lengths shows only there.
        shutil.rmtree(folder)
        folder.mkdir()
        write_subclass(network, RULES, "TensorFlow", folder, readme)


def _write_saved_model(network: Network, folder: Path) -> None:
    source, layers = keras_source(network)
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch)
        (sources / "model.py").write_text(source, encoding="utf-8")
        (sources / "places.json").write_text(json.dumps(layers.places), encoding="utf-8")
        np.savez(sources / "weights.npz", **layers.arrays)  # type: ignore[arg-type]
        run_alone(Path(__file__).with_name("make_model.py"), scratch, str(folder))
    (folder / "README.md").write_text(readme(README, network, folder="."), encoding="utf-8")
