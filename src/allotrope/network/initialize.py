"""The first values of weights, drawn in NumPy: every framework begins with the same.

Each weight has a stream of its own, derived from the seed and its name: a layer that is added does
not move the others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np

Shape = tuple[int, ...]
Initializer = Callable[[np.random.Generator, Shape], np.ndarray]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of the weight `name`."""
    # Python's own hash differs from process to process.
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed, int.from_bytes(digest[:8], "little")]))
    )


def draw(initializer: Initializer, seed: int, name: str, shape: Shape) -> np.ndarray:
    """The float32 weight `name`, read-only, drawn from the stream of (seed, name)."""
    values = np.array(initializer(stream(seed, name), shape), dtype=np.float32, copy=None)
    values.flags.writeable = False
    return values


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs one output sees and how many outputs one input reaches.

    `shape` is [out, in] of a dense layer or [out, in / groups, *kernel] of a convolution.
    """
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def he_normal(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Normal with variance 2 / fan_in (He et al. 2015, equation 10).

    https://arxiv.org/abs/1502.01852
    """
    return random.standard_normal(shape, dtype=np.float32) * math.sqrt(2 / fans(shape)[0])


def he_uniform(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Uniform with variance 2 / fan_in, that is within sqrt(6 / fan_in) (He et al. 2015)."""
    return _uniform(random, shape, 2 / fans(shape)[0])


def glorot_normal(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 12).

    https://proceedings.mlr.press/v9/glorot10a.html
    """
    return random.standard_normal(shape, dtype=np.float32) * math.sqrt(2 / sum(fans(shape)))


def glorot_uniform(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16)."""
    return _uniform(random, shape, 2 / sum(fans(shape)))


def lecun_normal(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Normal with variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp", equation 16)."""
    return random.standard_normal(shape, dtype=np.float32) * math.sqrt(1 / fans(shape)[0])


def lecun_uniform(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Uniform with variance 1 / fan_in, that is within sqrt(3 / fan_in) (LeCun et al. 1998)."""
    return _uniform(random, shape, 1 / fans(shape)[0])


def fan_in_uniform(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Uniform within 1 / sqrt(fan_in), as PyTorch's Linear and Conv2d begin."""
    return _uniform(random, shape, 1 / (3 * fans(shape)[0]))


def normal_of(deviation: float) -> Initializer:
    """Normal with this standard deviation."""

    def drawn(random: np.random.Generator, shape: Shape) -> np.ndarray:
        return random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)

    return drawn


def truncated_normal(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Normal with standard deviation 0.02, drawn again beyond two of them (BERT, ViT).

    Devlin et al. 2018, the released code.
    """
    values = random.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = random.standard_normal(int(beyond.sum()))
    return values * 0.02


def orthogonal(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Rows (or columns, whichever are fewer) that are orthonormal (Saxe et al. 2013).

    https://arxiv.org/abs/1312.6120

    The signs of the triangular factor's diagonal are taken out, without which the rotation is not
    uniform (Mezzadri 2006, https://arxiv.org/abs/math-ph/0609050).
    """
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def dirac(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """The first `in` filters of [out, in, kh, kw] pass their channel on; the rest are drawn.

    As cifar10-airbench begins (https://github.com/KellerJordan/cifar10-airbench); DiracNets,
    https://arxiv.org/abs/1706.00388.
    """
    values = fan_in_uniform(random, shape)
    same = min(shape[0], shape[1])
    centre = tuple(side // 2 for side in shape[2:])
    # A 1 in the middle and 0 elsewhere is the identity: the channel goes through as it is.
    values[:same] = 0
    for channel in range(same):
        values[(channel, channel, *centre)] = 1
    return values


def zeros(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """All 0, as biases begin."""
    return np.zeros(shape, dtype=np.float32)


def ones(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """All 1, as the scales of normalization begin."""
    return np.ones(shape, dtype=np.float32)


def _uniform(random: np.random.Generator, shape: Shape, variance: float) -> np.ndarray:
    bound = math.sqrt(3 * variance)
    return random.uniform(-bound, bound, shape)
