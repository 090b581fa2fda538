"""Keras, imported on its engine and without chatter: the one place that does."""

from __future__ import annotations

import importlib
import os
import warnings

from allotrope.frameworks.keras.keras_engine import engine

os.environ["KERAS_BACKEND"] = engine()
if engine() == "tensorflow":
    importlib.import_module(
        "allotrope.frameworks.tensorflow.importing"
    )  # first, for Keras would let it talk
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras

__all__ = ["keras"]
