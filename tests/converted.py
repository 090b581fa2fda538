"""Opens what `convert` writes in this very process, without its proof: for many small networks, each too small for a process."""

import importlib
import importlib.util
import sys

import numpy as np

WRITE = {"pytorch": "allotrope.conversion.pytorch", "keras": "allotrope.conversion.keras", "jax": "allotrope.conversion.jax",
         "tensorflow": "allotrope.conversion.tensorflow"}  # fmt: skip


def opened(network, target, folder):
    """A function of a list of NumPy arrays that gives a list of them: the network, written for a target into a folder."""
    importlib.import_module(WRITE[target]).write(network, folder)
    return _OPEN[target](folder)


def module(folder):
    """The folder's `model.py`, which finds its `operators.py` beside it."""
    for name in ("operators", "model"):
        sys.modules.pop(name, None)
        if (folder / f"{name}.py").exists():
            specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(sys.modules[name])
    return sys.modules.pop("model")


def _several(found):
    return list(found) if isinstance(found, (tuple, list)) else [found]


def _pytorch(folder):
    import torch

    from allotrope.frameworks.pytorch_primitives import to_numpy, to_tensor

    model = module(folder).load()

    def run(arrays):
        with torch.no_grad():
            return [to_numpy(y) for y in _several(model(*[to_tensor(np.asarray(x)) for x in arrays]))]

    return run


_OPEN = {"pytorch": _pytorch}
