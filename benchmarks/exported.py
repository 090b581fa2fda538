"""Networks as today's exporters write them are trained further with `fit --network FILE`.

Each is trained for a minute at most on CIFAR-10's first images, exported, and handed to `fit` with
later images of the same classes, once for each seed. Printed are what was read how, and how many
of 3,000 test images are right before and after. Batch 1 is baked into what torch's default exporter
writes (it needs onnxscript).

resnet18, vit, mobilenet: PyTorch, by torch's default exporter; the pixels by ImageNet's mean and
deviation, from 0 to 1, from -1 to 1.
keras: a Keras CNN that begins with Rescaling(1 / 127.5, -1), by Keras's own export, on PyTorch.
quantized: resnet18 through onnxruntime's quantize_static, in QDQ form.

python benchmarks/exported.py resnet18 vit mobilenet keras quantized
    [--data ../shared/data] [--framework pytorch] [--images 3000] [--epochs 3] [--seeds 0 1 2]
    [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from torch_networks import conv_norm

CLASSES, SIDE = 10, 32
EPOCHS = 4
TESTED = 3000
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
UNIT = ((0.0,) * 3, (255.0,) * 3)
SIGNED = ((127.5,) * 3, (127.5,) * 3)
RAW = ((0.0,) * 3, (1.0,) * 3)


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", choices=(*CASES, "quantized"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--epochs", default="3", help="of fit")
    parser.add_argument("--threads", type=int, help="of fit; all cores by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    return parser.parse_args()


# --- networks


class Residual(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        first = conv_norm(inside, outside, 3, stride)
        self.body = nn.Sequential(first, conv_norm(outside, outside, 3, activation=nn.Identity))
        self.shortcut = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = conv_norm(inside, outside, 1, stride, activation=nn.Identity)

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x))


class ResNet18(nn.Sequential):
    """He et al. 2015, table 1."""

    def __init__(self):
        widths = (64, 64, 128, 256, 512)
        blocks = []
        for number, (inside, outside) in enumerate(pairwise(widths)):
            stride = 2
            if number == 0:
                stride = 1
            blocks += [Residual(inside, outside, stride), Residual(outside, outside, 1)]
        stem = [conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
        end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES)]
        super().__init__(*stem, *blocks, *end)


class ViT(nn.Module):
    """The tiny one of Dosovitskiy et al. 2020 and Touvron et al. 2020, with four blocks."""

    def __init__(self, width=192, depth=4, heads=3, patch=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (SIDE // patch) ** 2 + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x)[:, 0]))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 4, 1)
        self.expand = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        scale = functional.adaptive_avg_pool2d(x, 1)
        scale = functional.hardsigmoid(self.expand(functional.relu(self.reduce(scale))))
        return x * scale


class Inverted(nn.Module):
    def __init__(self, inside, outside, expanded, kernel, stride):
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(inside, expanded, 1, activation=nn.Hardswish),
            conv_norm(expanded, expanded, kernel, stride, expanded, nn.Hardswish),
            SqueezeExcite(expanded),
            conv_norm(expanded, outside, 1, activation=nn.Identity),
        )
        self.joined = stride == 1 and inside == outside

    def forward(self, x):
        if self.joined:
            return x + self.body(x)
        return self.body(x)


class MobileNetV3(nn.Sequential):
    """The kind of Howard et al. 2019: inverted bottlenecks, squeeze and excitation, hard swish."""

    def __init__(self):
        rows = ((16, 16, 64, 3, 1), (16, 24, 72, 3, 2), (24, 24, 88, 3, 1), (24, 40, 96, 5, 2))
        blocks = [Inverted(*row) for row in rows]
        end = [conv_norm(40, 240, 1, activation=nn.Hardswish), nn.AdaptiveAvgPool2d(1)]
        head = [
            nn.Flatten(),
            nn.Linear(240, 160),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(160, CLASSES),
        ]
        super().__init__(conv_norm(3, 16, 3, 2, activation=nn.Hardswish), *blocks, *end, *head)


def keras_cnn():
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 127.5, -1),
            *(
                layer
                for width in (32, 64, 128)
                for layer in (
                    layers.Conv2D(width, 3, padding="same", use_bias=False),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.MaxPooling2D(),
                )
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


CASES = {
    "resnet18": (ResNet18, IMAGENET),
    "vit": (ViT, UNIT),
    "mobilenet": (MobileNetV3, SIGNED),
    "keras": (keras_cnn, RAW),
}


# --- before fit


def learned(build, images, labels, values, seed):
    """A short training with Adam on what the network is to see of the images."""
    torch.manual_seed(seed)
    network, order = build(), np.random.default_rng(seed)
    channels_last = values is RAW
    steps = EPOCHS * (len(images) // 128)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        rows = order.permutation(len(images))
        for start in range(0, len(images) // 128 * 128, 128):
            part = rows[start : start + 128]
            answers = network(torch.from_numpy(seen(images[part], values, channels_last)))
            target = torch.from_numpy(labels[part])
            loss = functional.nll_loss(torch.log(answers + 1e-9), target)
            if not channels_last:
                loss = functional.cross_entropy(answers, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    return network


def seen(images, values, channels_last):
    mean, std = (np.asarray(part, np.float32) for part in values)
    x = (images.astype(np.float32) - mean) / std
    return np.ascontiguousarray(x if channels_last else x.transpose(0, 3, 1, 2))


def exported(name, network, file):
    """The network as the usual call of its framework writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        if name == "keras":
            network.export(file, format="onnx", verbose=False)
        else:
            example = (torch.zeros(1, 3, SIDE, SIDE),)
            torch.onnx.export(network, example, file, dynamo=True, verbose=False)
        logging.disable(logging.NOTSET)


def quantized(file, target, images, values):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            name = onnxruntime.InferenceSession(file).get_inputs()[0].name
            self.rows = iter([{name: seen(images[[i]], values, False)} for i in range(64)])

        def get_next(self):
            return next(self.rows, None)

    quantize_static(file, target, Reader(), per_channel=True)


def accuracy(file, images, labels, values, channels_last):
    """Of the file as it is, one image at a time, as its batch may be 1."""
    alone = onnxruntime.SessionOptions()
    alone.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, alone)
    name = session.get_inputs()[0].name
    x = seen(images, values, channels_last)
    answers = [session.run(None, {name: x[[i]]})[0][0].argmax() for i in range(len(x))]
    return float((np.array(answers) == labels).mean())


# --- fit


def fitted(file, data, asked, folder, seed):
    """The record of the run, or why there is none."""
    command = ["fit", str(data), "--network", str(file), "--framework", asked.framework]
    options = ["--epochs", asked.epochs, "--seed", str(seed), "--out", str(folder), "--json"]
    if asked.threads:
        options += ["--threads", str(asked.threads)]
    words = [sys.executable, "-m", "allotrope.cli", *command, *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        return None, done.stderr.strip()
    return json.loads(done.stdout.splitlines()[-1]), ""


def row(case, seed, asked, folder, data):
    """The accuracy of the file and of what `fit` made of it; None if it made nothing."""
    (x, y), test = data
    if case == "quantized":
        name = "resnet18"
    else:
        name = case
    build, values = CASES[name]
    file = folder / f"{name}-{seed}.onnx"
    if not file.is_file():
        exported(name, learned(build, x, y, values, seed), str(file))
    if case == "quantized":
        quantized(str(file), str(folder / f"quantized-{seed}.onnx"), x, values)
        file = folder / f"quantized-{seed}.onnx"
    before = accuracy(str(file), *test, values, name == "keras")
    record, why = fitted(file, folder / "later.npz", asked, folder, seed)
    if record is None:
        print(f"{case}, seed {seed}: {before:.1%} before; {why}", flush=True)
        return None
    after, training = record["test"]["accuracy"], record["training"]
    epochs = f"{training['epochs']:.0f} epochs, of which {training['best_epoch']:.0f} were taken"
    print(f"{case}, seed {seed}: {before:.1%} before, {after:.1%} after {epochs}", flush=True)
    for reason in record["network_details"]["reasons"]:
        print(f"  {reason}", flush=True)
    return before, after


def main():
    asked = options()
    arrays = np.load(asked.data / "cifar10.npz")
    x, y = arrays["x_train"], arrays["y_train"].astype(np.int64)
    first, later = slice(0, asked.images), slice(asked.images, 2 * asked.images)
    test = arrays["x_test"][:TESTED], arrays["y_test"][:TESTED].astype(np.int64)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        of_later = {"x_train": x[later], "y_train": y[later]}
        np.savez(folder / "later.npz", **of_later, x_test=test[0], y_test=test[1])
        for case in asked.cases:
            data = (x[first], y[first]), test
            rows = [row(case, seed, asked, folder, data) for seed in asked.seeds]
            if None not in rows:
                before, after = np.mean(rows, axis=0)
                seeds = f"{len(rows)} seeds"
                print(f"{case}, {seeds}: {before:.1%} before, {after:.1%} after", flush=True)


if __name__ == "__main__":
    main()
