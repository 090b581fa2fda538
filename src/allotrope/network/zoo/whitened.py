"""The network of the CIFAR-10 speed record, airbench (Jordan 2024, arxiv.org/abs/2404.00498)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.network.initialize import Initializer, Shape, dirac, fan_in_uniform, orthogonal
from allotrope.network.network import Network
from allotrope.network.zoo.building_blocks import Blocks, Features, Image, Style, positive

DEPTHS = (2, 3)
ROUNDING = 1e-6
"""Share of the strongest direction below which another is rounding and no signal; photographs, of 8
bits, have none below 5e-5."""


def whitened_cnn(
    classes: int,
    image: Image,
    *,
    filters: np.ndarray | None = None,
    channels: tuple[int, ...] = (64, 256, 256),
    depth: int = 2,
    logit_scale: float = 1 / 9,
    momentum: float = 0.6,
    epsilon: float = 1e-12,
    activation: str = "gelu",
    normalization: str = "batch",
    dropout: float = 0.0,
    width: float = 1.0,
    seed: int = 0,
) -> Network:
    """A frozen whitening convolution, then groups of `depth` convolutions for `channels`.

    x: [n, c, h, w] to logits: [n, classes]. `filters` [o, c, k, k] are what `whitening_filters`
    computes from the training images; without them they are a random rotation of the patches. The
    scales of normalization are frozen at 1, `momentum` (ONNX's) and `epsilon` are its other
    settings. A group of three convolutions has a shortcut around the last two. airbench94 is what
    the defaults give, airbench96 `channels=(128, 512, 512), depth=3, momentum=0.9`.

    Raises: UsageError that lists every argument that is wrong.
    """
    style = Style(activation, normalization, dropout, width, seed)
    problems = positive("channels", channels) + _filter_problems(filters, image)
    if depth not in DEPTHS:
        problems.append(f"depth must be 2 or 3, found {depth}.")
    if filters is None or filters.ndim != 4:
        kernel = 2
    else:
        kernel = filters.shape[2]
    least = 2 ** len(channels) + kernel - 1
    blocks = Blocks("whitened_cnn", classes, image, style, smallest=least, problems=problems)
    blocks.initializer = dirac
    count = 2 * image[0] * kernel**2
    whiten: Initializer = _rotation
    if filters is not None:
        count, whiten = len(filters), _given(filters)
    frozen: dict[str, Any] = {"initializer": whiten, "trainable": False}
    x = blocks.convolution(blocks.input, "whiten", count, kernel, padding=0, bias=True, **frozen)
    x = blocks.activation(x)
    for number, wide in enumerate(channels, 1):
        x = _group(blocks, x, f"layer{number}", blocks.scaled(wide), depth, momentum, epsilon)
    x = blocks.dropout(blocks.global_pooling(x, "pool", "max"), "dropout")
    x = blocks.dense(x, "head", classes, bias=False, initializer=fan_in_uniform)
    scale = blocks.builder.constant(np.float32(logit_scale), "head.scale")
    return blocks.finish(
        Features(blocks.builder.add("Mul", [x.name, scale], name="head.scaled"), x.shape)
    )


def whitening_filters(
    images: np.ndarray,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    kernel: int = 2,
    epsilon: float = 5e-4,
    limit: int = 5000,
) -> np.ndarray:
    """Filters float32 [2 d, c, k, k] that decorrelate patches [c, k, k], and their negatives.

    `images`: uint8 [n, h, w, c], of which at most about `limit`, evenly spread, are used; `mean`
    and `std` per channel in pixel units. The filters are the eigenvectors of the patches' second
    moments, the strongest first, each divided by the root of its eigenvalue + `epsilon`, as in
    airbench; d is c k k but for directions in which the images hold nothing, as grey ones with
    three channels do: normalized, the rounding there would look like a signal, another in each
    framework and runtime.
    """
    channels = images.shape[3]
    size = channels * kernel**2
    moments, count = np.zeros((size, size)), 0
    every = -(-len(images) // limit)
    # In pieces, for patches take `kernel` ** 2 times the memory of the images.
    for start in range(0, len(images), 250 * every):
        chosen = images[start : start + 250 * every : every]
        pixels = (chosen - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
        patches = np.lib.stride_tricks.sliding_window_view(
            pixels, (kernel, kernel), axis=(1, 2)
        ).reshape(-1, size)
        moments += patches.T @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(moments / count)
    signal = (values > ROUNDING * values[-1]) | (values == values[-1])
    filters = (
        (vectors / np.sqrt(np.maximum(values, 0) + epsilon))
        .T[signal][::-1]
        .reshape(-1, channels, kernel, kernel)
    )
    return np.concatenate([filters, -filters]).astype(np.float32)


def _group(
    blocks: Blocks,
    x: Features,
    name: str,
    channels: int,
    depth: int,
    momentum: float,
    epsilon: float,
) -> Features:
    x = blocks.pooling(blocks.convolution(x, f"{name}.conv1", channels), f"{name}.pool")
    first = x = blocks.activation(_normalization(blocks, x, f"{name}.norm1", momentum, epsilon))
    for number in range(2, depth + 1):
        x = blocks.convolution(x, f"{name}.conv{number}", channels)
        x = _normalization(blocks, x, f"{name}.norm{number}", momentum, epsilon)
        if number == 3:
            x = blocks.add(x, first, f"{name}.add")
        x = blocks.activation(x)
    return x


def _normalization(
    blocks: Blocks, x: Features, name: str, momentum: float, epsilon: float
) -> Features:
    return blocks.normalization(x, name, scale_trainable=False, momentum=momentum, epsilon=epsilon)


def _rotation(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Orthonormal filters and their negatives, which whiten patches that are white already."""
    filters = orthogonal(random, (shape[0] // 2, *shape[1:]))
    return np.concatenate([filters, -filters])


def _given(filters: np.ndarray) -> Initializer:
    return lambda random, shape: filters.astype(np.float32)


def _filter_problems(filters: np.ndarray | None, image: Image) -> list[str]:
    if filters is None or (
        filters.ndim == 4 and filters.shape[1] == image[0] and filters.shape[2] == filters.shape[3]
    ):
        return []
    return [f"filters must be [o, {image[0]}, k, k], found {list(filters.shape)}."]
