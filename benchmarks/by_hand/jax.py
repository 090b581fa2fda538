"""cnn, resnet20 and mobilenet_v2 as JAX's users write them.

flax.nnx modules, optax, jax.jit over the split model.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from by_hand import photographs
from by_hand.jax_layers import Layers
from flax import nnx

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def conv(before, channels, kernel, rngs, stride=1, groups=1, bias=False):
    options = {
        "strides": stride,
        "padding": kernel // 2,
        "feature_group_count": groups,
        "use_bias": bias,
    }
    return nnx.Conv(before, channels, (kernel, kernel), rngs=rngs, **options)


def norm(channels, rngs):
    return nnx.BatchNorm(channels, momentum=0.9, epsilon=1e-5, rngs=rngs)


class Cnn(nnx.Module):
    def __init__(self, classes, rngs):
        self.conv1, self.conv2 = conv(3, 32, 3, rngs, bias=True), conv(32, 64, 3, rngs, bias=True)
        self.fc1 = nnx.Linear(64 * 8 * 8, 128, rngs=rngs)
        self.fc2 = nnx.Linear(128, classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv1(x)), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), (2, 2))
        return self.fc2(nnx.relu(self.fc1(x.reshape(len(x), -1))))


class BasicBlock(nnx.Module):
    def __init__(self, before, channels, stride, rngs):
        self.conv1, self.bn1 = conv(before, channels, 3, rngs, stride), norm(channels, rngs)
        self.conv2, self.bn2 = conv(channels, channels, 3, rngs), norm(channels, rngs)
        self.projected = stride != 1 or before != channels
        if self.projected:
            self.conv3, self.bn3 = conv(before, channels, 1, rngs, stride), norm(channels, rngs)

    def __call__(self, x):
        if self.projected:
            shortcut = self.bn3(self.conv3(x))
        else:
            shortcut = x
        x = nnx.relu(self.bn1(self.conv1(x)))
        return nnx.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet20(nnx.Module):
    def __init__(self, classes, rngs):
        self.conv1, self.bn1 = conv(3, 16, 3, rngs), norm(16, rngs)
        blocks, before = [], 16
        for channels in (16, 32, 64):
            for number in range(3):
                blocks.append(
                    BasicBlock(before, channels, 2 if number == 0 and channels > 16 else 1, rngs)
                )
                before = channels
        self.blocks = nnx.List(blocks)
        self.fc = nnx.Linear(64, classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.bn1(self.conv1(x)))
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((1, 2)))


class Activated(nnx.Module):
    def __init__(self, before, channels, kernel, rngs, stride=1, groups=1):
        self.conv = conv(before, channels, kernel, rngs, stride, groups)
        self.bn = norm(channels, rngs)

    def __call__(self, x):
        return nnx.relu6(self.bn(self.conv(x)))


class InvertedResidual(nnx.Module):
    def __init__(self, before, channels, stride, expansion, rngs):
        inner = before * expansion
        layers = []
        if expansion > 1:
            layers = [Activated(before, inner, 1, rngs)]
        self.layers = nnx.List(
            [
                *layers,
                Activated(inner, inner, 3, rngs, stride, inner),
                conv(inner, channels, 1, rngs),
                norm(channels, rngs),
            ]
        )
        self.residual = stride == 1 and before == channels

    def __call__(self, x):
        y = x
        for layer in self.layers:
            y = layer(y)
        if self.residual:
            return x + y
        return y


class MobileNetV2(nnx.Module):
    def __init__(self, classes, rngs):
        layers, before = [Activated(3, 32, 3, rngs, 2)], 32
        for expansion, channels, repeats, stride in STAGES:
            for number in range(repeats):
                layers.append(
                    InvertedResidual(
                        before, channels, stride if number == 0 else 1, expansion, rngs
                    )
                )
                before = channels
        self.features = nnx.List([*layers, Activated(before, 1280, 1, rngs)])
        self.dropout, self.fc = nnx.Dropout(0.2, rngs=rngs), nnx.Linear(1280, classes, rngs=rngs)

    def __call__(self, x):
        for layer in self.features:
            x = layer(x)
        return self.fc(self.dropout(x.mean((1, 2))))


MODELS = {"cnn": Cnn, "resnet20": ResNet20, "mobilenet_v2": MobileNetV2}


class ByHand:
    """A training step and inference, each jitted.

    Images are uint8 [n, h, w, c], labels int64 [n].
    """

    def __init__(self, name, classes, side, mean, std, precision):
        if precision != "float32":
            raise ValueError(f"{precision} is not written here")
        if name in photographs.MODELS:
            model = Layers(photographs.MODELS[name], classes, side, nnx.Rngs(0))
        else:
            model = MODELS[name](classes, nnx.Rngs(0))
        self.mean, self.std = np.float32(mean), np.float32(std)
        self.optimizer = optax.sgd(0.0, momentum=0.9)
        model.train()
        self.graph, self.weights, self.rest = nnx.split(model, nnx.Param, ...)
        self.slots = self.optimizer.init(self.weights)
        model.eval()
        self.eval_graph, _, _ = nnx.split(model, nnx.Param, ...)

    def parameters(self):
        return sum(x.size for x in jax.tree.leaves(self.weights))

    @functools.partial(jax.jit, static_argnums=0, donate_argnums=(1, 2, 3))
    def _train(self, weights, rest, slots, images, labels):
        def loss_of(weights):
            model = nnx.merge(self.graph, weights, rest, copy=True)
            logits = model((images.astype(jnp.float32) - self.mean) / self.std)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
            return loss, nnx.split(model, nnx.Param, ...)[2]

        (loss, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
        updates, slots = self.optimizer.update(gradients, slots, weights)
        return optax.apply_updates(weights, updates), rest, slots, loss

    @functools.partial(jax.jit, static_argnums=0)
    def _infer(self, weights, rest, images):
        return nnx.merge(self.eval_graph, weights, rest)(
            (images.astype(jnp.float32) - self.mean) / self.std
        )

    def step(self, images, labels):
        self.weights, self.rest, self.slots, loss = self._train(
            self.weights, self.rest, self.slots, images, labels
        )
        return float(loss)

    def infer(self, images):
        return np.asarray(self._infer(self.weights, self.rest, images))
