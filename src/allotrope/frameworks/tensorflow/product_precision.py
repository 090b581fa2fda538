"""How TensorFlow makes products of float32 on GPUs: exactly, or of rounded numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from allotrope.frameworks.tensorflow.importing import tf


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Within: rounded to TensorFloat-32 (10 bits) for `tensorfloat32`, else as they are.

    By itself TensorFlow rounds them.
    """
    say = tf.config.experimental.enable_tensor_float_32_execution
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    say(precision == "tensorfloat32")
    try:
        yield
    finally:
        say(before)
