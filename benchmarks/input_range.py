"""How often `fit` finds out which values a network was trained with.

Small networks are trained under each convention, and it is counted what is made of them. Each is
trained for four epochs on 12,000 of CIFAR-10's images at 16x16, with BatchNormalization or without,
in RGB or BGR, and tried on others: of the same classes, and as a network of other classes
on Caltech-101's, on these in a third of their contrast, and on Fashion-MNIST. A row tells how often
one reading was left (right or wrong), several with the right one among them, or without it.

python benchmarks/input_range.py [--data ../shared/data] [--images 384] [--conventions raw unit
signed imagenet own caffe]
"""

from __future__ import annotations

import argparse
import gzip
import io
import tarfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

import allotrope
from allotrope.inputs.image.pretrained.readings import readings
from allotrope.inputs.image.pretrained.trial import Trials
from allotrope.inputs.image.pretrained.weighing import weigh

SIDE, CLASSES, EPOCHS = 16, 10, 4
CONVENTIONS = {
    "raw": "raw pixels from 0",
    "unit": "values from 0",
    "signed": "values from -1",
    "imagenet": "ImageNet's",
    "own": "the data's",
    "caffe": "raw pixels less",
}
"""How the readings' ranges begin."""


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--conventions", nargs="+", choices=CONVENTIONS, default=list(CONVENTIONS))
    return parser.parse_args()


def small(images):
    """32x32 as means of 2x2 pixels."""
    return images.reshape(-1, SIDE, 2, SIDE, 2, 3).mean((2, 4)).round().astype(np.uint8)


def resized(image):
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def trials_on(folder, arrays, count):
    """Images and labels by what they are; the first are of the classes that the networks know."""
    x, y = arrays["x_train"][20000 : 20000 + count], arrays["y_train"][20000 : 20000 + count]
    with tarfile.open(folder / "images/caltech101-12.tar") as archive:
        members = sorted((m for m in archive if m.isfile()), key=lambda m: m.name)
        rows = np.random.default_rng(0).permutation(len(members))[:count]
        names = sorted({m.name.split("/")[1] for m in members})
        files = [(archive.extractfile(members[i]).read(), members[i].name) for i in rows]
    photographs = np.stack([resized(Image.open(io.BytesIO(content))) for content, _ in files])
    kinds = np.array([names.index(name.split("/")[1]) for _, name in files])
    fashion = folder / "fashion-mnist"
    pixels = gzip.decompress((fashion / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    clothes = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)[:count]
    sorts = gzip.decompress((fashion / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    sorts = np.frombuffer(sorts, np.uint8)[:count]
    return {
        "same classes": (small(x), y),
        "Caltech-101": (photographs, kinds),
        "a third of its contrast": ((photographs * 0.35).astype(np.uint8), kinds),
        "Fashion-MNIST": (np.stack([resized(Image.fromarray(a)) for a in clothes]), sorts),
    }


def network(normalized):
    def block(inside, outside, stride):
        conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=not normalized)
        return [conv, *[nn.BatchNorm2d(outside)] * normalized, nn.ReLU()]

    widths = ((3, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 2))
    layers = [layer for width in widths for layer in block(*width)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def trained(reading, normalized, x, y):
    """With Adam and a one-cycle schedule, mirrored in every other epoch."""
    torch.manual_seed(0)
    random, made = np.random.default_rng(0), network(normalized)
    steps = EPOCHS * (len(x) // 128)
    optimizer = torch.optim.Adam(made.parameters())
    rate = 1.5e-3
    if normalized or max(reading.std) > 1:
        rate = 4e-3
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for epoch in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x) // 128 * 128, 128):
            rows = order[start : start + 128]
            images = x[rows][:, :, :: -1 if epoch % 2 else 1]
            seen = np.ascontiguousarray(reading.values(images).transpose(0, 3, 1, 2))
            loss = functional.cross_entropy(made(torch.from_numpy(seen)), torch.from_numpy(y[rows]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(made.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return made.eval()


def exported(made):
    """With its BatchNormalizations as they are; what folds them loses what they know."""
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(
        made,
        torch.zeros(1, 3, SIDE, SIDE),
        file,
        dynamo=False,
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        **names,
    )
    return allotrope.load(file.getvalue())


def outcome(source, images, labels, true, same):
    """What is left of all readings."""
    trials = Trials(source, "pytorch")
    count = len(images) // 32 * 32
    images, labels = images[:count], labels[:count].astype(int)
    every = readings(images, 3, None)
    outcomes = [trials.of(reading, images, "nchw") for reading in every]
    left = [trial.reading for trial in weigh(outcomes, images, labels, same).left]
    right = [r for r in left if r.alike(true) and r.reverse == true.reverse]
    one = all(reading.alike(left[0]) for reading in left)
    if one:
        if right:
            return "one, right"
        return "one, wrong"
    if right:
        return "several"
    return "several without the right one"


def main():
    asked = options()
    torch.set_num_threads(1)
    arrays = np.load(asked.data / "cifar10.npz")
    x, y = small(arrays["x_train"][:12000]), arrays["y_train"][:12000].astype(np.int64)
    counts = defaultdict(Counter)
    sets = trials_on(asked.data, arrays, asked.images)
    for convention in asked.conventions:
        plausible = readings(x, 3, None)
        for true in [r for r in plausible if r.range.startswith(CONVENTIONS[convention])]:
            for normalized in (True, False):
                source = exported(trained(true, normalized, x, y))
                kind = "none"
                if normalized:
                    kind = "BatchNormalization"
                for name, (images, labels) in sets.items():
                    same = name == "same classes"
                    result = outcome(source, images, labels, true, same)
                    counts[name, kind][result] += 1
    for (name, kind), results in counts.items():
        print(f"{name}, {kind}: {', '.join(f'{n} {result}' for result, n in results.items())}")


if __name__ == "__main__":
    main()
