"""Opens what `convert` writes in this very process, without its proof.

For many small networks, each too small for a process.
"""

import importlib
import importlib.util
import sys

import numpy as np


def opened(network, target, folder):
    """A function of a list of NumPy arrays that gives a list of them.

    It is the network, written for a target into a folder.
    """
    return _OPEN[target](network, folder)


def module(folder):
    """The folder's `model.py`, which finds its `operators.py` beside it."""
    for name in ("operators", "model"):
        sys.modules.pop(name, None)
        if (folder / f"{name}.py").exists():
            specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(sys.modules[name])
    return sys.modules.pop("model")


def _several(outputs):
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def _pytorch(network, folder):
    import torch

    from allotrope.conversion.pytorch.target import write
    from allotrope.frameworks.pytorch.primitives import to_numpy, to_tensor

    write(network, folder)
    model = module(folder).load()

    def run(arrays):
        with torch.no_grad():
            return [
                to_numpy(y) for y in _several(model(*[to_tensor(np.asarray(x)) for x in arrays]))
            ]

    return run


def _jax(network, folder):
    import jax
    import jax.numpy as jnp

    from allotrope.conversion.jax.target import write

    write(network, folder)
    model = module(folder).load()

    def run(arrays):
        with jax.enable_x64(True):
            return [np.asarray(y) for y in _several(model(*map(jnp.asarray, arrays)))]

    return run


def _keras(network, folder, traced=False):
    import tensorflow as tf

    from allotrope.conversion.keras import make_model as keras_build
    from allotrope.conversion.keras.subclass import subclass_source
    from allotrope.conversion.keras.target import RULES, keras_source
    from allotrope.conversion.tensorflow import make_model as tensorflow_build
    from allotrope.errors import UnsupportedError

    weights = str(folder / "weights.npz")
    try:
        source, layers = keras_source(network)
    except UnsupportedError:
        sources = subclass_source(network, RULES, "Keras")
        sources.write(folder, "")
        np.savez(weights, **sources.arrays)
        model, traced = keras_build.subclassed(module(folder).Network(), weights), False
    else:
        (folder / "model.py").write_text(source)
        np.savez(weights, **layers.arrays)
        model = keras_build.functional(module(folder).build(), weights)

    def run(arrays):
        tensors = [tf.constant(x) for x in arrays]
        if traced:
            served = tensorflow_build.ServedNetwork(model, {})
            return [np.asarray(y) for y in _several(served.infer(*tensors))]
        return [
            np.asarray(y) for y in _several(model(tensors[0] if len(tensors) == 1 else tensors))
        ]

    return run


def _tensorflow(network, folder):
    return _keras(network, folder, traced=True)


_OPEN = {"jax": _jax, "keras": _keras, "pytorch": _pytorch, "tensorflow": _tensorflow}
