"""Keras, imported on its engine and without chatter: the one place that does."""

from __future__ import annotations

import importlib
import os
import warnings
from contextlib import AbstractContextManager, nullcontext

from allotrope.frameworks.keras.keras_engine import engine


def _on_engine() -> AbstractContextManager[None]:
    """How Keras is imported on it; TensorFlow comes first, for Keras would let it talk."""
    if engine() != "tensorflow":
        return nullcontext()
    tensorflow = importlib.import_module("allotrope.frameworks.tensorflow.importing")
    without_unneeded: AbstractContextManager[None] = tensorflow.without_unneeded()
    return without_unneeded


os.environ["KERAS_BACKEND"] = engine()
with warnings.catch_warnings(), _on_engine():
    warnings.simplefilter("ignore")
    import keras

__all__ = ["keras"]
