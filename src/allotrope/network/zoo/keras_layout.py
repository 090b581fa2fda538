"""Weights in TensorFlow's and Keras's names and layouts, as ONNX and PyTorch lay them out.

Letters: h and w of a kernel, i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Keras's variable, what it is here, and the order of its axes by their number.
PARTS: dict[str, tuple[str, dict[int, tuple[int, ...]]]] = {
    # [h, w, i, o] to [o, i, h, w]; [i, o] to [o, i].
    "kernel": ("weight", {4: (3, 2, 0, 1), 2: (1, 0)}),
    # [h, w, i, 1] to [i, 1, h, w].
    "depthwise_kernel": ("weight", {4: (2, 3, 0, 1)}),
    "bias": ("bias", {}),
    "gamma": ("weight", {}),
    "beta": ("bias", {}),
    "moving_mean": ("running_mean", {}),
    "moving_variance": ("running_var", {}),
}


def is_of_keras(name: str) -> bool:
    """Whether it names a variable of a layer; Caffe's layers have slashes too, and no such ends."""
    layer, _, variable = name.removesuffix(":0").rpartition("/")
    return bool(layer) and variable in PARTS


def from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`layer/kernel` as `layer.weight`, its axes in ONNX's order; other names stay."""
    renamed = {}
    for name, array in arrays.items():
        layer, _, variable = name.removesuffix(":0").rpartition("/")
        if not is_of_keras(name):
            renamed[name] = array
            continue
        part, orders = PARTS[variable]
        order = orders.get(array.ndim)
        if order is not None:
            array = np.ascontiguousarray(array.transpose(order))
        # Keras writes the layer's own name twice, as layer/layer/kernel.
        first, _, rest = layer.partition("/")
        if first == rest:
            layer = first
        renamed[f"{layer}.{part}"] = array
    return renamed
