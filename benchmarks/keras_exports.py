"""Writes small Keras networks as Keras exports them to ONNX.

`convert_real.py --folders FOLDER` proves them.

    KERAS_BACKEND=torch python benchmarks/keras_exports.py FOLDER
    KERAS_BACKEND=tensorflow python benchmarks/keras_exports.py FOLDER   (needs tf2onnx)

Each file is named for the network and the backend; what Keras cannot export is printed with the
reason.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers

IMAGE = (32, 32, 3)
SEQUENCE = (7, 5)


def normalized(x, width, kernel, strides=1, activation="relu"):
    x = layers.Conv2D(width, kernel, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x)


def cnn():
    """Rescaling inside, convolutions, pooling, Dropout, softmax."""
    x = image = layers.Input(IMAGE)
    x = layers.Rescaling(1 / 127.5, -1)(x)
    for width in (8, 16):
        x = layers.MaxPooling2D()(normalized(x, width, 3))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def resnet():
    """Residual blocks, the second with a stride."""
    image = layers.Input(IMAGE)
    x = normalized(image, 8, 3)
    for width, strides in ((8, 1), (16, 2)):
        y = normalized(normalized(x, width, 3, strides), width, 3, activation="linear")
        shortcut = normalized(x, width, 1, strides, "linear")
        x = layers.ReLU()(layers.add([y, shortcut]))
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def mobilenet():
    """Depthwise convolutions with strides, squeeze and excitation, hard swish."""
    image = layers.Input(IMAGE)
    x = normalized(image, 8, 3, 2, "hard_silu")
    x = layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(x)
    x = layers.Activation("hard_silu")(layers.BatchNormalization()(x))
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Conv2D(2, 1, activation="relu")(scale)
    scale = layers.Conv2D(8, 1, activation="hard_sigmoid")(scale)
    x = normalized(layers.multiply([x, scale]), 16, 1, activation="linear")
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(x)))


def unet():
    """Transposed convolution, upsampling and joins."""
    image = layers.Input(IMAGE)
    first = normalized(image, 8, 3)
    second = normalized(layers.MaxPooling2D()(first), 16, 3)
    third = normalized(layers.AveragePooling2D(2)(second), 16, 3)
    x = layers.concatenate([layers.Conv2DTranspose(16, 3, 2, padding="same")(third), second])
    x = layers.concatenate([layers.UpSampling2D(interpolation="bilinear")(x), first])
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def convnext():
    """Large depthwise kernels, LayerNormalization over channels, GELU."""
    image = layers.Input(IMAGE)
    x = layers.LayerNormalization()(layers.Conv2D(8, 4, 4)(image))
    y = layers.LayerNormalization(epsilon=1e-6)(layers.DepthwiseConv2D(7, padding="same")(x))
    x = layers.add([x, layers.Dense(8)(layers.Dense(32, activation="gelu")(y))])
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def transformer():
    """Embedding, self-attention and LayerNormalization."""
    tokens = layers.Input((9,), dtype="int32")
    x = layers.Embedding(30, 12)(tokens)
    x = layers.LayerNormalization()(layers.add([x, layers.MultiHeadAttention(2, 6)(x, x)]))
    x = layers.add([x, layers.Dense(12)(layers.Dense(24, activation="gelu")(x))])
    return keras.Model(tokens, layers.Dense(10)(x))


def convolutions_1d():
    """Convolutions along a sequence, causal and dilated."""
    sequence = layers.Input(SEQUENCE)
    x = layers.Conv1D(8, 3, padding="causal", activation="elu")(sequence)
    x = layers.Conv1D(8, 3, padding="same", dilation_rate=2, activation="selu")(x)
    return keras.Model(sequence, layers.Dense(3)(layers.GlobalMaxPooling1D()(x)))


def mlp():
    """Dense layers with the activations that have weights."""
    row = layers.Input((6,))
    x = layers.PReLU()(layers.Dense(12)(row))
    x = layers.LeakyReLU()(layers.BatchNormalization()(layers.Dense(12)(x)))
    return keras.Model(row, layers.Dense(3)(x))


def lstm():
    sequence = layers.Input(SEQUENCE)
    return keras.Model(sequence, layers.Dense(3)(layers.LSTM(6)(sequence)))


def gru():
    sequence = layers.Input(SEQUENCE)
    return keras.Model(sequence, layers.Dense(3)(layers.GRU(6, return_sequences=True)(sequence)))


NETWORKS = (
    cnn,
    resnet,
    mobilenet,
    unet,
    convnext,
    transformer,
    convolutions_1d,
    mlp,
    lstm,
    gru,
)


def drawn(network):
    """With weights that are not those of the start, which has many zeros and ones.

    And called once.
    """
    random = np.random.default_rng(0)
    arrays = network.get_weights()
    shifted = [a + 0.1 * random.standard_normal(a.shape) for a in arrays]
    positive = [np.abs(b) if (a == 1).all() else b for a, b in zip(arrays, shifted, strict=True)]
    network.set_weights(positive)
    network(np.zeros((2, *network.input_shape[1:]), network.inputs[0].dtype))
    return network


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    backend, failed = keras.backend.backend(), 0
    for build in NETWORKS:
        keras.utils.set_random_seed(0)
        file = folder / f"{build.__name__}-{backend}.onnx"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                drawn(build()).export(file, format="onnx", verbose=False)
        except Exception as error:  # noqa: BLE001 - the reason is the row
            failed += 1
            why = " ".join(str(error).split())[:300]
            print(f"{file.name}: Keras cannot export it: {type(error).__name__}: {why}", flush=True)
            continue
        print(f"{file.name}: {file.stat().st_size:,} bytes", flush=True)
    print(f"{backend}: {len(NETWORKS) - failed} of {len(NETWORKS)} exported")


if __name__ == "__main__":
    sys.exit(main())
