"""The engine under Keras: the framework that computes for it, one for the life of a process.

Imports none of them.
"""

from __future__ import annotations

import os
import sys

from allotrope.errors import unknown_name

ENGINES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "pytorch"}
"""Each engine as KERAS_BACKEND names it, and the framework that it is here."""

MODELS = {"tensorflow": "TensorFlowModel", "jax": "JaxModel", "torch": "TorchModel"}
"""The class of each engine, in the file `engine_<name>`."""


def engine() -> str:
    """That of Keras if it is loaded already, else what KERAS_BACKEND names, else tensorflow.

    Raises: UsageError.
    """
    name: str = os.environ.get("KERAS_BACKEND") or "tensorflow"
    keras = sys.modules.get("keras")
    if keras is not None:
        name = keras.config.backend()
    if name not in ENGINES:
        raise unknown_name("engine for Keras (KERAS_BACKEND)", name, ENGINES)
    return name
