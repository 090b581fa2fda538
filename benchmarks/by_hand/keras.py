"""cnn, resnet20 and mobilenet_v2 as Keras's users write them.

The functional API, compile, train_on_batch.
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from by_hand import photographs
from by_hand.keras_layers import Layers
from keras import layers

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def normalization(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def cnn(x, classes):
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, padding="same", activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(64, 3, padding="same", activation="relu")(x))
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return layers.Dense(classes)(x)


def basic_block(x, channels, stride):
    shortcut = x
    if stride != 1 or x.shape[-1] != channels:
        shortcut = normalization(layers.Conv2D(channels, 1, stride, use_bias=False)(x))
    x = layers.ReLU()(
        normalization(layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x))
    )
    x = normalization(layers.Conv2D(channels, 3, padding="same", use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, shortcut]))


def resnet20(x, classes):
    x = layers.ReLU()(normalization(layers.Conv2D(16, 3, padding="same", use_bias=False)(x)))
    for channels in (16, 32, 64):
        for number in range(3):
            x = basic_block(x, channels, 2 if number == 0 and channels > 16 else 1)
    return layers.Dense(classes)(layers.GlobalAveragePooling2D()(x))


def activated(x):
    return layers.ReLU(6.0)(normalization(x))


def inverted_residual(x, channels, stride, expansion):
    before, y = x.shape[-1], x
    if expansion > 1:
        y = activated(layers.Conv2D(before * expansion, 1, use_bias=False)(y))
    y = activated(layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(y))
    y = normalization(layers.Conv2D(channels, 1, use_bias=False)(y))
    if stride == 1 and before == channels:
        return layers.Add()([x, y])
    return y


def mobilenet_v2(x, classes):
    x = activated(layers.Conv2D(32, 3, 2, padding="same", use_bias=False)(x))
    for expansion, channels, repeats, stride in STAGES:
        for number in range(repeats):
            x = inverted_residual(x, channels, stride if number == 0 else 1, expansion)
    x = activated(layers.Conv2D(1280, 1, use_bias=False)(x))
    return layers.Dense(classes)(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x)))


MODELS = {"cnn": cnn, "resnet20": resnet20, "mobilenet_v2": mobilenet_v2}


class ByHand:
    """A compiled model's train_on_batch and predict_on_batch.

    Images are uint8 [n, h, w, c], labels int64 [n].
    """

    def __init__(self, name, classes, side, mean, std, precision):
        if precision != "float32":
            raise ValueError(f"{precision} is not written here")
        image = keras.Input((side, side, 3), dtype="uint8")
        x = layers.Normalization(mean=mean, variance=np.square(std))(layers.Rescaling(1.0)(image))
        self.model = keras.Model(image, self._logits(name, x, classes))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer=keras.optimizers.SGD(0.0, momentum=0.9), loss=loss)

    @staticmethod
    def _logits(name, x, classes):
        if name in photographs.MODELS:
            return photographs.MODELS[name](Layers(), x, classes)
        return MODELS[name](x, classes)

    def parameters(self):
        return sum(int(np.prod(weight.shape)) for weight in self.model.trainable_weights)

    def step(self, images, labels):
        return float(self.model.train_on_batch(images, labels))

    def infer(self, images):
        return np.asarray(self.model.predict_on_batch(images))
