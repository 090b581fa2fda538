"""Products of matrices in TensorFlow, with weights that are stored for them.

Flattening [n, c, h, w] would first bring an image [n, h, w, c] into that order. Instead the
flattened tensor remembers the image, and the product takes its features as they lie, with the
weight's rows in the same order. TensorFlow folds a transposed weight into the product, whose kernel
takes several times as long for it; a weight that is a stored kernel needs no transposing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from allotrope.frameworks.kernels import STORED
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.kernels import stored
from allotrope.frameworks.tensorflow.layout import twin

Tensor = Any


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x in another shape; flattened from [n, h, w, c] it remembers that."""
    y = tf.reshape(x, tuple(shape))
    if twin(x) is not None and len(shape) == 2 and shape[0] == x.shape[0]:
        y.flattened = twin(x)
    return y


def turned(weight: Tensor) -> Tensor:
    """weight [m, k] as [k, m], remembering weight."""
    y = tf.transpose(weight)
    y.turned = weight
    return y


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x [n, k] times weight [k, m]."""
    image, rows = getattr(x, "flattened", None), _kernel(x, weight)
    if rows is None:
        return tf.matmul(x, weight)
    if tuple(rows.shape[:2]) != (1, 1):
        if image is None or image.shape[1:] != rows.shape[:3]:
            return tf.matmul(x, weight)
        x = tf.reshape(image, x.shape)
    return tf.matmul(x, tf.reshape(rows, weight.shape))


def product_of_rows(x: Tensor, weight: Tensor) -> Tensor:
    """x [..., k] times weight [k, m], whose slope is one product then and no sum of several."""
    *places, k = x.shape
    rows = product(tf.reshape(x, (math.prod(places), k)), weight)
    return tf.reshape(rows, (*places, weight.shape[1]))


def _kernel(x: Tensor, weight: Tensor) -> Tensor | None:
    """weight as [h, w, c, m], from storage, or turned if that costs no more than the image would.

    Of the image x was flattened; it would have to be turned instead.
    """
    named, image = getattr(weight, "turned", None), getattr(x, "flattened", None)
    if named is None:
        return None
    if stored(named) is not None:
        return stored(named)
    n, m = x.shape[0], weight.shape[1]
    if image is None or n < m:
        return None
    _, h, w, c = image.shape
    return tf.transpose(tf.reshape(named, (m, c, h, w)), STORED)
