"""A network that int8 harms: what mixed precision and learning with rounding bring back.

    python benchmarks/quantized_training.py --data ../shared/data --train 150

MobileNet v1 with Google's weights learns CIFAR-10 and is quantized by ONNX Runtime as for delivery,
or with `--per-tensor` by one step a weight, which its depthwise layers bear badly. Then layers are
left in float until at most `--max-drop` points are lost on validation data, and the network as it
was learns with its rounding, for a tenth of its training time. All files run in ONNX Runtime; test
data takes no part in any choice.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import fine_tune
import numpy as np
import onnx
from safetensors.numpy import load_file

import allotrope
from allotrope.architectures.choose import choose_recipe
from allotrope.config import FineTuning, Repair, Settings
from allotrope.measure.candidates import calibrating, spread
from allotrope.measure.left_in_float import fewest
from allotrope.network.reading.read import load
from allotrope.runtimes import runtime
from allotrope.shrinking.mixed_precision import rounded_in, rounded_layers
from allotrope.shrinking.quantize import fold, quantize_with_onnxruntime
from allotrope.shrinking.sensitivity import MOST, sensitivities
from allotrope.shrinking.taught_rounding import with_taught_rounding
from allotrope.training.loop import train
from allotrope.verbs.network_file import read_source

SIDE = 32
"""Of the pictures."""
SHARE = 0.1
"""Of the training time, for learning with rounding."""
PART = 500
"""Examples that are answered at once."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--train", type=float, default=150.0, help="seconds")
    parser.add_argument("--per-tensor", action="store_true")
    parser.add_argument("--max-drop", type=float, default=0.5, help="points")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def mobilenet(folder, data, seed, source):
    """MobileNet v1 0.25 for pictures of CIFAR-10, with a head for its classes, ready to train."""
    file = source / "mobilenet.onnx"
    onnx.save(fine_tune.mobilenet(load_file(folder / fine_tune.WEIGHTS), side=SIDE), file)
    tuning = FineTuning(new_head=True, mean=(127.5,), std=(127.5,))
    ready = read_source(file, Repair()).tuning(data, tuning, "pytorch", seed).ready
    recipe, _ = choose_recipe(data, ready.learning, {}, seed=seed)
    return ready.learning, recipe


def per_tensor(source, calibration, target):
    """ONNX Runtime's quantizer with one step for all channels of a weight."""
    quantize_with_onnxruntime(source, calibration, target, per_channel=False)


class Bench:
    """Answers of files in ONNX Runtime, and what they are worth."""

    def __init__(self, data, folder):
        self.data, self.folder = data, folder
        (self.task,) = data.tasks

    def answers(self, network, inputs):
        network.save(self.folder / "asked.onnx")
        session = runtime("onnxruntime").open(self.folder / "asked.onnx", "int8", 1)
        count = len(next(iter(inputs.values())))
        parts = [
            session.run({name: x[start : start + PART] for name, x in inputs.items()})
            for start in range(0, count, PART)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def accuracy(self, network, split):
        answers = self.answers(network, self.data.taken(split))[self.task.name]
        labels = self.data.splits[split][self.task.name]
        # In per cent: raw answers are greatest where probabilities are.
        return 100 * float((answers.argmax(1) == labels).mean())


def quantized(network, calibration, quantizer, folder):
    """The layers of the network's int8 file."""
    source, plain, target = (folder / f"{name}.onnx" for name in ("source", "plain", "int8"))
    network.save(source)
    fold(source, plain)
    quantizer(source, calibration, target)
    return rounded_layers(*(load(file, repair=Repair.none()) for file in (plain, target)))


def mixed(bench, known, most):
    """The file with the fewest layers in float, and which these are."""
    rows = spread(len(bench.data.train), MOST)
    examples = {name: x[rows] for name, x in bench.data.taken("train").items()}
    began = time.monotonic()
    order = sensitivities(
        known, lambda network: bench.answers(network, examples), lambda expected, own: 0.0
    )
    print(f"sensitivity of {len(order)} layers: {time.monotonic() - began:.1f} s", flush=True)
    for each in order[:8]:
        print(f"  {each.layer} ({each.operator}): {each.error:.2%}")
    goal = bench.accuracy(known.plain, "validation") - most

    def without(count):
        floats = {each.layer for each in order[:count]}
        return rounded_in(known, [layer for layer in known.layers if layer not in floats])

    count = fewest(lambda number: bench.accuracy(without(number), "validation") >= goal, len(order))
    return None if count is None else (without(count), [each.layer for each in order[:count]])


def main():
    asked = arguments()
    data = allotrope.read(asked.data / "cifar10.npz")
    settings = Settings(threads=1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        network, recipe = mobilenet(asked.data, data, asked.seed, folder)
        recipe = replace(recipe, budget=asked.train, epochs=None)
        began = time.monotonic()
        network = train(network, data, recipe, settings, has_learned=True).network
        print(f"trained for {time.monotonic() - began:.0f} s", flush=True)
        calibration = calibrating(data.taken("train"))
        bench = Bench(data, folder)
        quantizer = per_tensor if asked.per_tensor else quantize_with_onnxruntime
        began = time.monotonic()
        known = quantized(network, calibration, quantizer, folder)
        # What every layer would cost again, if its file were made by the quantizer.
        print(f"quantized in {time.monotonic() - began:.1f} s", flush=True)
        forms = {"float32": known.plain, "int8": known.rounded}
        partly = mixed(bench, known, asked.max_drop)
        if partly is None:
            print("mixed precision: not even all layers but one in float keep the accuracy")
        else:
            forms["mixed"] = partly[0]
            print(f"{len(partly[1])} in float: {', '.join(partly[1])}")
        began = time.monotonic()
        taught = with_taught_rounding(
            network,
            data,
            replace(recipe, budget=SHARE * asked.train),
            settings,
            "pytorch",
            calibration,
            quantizer,
        )
        print(f"learned with rounding for {time.monotonic() - began:.0f} s", flush=True)
        forms["learned"] = taught.integers
        report(bench, forms, taught)


def report(bench, forms, taught):
    """A row a form, then what learning brought back and whether the file is what learned."""
    print("| form | validation, % | test, % | bytes |\n| --- | --- | --- | --- |")
    values = {}
    for name, network in forms.items():
        scores = [bench.accuracy(network, split) for split in ("validation", "test")]
        size = (bench.folder / "asked.onnx").stat().st_size
        values[name] = scores
        print(f"| {name} | {scores[0]:.2f} | {scores[1]:.2f} | {size:,} |")
    for place, split in enumerate(("validation", "test")):
        whole, lost, back = (values[name][place] for name in ("float32", "int8", "learned"))
        print(f"{split}: int8 loses {whole - lost:.2f} points, ", end="")
        if whole - lost < 1:
            print("less than the point of which a share can be told")
        else:
            print(f"of which learning brings back {(back - lost) / (whole - lost):.0%}")
    inputs = bench.data.taken("test")
    file = bench.answers(taught.integers, inputs)[bench.task.name].argmax(1)
    own = []
    for start in range(0, len(file), PART):
        part = {name: x[start : start + PART] for name, x in inputs.items()}
        own.append(taught.training.network.run(part, "pytorch")[bench.task.name].argmax(1))
    same = (np.concatenate(own) == file).mean()
    print(f"the file answers as the network that learned on {same:.3%} of the test examples")


if __name__ == "__main__":
    main()
