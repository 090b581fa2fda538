"""Which recipe trains an exported network further best: each is tried on files as in `exported.py`.

A network that has learned CIFAR-10's first images is trained on the next ones by `fit`'s recipe and
by others, in PyTorch, and tried on 3,000 training images that it has not seen; the test images are
left to `exported.py`. A recipe is fields with commas between, `usual` is that of `fit`; `restore`
puts BatchNormalization back.

python benchmarks/fine_tuning_recipes.py resnet18 vit keras
    [--recipes usual learning_rate=1e-3 learning_rate=3e-4,restore]
    [--data ../shared/data] [--images 2000] [--epochs 3] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import exported
import numpy as np
import torch

from allotrope.architectures.choose import choose_recipe
from allotrope.config import FineTuning, Repair, Settings
from allotrope.data.examples import IMAGE, LABEL
from allotrope.data.reader import read_data
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import train
from allotrope.verbs.network_file import read_source

UNSEEN = slice(40000, 43000)


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", choices=exported.CASES)
    parser.add_argument("--recipes", nargs="+", default=["usual"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


def accuracy(network, split):
    (image,), (logits,) = network.inputs, network.outputs
    outputs = in_batches(lambda x: network.run(x, "pytorch"), {image.name: split[IMAGE]})
    answers = outputs[logits.name]
    return float((answers.argmax(1) == split[LABEL]).mean())


def trained_further(file, data, text, epochs, seed):
    """Accuracies on unseen images before and after."""
    parts = [part for part in text.split(",") if part not in ("usual", "restore")]
    fields = {name: float(value) for name, value in (part.split("=") for part in parts)}
    tuning = FineTuning(restore_batchnorm="restore" in text.split(","))
    ready = read_source(file, Repair()).tuning(data, tuning, "pytorch", seed).ready
    recipe, _ = choose_recipe(
        data,
        ready.learning,
        fields,
        epochs=epochs,
        seed=seed,
        knows_classes=ready.knows_classes,
    )
    settings = Settings(layout="channels-last", threads=1)
    further = train(ready.learning, data, recipe, settings, has_learned=True)
    return accuracy(ready.learning, data.test), accuracy(further.network, data.test)


def main():
    asked = options()
    torch.set_num_threads(1)
    arrays = np.load(asked.data / "cifar10.npz")
    x, y = arrays["x_train"], arrays["y_train"].astype(np.int64)
    n = asked.images
    with tempfile.TemporaryDirectory() as scratch:
        later = Path(scratch) / "later.npz"
        parts = {"x_train": x[n : 2 * n], "y_train": y[n : 2 * n]}
        np.savez(later, **parts, x_test=x[UNSEEN], y_test=y[UNSEEN])
        data = read_data(later)
        for case in asked.cases:
            build, values = exported.CASES[case]
            for seed in asked.seeds:
                file = Path(scratch) / f"{case}-{seed}.onnx"
                learned = exported.learned(build, x[:n], y[:n], values, seed)
                exported.exported(case, learned, str(file))
                for text in asked.recipes:
                    before, after = trained_further(file, data, text, asked.epochs, seed)
                    print(f"{case}, seed {seed}, {text}: {before:.1%} -> {after:.1%}", flush=True)


if __name__ == "__main__":
    main()
