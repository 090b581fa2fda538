"""TensorFlow, imported without its chatter: the one place that does."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from allotrope.lean_imports import hidden, own_process


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error: TensorFlow writes there before its own setting for it holds.

    Exceptions come through.
    """
    error, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(error, 2)
        os.close(error)
        os.close(nothing)


def without_unneeded() -> AbstractContextManager[None]:
    """Within, TensorFlow and Keras are imported in about half the time.

    They import these packages if they are there, to take what is made with them, such as data
    frames. Only a user's code gives them any.
    """
    if own_process():
        return hidden("jax", "pandas", "scipy", "sklearn")
    return nullcontext()


# Errors of kernels come as exceptions, so nothing is lost.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _silence(), warnings.catch_warnings(), without_unneeded():
    warnings.simplefilter("ignore")
    import tensorflow as tf

__all__ = ["tf"]
