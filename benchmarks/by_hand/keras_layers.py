"""Layers of `photographs.py` in Keras: the functional API, on [n, h, w, c]."""

from __future__ import annotations

from keras import layers, ops

ACTS = {
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "gelu": "gelu",
    "hard_swish": "hard_swish",
    "hard_sigmoid": "hard_sigmoid",
    "sigmoid": "sigmoid",
}


class Scale(layers.Layer):
    def build(self, shape):
        self.weight = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.weight


class Tokens(layers.Layer):
    """One that stands for the picture before those of its patches, each with its place."""

    def build(self, shape):
        _, count, features = shape
        self.token = self.add_weight(shape=(1, 1, features))
        self.places = self.add_weight(shape=(1, count + 1, features))

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], 1) + self.places


class Shuffle(layers.Layer):
    def call(self, x):
        n, height, width, channels = ops.shape(x)
        apart = ops.reshape(x, (n, height, width, 2, channels // 2))
        return ops.reshape(ops.swapaxes(apart, 3, 4), (n, height, width, channels))


class Layers:
    """Each call is a layer of its own."""

    @staticmethod
    def conv(x, channels, kernel, stride=1, groups=1, bias=False, padding=None):
        padded = "valid" if padding == 0 else "same"
        if groups > 1:
            return layers.DepthwiseConv2D(kernel, stride, padding=padded, use_bias=bias)(x)
        return layers.Conv2D(channels, kernel, stride, padding=padded, use_bias=bias)(x)

    @staticmethod
    def norm(x):
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    @staticmethod
    def last_norm(x):
        return layers.LayerNormalization(epsilon=1e-6)(x)

    layer_norm = last_norm

    @staticmethod
    def dense(x, features):
        return layers.Dense(features)(x)

    @staticmethod
    def dropout(x, share):
        return layers.Dropout(share)(x)

    @staticmethod
    def gamma(x):
        return Scale()(x)

    @staticmethod
    def tokens(x):
        return Tokens()(layers.Reshape((-1, x.shape[-1]))(x))

    @staticmethod
    def attention(x, heads):
        return layers.MultiHeadAttention(heads, x.shape[-1] // heads)(x, x)

    @staticmethod
    def act(x, name):
        return layers.Activation(ACTS[name])(x)

    @staticmethod
    def pool(x, kind, kernel, stride, padding=0):
        pool = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
        return pool(kernel, stride, "same" if padding else "valid")(x)

    @staticmethod
    def mean(x):
        return layers.GlobalAveragePooling2D()(x)

    @staticmethod
    def flatten(x):
        return layers.Flatten()(x)

    @staticmethod
    def gate(x, y):
        return layers.Multiply()([x, layers.Reshape((1, 1, y.shape[-1]))(y)])

    @staticmethod
    def concat(parts):
        return layers.Concatenate()(parts)

    @staticmethod
    def halves(x):
        return ops.split(x, 2, axis=-1)

    @staticmethod
    def shuffle(x):
        return Shuffle()(x)

    @staticmethod
    def width(x):
        return x.shape[-1]

    @staticmethod
    def channels_last(x):
        return x

    @staticmethod
    def channels_first(x):
        return x
