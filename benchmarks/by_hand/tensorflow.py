"""cnn, resnet20 and mobilenet_v2 in plain TensorFlow.

tf.nn on [n, h, w, c], variables, tf.function, GradientTape.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from by_hand import photographs

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Layers(tf.Module):
    """Weights by the order in which the network asks for them.

    They are made in the first pass and met again in those that follow.
    """

    def __init__(self):
        super().__init__()
        self.made, self.next, self.training = [], 0, False

    def begin(self, training):
        self.next, self.training = 0, training

    def weight(self, shape, value=None, trainable=True):
        if self.next == len(self.made):
            fan = int(np.prod(shape[:-1]))
            if value is None:
                first = np.random.default_rng(self.next).normal(0, (2 / fan) ** 0.5, shape)
            else:
                first = np.full(shape, value)
            with tf.init_scope():
                self.made.append(tf.Variable(first.astype(np.float32), trainable=trainable))
        self.next += 1
        return self.made[self.next - 1]

    def convolution(self, x, channels, kernel, stride=1, bias=False):
        y = tf.nn.conv2d(x, self.weight((kernel, kernel, x.shape[-1], channels)), stride, "SAME")
        if bias:
            return tf.nn.bias_add(y, self.weight((channels,), 0.0))
        return y

    def depthwise(self, x, stride):
        return self.depthwise_of(x, 3, stride)

    def depthwise_of(self, x, kernel, stride):
        weight = self.weight((kernel, kernel, x.shape[-1], 1))
        return tf.nn.depthwise_conv2d(x, weight, (1, stride, stride, 1), "SAME")

    def normalization(self, x):
        scale, offset = self.weight((x.shape[-1],), 1.0), self.weight((x.shape[-1],), 0.0)
        mean = self.weight((x.shape[-1],), 0.0, False)
        variance = self.weight((x.shape[-1],), 1.0, False)
        if not self.training:
            return tf.compat.v1.nn.fused_batch_norm(
                x, scale, offset, mean, variance, epsilon=1e-5, is_training=False
            )[0]
        y, batch_mean, batch_variance = tf.compat.v1.nn.fused_batch_norm(
            x, scale, offset, epsilon=1e-5
        )
        mean.assign(0.9 * mean + 0.1 * batch_mean)
        variance.assign(0.9 * variance + 0.1 * batch_variance)
        return y

    def dense(self, x, features):
        kernel = self.weight((x.shape[-1], features))
        return tf.tensordot(x, kernel, 1) + self.weight((features,), 0.0)


ACTS = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "silu": tf.nn.silu,
    "gelu": tf.nn.gelu,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "hard_sigmoid": lambda x: tf.nn.relu6(x + 3) / 6,
    "sigmoid": tf.sigmoid,
}


class PhotographLayers(Layers):
    """Layers of `photographs.py`."""

    def conv(self, x, channels, kernel, stride=1, groups=1, bias=False, padding=None):
        if groups > 1:
            y = self.depthwise_of(x, kernel, stride)
        else:
            weight = self.weight((kernel, kernel, x.shape[-1], channels))
            y = tf.nn.conv2d(x, weight, stride, "VALID" if padding == 0 else "SAME")
        return tf.nn.bias_add(y, self.weight((channels,), 0.0)) if bias else y

    def norm(self, x):
        return self.normalization(x)

    def last_norm(self, x):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        scale, offset = self.weight((x.shape[-1],), 1.0), self.weight((x.shape[-1],), 0.0)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-6)

    layer_norm = last_norm

    def dropout(self, x, share):
        return tf.nn.dropout(x, share) if self.training else x

    def gamma(self, x):
        return x * self.weight((x.shape[-1],), 1e-6)

    def tokens(self, x):
        n, height, width, features = x.shape
        token = self.weight((1, 1, features), 0.0)
        places = self.weight((1, height * width + 1, features), 0.0)
        patches = tf.reshape(x, (n, height * width, features))
        return tf.concat([tf.repeat(token, n, 0), patches], 1) + places

    def attention(self, x, heads):
        n, count, features = x.shape
        each = features // heads
        qkv = tf.reshape(self.dense(x, 3 * features), (n, count, 3, heads, each))
        query, key, value = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))
        shares = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * each**-0.5)
        taken = tf.transpose(tf.matmul(shares, value), (0, 2, 1, 3))
        return self.dense(tf.reshape(taken, x.shape), features)

    @staticmethod
    def act(x, name):
        return ACTS[name](x)

    @staticmethod
    def pool(x, kind, kernel, stride, padding=0):
        pool = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
        return pool(x, kernel, stride, "SAME" if padding else "VALID")

    @staticmethod
    def mean(x):
        return tf.reduce_mean(x, (1, 2))

    @staticmethod
    def flatten(x):
        return tf.reshape(x, (x.shape[0], -1))

    @staticmethod
    def gate(x, y):
        return x * y[:, None, None]

    @staticmethod
    def concat(parts):
        return tf.concat(parts, -1)

    @staticmethod
    def halves(x):
        return tf.split(x, 2, -1)

    @staticmethod
    def shuffle(x):
        *places, channels = x.shape
        apart = tf.reshape(x, (*places, 2, channels // 2))
        return tf.reshape(tf.transpose(apart, (0, 1, 2, 4, 3)), (*places, channels))

    @staticmethod
    def width(x):
        return x.shape[-1]

    @staticmethod
    def channels_last(x):
        return x

    @staticmethod
    def channels_first(x):
        return x


def cnn(net, x, classes):
    for channels in (32, 64):
        x = tf.nn.max_pool2d(tf.nn.relu(net.convolution(x, channels, 3, bias=True)), 2, 2, "VALID")
    x = tf.reshape(x, (x.shape[0], -1))
    return net.dense(tf.nn.relu(net.dense(x, 128)), classes)


def basic_block(net, x, channels, stride):
    shortcut = x
    if stride != 1 or x.shape[-1] != channels:
        shortcut = net.normalization(net.convolution(x, channels, 1, stride))
    y = tf.nn.relu(net.normalization(net.convolution(x, channels, 3, stride)))
    return tf.nn.relu(net.normalization(net.convolution(y, channels, 3)) + shortcut)


def resnet20(net, x, classes):
    x = tf.nn.relu(net.normalization(net.convolution(x, 16, 3)))
    for channels in (16, 32, 64):
        for number in range(3):
            x = basic_block(net, x, channels, 2 if number == 0 and channels > 16 else 1)
    return net.dense(tf.reduce_mean(x, (1, 2)), classes)


def inverted_residual(net, x, channels, stride, expansion):
    before, y = x.shape[-1], x
    if expansion > 1:
        y = tf.nn.relu6(net.normalization(net.convolution(y, before * expansion, 1)))
    y = tf.nn.relu6(net.normalization(net.depthwise(y, stride)))
    y = net.normalization(net.convolution(y, channels, 1))
    if stride == 1 and before == channels:
        return x + y
    return y


def mobilenet_v2(net, x, classes):
    x = tf.nn.relu6(net.normalization(net.convolution(x, 32, 3, 2)))
    for expansion, channels, repeats, stride in STAGES:
        for number in range(repeats):
            x = inverted_residual(net, x, channels, stride if number == 0 else 1, expansion)
    x = tf.reduce_mean(tf.nn.relu6(net.normalization(net.convolution(x, 1280, 1))), (1, 2))
    return net.dense(tf.nn.dropout(x, 0.2) if net.training else x, classes)


MODELS = {"cnn": cnn, "resnet20": resnet20, "mobilenet_v2": mobilenet_v2}


class ByHand:
    """A training step and inference, each one tf.function.

    Images are uint8 [n, h, w, c], labels int64 [n].
    """

    def __init__(self, name, classes, side, mean, std, precision):
        if precision != "float32":
            raise ValueError(f"{precision} is not written here")
        self.net, self.network, self.classes = Layers(), MODELS.get(name), classes
        if name in photographs.MODELS:
            self.net, self.network = PhotographLayers(), photographs.MODELS[name]
        self.mean, self.std = np.float32(mean), np.float32(std)
        self.logits(tf.zeros((1, side, side, 3), tf.uint8), False)
        self.velocities = [
            tf.Variable(tf.zeros_like(weight), trainable=False)
            for weight in self.net.trainable_variables
        ]
        self.train, self.answer = (
            tf.function(self._train),
            tf.function(lambda images: self.logits(images, False)),
        )

    def parameters(self):
        return sum(int(np.prod(weight.shape)) for weight in self.net.trainable_variables)

    def logits(self, images, training):
        self.net.begin(training)
        return self.network(
            self.net, (tf.cast(images, tf.float32) - self.mean) / self.std, self.classes
        )

    def _train(self, images, labels):
        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, self.logits(images, True)
            )
            loss = tf.reduce_mean(losses)
        for weight, velocity, gradient in zip(
            weights, self.velocities, tape.gradient(loss, weights), strict=True
        ):
            velocity.assign(0.9 * velocity + gradient)
            weight.assign_sub(0.0 * velocity)
        return loss

    def step(self, images, labels):
        return float(self.train(tf.constant(images), tf.constant(labels)))

    def infer(self, images):
        return self.answer(tf.constant(images)).numpy()
