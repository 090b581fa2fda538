"""What each engine of Keras supplies to a model; a file an engine has a class that does."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.primitives import Primitives


class EngineModel(keras.Model, metaclass=abc.ABCMeta):
    """A `keras.Model` whose steps run as its engine wants it."""

    always_compiled: ClassVar[bool] = False
    """Whether the engine without compiling is only for debugging."""

    @staticmethod
    @abc.abstractmethod
    def to_numpy(x: Any) -> np.ndarray:
        """The engine's array as NumPy's, of its own memory."""

    @staticmethod
    @abc.abstractmethod
    def set_threads(threads: int | None) -> None:
        """How many threads compute from now on; None leaves it to the engine."""

    @staticmethod
    @abc.abstractmethod
    def precisely(precision: str) -> AbstractContextManager[Any]:
        """Within: arrays of 64 bits are what they say, products of float32 as `precision` says."""

    @abc.abstractmethod
    def prepare(self, layout: str | None) -> Primitives:
        """The primitives, in the model's precision and in this memory layout."""

    def narrowing(self) -> AbstractContextManager[Any]:
        """Around the network, if bfloat16 is not a matter of the primitives alone."""
        return nullcontext()

    @abc.abstractmethod
    def array(self, x: Any) -> Any:
        """The value of a variable, or x itself, as the engine's array."""

    climbing: bool = False
    """Whether a step goes through its batch to find where the loss is highest near, and no more."""
    above: bool = False
    """Whether a step goes through its batch again, from there."""

    def passes(self) -> Iterator[None]:
        """As often as a step goes through its batch."""
        yield

    def after_step(self) -> None:
        """What remains to do in a training step once the weights are new."""
