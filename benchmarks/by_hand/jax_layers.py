"""Layers of `photographs.py` in JAX: flax.nnx modules, made in the first pass, on [n, h, w, c]."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

ACTS = {
    "relu": nnx.relu,
    "relu6": nnx.relu6,
    "silu": nnx.silu,
    "gelu": lambda x: nnx.gelu(x, approximate=False),
    "hard_swish": nnx.hard_swish,
    "hard_sigmoid": nnx.hard_sigmoid,
    "sigmoid": nnx.sigmoid,
}


class Scale(nnx.Module):
    def __init__(self, features):
        self.weight = nnx.Param(jnp.full((features,), 1e-6))

    def __call__(self, x):
        return x * self.weight[...]


class Tokens(nnx.Module):
    """One that stands for the picture before those of its patches, each with its place."""

    def __init__(self, count, features, rngs):
        self.token = nnx.Param(0.02 * rngs.normal((1, 1, features)))
        self.places = nnx.Param(0.02 * rngs.normal((1, count + 1, features)))

    def __call__(self, x):
        token = jnp.broadcast_to(self.token[...], (len(x), 1, x.shape[-1]))
        return jnp.concatenate([token, x], 1) + self.places[...]


class Layers(nnx.Module):
    """A network of `photographs.py`; its modules in the order in which it asks for them."""

    def __init__(self, network, classes, side, rngs):
        self.network, self.classes, self.rngs = network, classes, rngs
        self.made, self.next = nnx.List([]), 0
        self(jnp.zeros((2, side, side, 3)))
        self.next = 0

    def __call__(self, x):
        self.next = 0
        return self.network(self, x, self.classes)

    def layer(self, make):
        if self.next == len(self.made):
            self.made.append(make())
        self.next += 1
        return self.made[self.next - 1]

    def conv(self, x, channels, kernel, stride=1, groups=1, bias=False, padding=None):
        options = {
            "strides": stride,
            "padding": kernel // 2 if padding is None else padding,
            "feature_group_count": groups,
            "use_bias": bias,
            "rngs": self.rngs,
        }
        return self.layer(lambda: nnx.Conv(x.shape[-1], channels, (kernel, kernel), **options))(x)

    def norm(self, x):
        options = {"momentum": 0.9, "epsilon": 1e-5, "rngs": self.rngs}
        return self.layer(lambda: nnx.BatchNorm(x.shape[-1], **options))(x)

    def last_norm(self, x):
        return self.layer(lambda: nnx.LayerNorm(x.shape[-1], rngs=self.rngs))(x)

    def layer_norm(self, x):
        return self.last_norm(x)

    def dense(self, x, features):
        return self.layer(lambda: nnx.Linear(x.shape[-1], features, rngs=self.rngs))(x)

    def dropout(self, x, share):
        return self.layer(lambda: nnx.Dropout(share, rngs=self.rngs))(x)

    def gamma(self, x):
        return self.layer(lambda: Scale(x.shape[-1]))(x)

    def tokens(self, x):
        patches = x.reshape(len(x), -1, x.shape[-1])
        return self.layer(lambda: Tokens(*patches.shape[1:], self.rngs))(patches)

    def attention(self, x, heads):
        n, count, features = x.shape
        qkv = self.dense(x, 3 * features).reshape(n, count, 3, heads, -1)
        taken = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2])
        return self.dense(taken.reshape(x.shape), features)

    @staticmethod
    def act(x, name):
        return ACTS[name](x)

    @staticmethod
    def pool(x, kind, kernel, stride, padding=0):
        pool = nnx.max_pool if kind == "max" else nnx.avg_pool
        sides = ((padding, padding), (padding, padding))
        return pool(x, (kernel, kernel), (stride, stride), sides)

    @staticmethod
    def mean(x):
        return x.mean((1, 2))

    @staticmethod
    def flatten(x):
        return x.reshape(len(x), -1)

    @staticmethod
    def gate(x, y):
        return x * y[:, None, None]

    @staticmethod
    def concat(parts):
        return jnp.concatenate(parts, -1)

    @staticmethod
    def halves(x):
        return jnp.split(x, 2, -1)

    @staticmethod
    def shuffle(x):
        apart = x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)
        return jnp.swapaxes(apart, -1, -2).reshape(x.shape)

    @staticmethod
    def width(x):
        return x.shape[-1]

    @staticmethod
    def channels_last(x):
        return x

    @staticmethod
    def channels_first(x):
        return x


def made(network, classes, side):
    """The network with all its modules."""
    return Layers(network, classes, side, nnx.Rngs(0))
