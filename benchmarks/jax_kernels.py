"""What JAX computes here in another way than by XLA's own kernel, against that kernel.

Forwards and backwards, on this CPU. Ratios are medians of neighbours' ratios, the two taking turns,
above 1 if ours is faster.

    python benchmarks/jax_kernels.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from allotrope.frameworks.jax import neural as jax_neural
from allotrope.frameworks.jax.pooling import PoolingWindow, largest, reduced

WINDOWS = [
    ((2, 2), (2, 2), 0),
    ((3, 3), (2, 2), 1),
    ((3, 3), (1, 1), 1),
    ((4, 4), (4, 4), 0),
    ((5, 5), (1, 1), 0),
]
DEPTHWISE = [(96, 28, 1), (96, 28, 2), (576, 14, 1)]


def pooling(sides, strides, pad):
    """Max pooling of 64 images of 56x56x64."""
    window = PoolingWindow(sides, strides, ((pad, pad), (pad, pad)), float("-inf"))
    x = np.random.default_rng(0).standard_normal((64, 56, 56, 64)).astype(np.float32)
    return (lambda x: largest(x, 1, window)), (lambda x: reduced(lax.max, x, 1, window)), (x,)


def depthwise(channels, side, stride):
    """A 3x3 convolution of each channel by itself, over 16 images."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, channels, side, side)).astype(np.float32)
    weight = rng.standard_normal((channels, 1, 3, 3)).astype(np.float32)
    options = {
        "window_strides": (stride, stride),
        "padding": [(1, 1), (1, 1)],
        "rhs_dilation": (1, 1),
        "feature_group_count": channels,
    }
    numbers = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}

    def ours(x, weight):
        return jax_neural.convolve(
            lambda function, *arrays: function(*arrays), x, weight, None, options
        )

    def theirs(x, weight):
        x, weight = jnp.transpose(x, (0, 2, 3, 1)), jnp.transpose(weight, (2, 3, 1, 0))
        return jnp.transpose(
            lax.conv_general_dilated(x, weight, **options, **numbers), (0, 3, 1, 2)
        )

    return ours, theirs, (x, weight)


def step(function, arrays):
    """A call that computes the gradients of the sum of squares by all arrays, compiled already.

    It gives how long it took.
    """
    gradients = jax.jit(
        jax.grad(
            lambda *arrays: jnp.sum(jnp.square(function(*arrays))),
            argnums=tuple(range(len(arrays))),
        )
    )
    arrays = [jnp.asarray(array) for array in arrays]

    def run():
        began = time.perf_counter()
        jax.block_until_ready(gradients(*arrays))
        return time.perf_counter() - began

    run()
    return run


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    cases = {f"max pooling {k} by {s}": functools.partial(pooling, k, s, p) for k, s, p in WINDOWS}
    cases |= {
        f"depthwise 3x3 of {c} channels, {n}x{n}, by {s}": functools.partial(depthwise, c, n, s)
        for c, n, s in DEPTHWISE
    }
    print(f"jax {jax.__version__}, {jax.default_backend()}")
    for name, build in cases.items():
        ours, theirs, arrays = build()
        runs = step(ours, arrays), step(theirs, arrays)
        times = [tuple(run() for run in runs) for _ in range(rounds)]
        milliseconds = [1e3 * statistics.median(column) for column in zip(*times, strict=True)]
        ratio = statistics.median(other / own for own, other in times)
        print(
            f"{name:45} ours {milliseconds[0]:7.1f} ms, XLA's {milliseconds[1]:7.1f} ms, ratio "
            f"{ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
