"""Each framework's lowered network against the same network as its users write it by hand.

One process a framework; in it the two take single steps in turns. The ratio is the median of the
ratios of neighbours (with its quartiles), above 1 if the lowered network is faster; the least
that is wanted is 0.95. `best` is the ratio of the shortest times. Settings are equal: the same
threads, precision and batches, plain SGD with momentum, which both compute.

    python benchmarks/lowered_speed.py [--frameworks pytorch jax]
        [--networks cnn resnet20 mobilenet_v2] [--kinds train infer] [--seconds 8] [--threads 2]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.frameworks import FRAMEWORKS, framework, missing
from allotrope.frameworks.contract import Batch
from allotrope.measure.machine import cores
from allotrope.network import zoo
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.summary import parameters
from allotrope.tasks.class_losses import cross_entropy
from allotrope.tasks.several import loss_over
from allotrope.training.plan import training_plan

FIRST = {"cnn": (32, 128), "resnet20": (32, 128), "mobilenet_v2": (96, 16)}
FURTHER = (
    *("vgg11_bn", "densenet121", "efficientnet_b0", "convnext_atto", "mobilenet_v1"),
    *("mobilenet_v3_small", "shufflenet_v2_x1_0", "squeezenet1_1", "deit_tiny"),
)
SIZES = {**FIRST, **dict.fromkeys(FURTHER, (96, 16))}
"""Side of the images and size of the batch."""
SETTINGS = {
    "pytorch": (
        Settings(layout="channels-last"),
        Settings(precision="bfloat16", layout="channels-last"),
    ),
    "tensorflow": (Settings(),),
    "keras": (Settings(),),
    "jax": (Settings(compiled=True),),
}
MEAN, STD, CLASSES = [127.0, 127.0, 127.0], [64.0, 64.0, 64.0], 10
WANTED = 0.95
LEAST, WARM = 9, 2
KINDS = ("train", "infer")


class Lowered:
    """The network of the zoo in the framework's own trainer."""

    def __init__(self, name, framework_name, side, settings):
        network = with_preprocessing(zoo.network(name)(CLASSES, (3, side, side)), MEAN, STD)
        recipe = Recipe(optimizer="momentum", momentum=0.9, weight_decay=0.0)
        self.count = parameters(network)
        plan = training_plan(network, recipe, loss_over({"logits": cross_entropy}))
        self.trainer = framework(framework_name).trainer(network, plan, settings)
        self.steps = 0

    def parameters(self):
        return self.count

    def step(self, images, labels):
        self.steps += 1
        target = np.eye(CLASSES, dtype=np.float32)[labels]
        batch = Batch({"image": images}, {"logits": target})
        return float(self.trainer.step(batch, 0.0, self.steps))

    def infer(self, images):
        return self.trainer.evaluate({"image": images})["logits"]


def timed(action):
    """Seconds that one call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def compared(steppers, kind, batch, seconds):
    """Calls of `step` or `infer` in turns, after some that are not counted.

    Each pair begins with the other one.
    """
    if kind == "train":
        actions = {who: lambda one=one: one.step(*batch) for who, one in steppers.items()}
    else:
        actions = {who: lambda one=one: one.infer(batch[0]) for who, one in steppers.items()}
    for action in [*actions.values()] * WARM:
        action()
    times, ends = {who: [] for who in actions}, time.perf_counter() + seconds
    while len(times["lowered"]) < LEAST or time.perf_counter() < ends:
        for who in list(actions)[:: 1 if len(times["lowered"]) % 2 else -1]:
            times[who].append(timed(actions[who]))
    ratios = [
        hand / lowered for lowered, hand in zip(times["lowered"], times["by_hand"], strict=True)
    ]
    low, middle, high = statistics.quantiles(ratios, n=4)
    speeds = {
        who: len(batch[0]) / statistics.median(times_of_one) for who, times_of_one in times.items()
    }
    best = min(times["by_hand"]) / min(times["lowered"])
    return {
        "images_per_second": speeds,
        "ratio": middle,
        "quartiles": [low, high],
        "best": best,
        "pairs": len(ratios),
    }


def in_one_framework(name, networks, kinds, seconds, threads):
    """A line for each network and kind, on standard output as JSON."""
    if hasattr(os, "sched_setaffinity"):  # JAX has no setting for its threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    sys.path.insert(0, os.path.dirname(__file__))
    framework(name)  # first, because it is imported without its chatter there
    by_hand = importlib.import_module(f"by_hand.{name}")
    random = np.random.default_rng(0)
    for network in networks:
        side, size = SIZES[network]
        batch = (
            random.integers(0, 256, (size, side, side, 3), np.uint8),
            random.integers(0, CLASSES, size),
        )
        for settings in SETTINGS[name]:
            steppers = {
                "lowered": Lowered(network, name, side, settings),
                "by_hand": by_hand.ByHand(network, CLASSES, side, MEAN, STD, settings.precision),
            }
            counts = {who: one.parameters() for who, one in steppers.items()}
            assert len(set(counts.values())) == 1, f"not the same network: {counts}"
            for kind in kinds:
                measured = compared(steppers, kind, batch, seconds)
                row = {
                    "framework": name,
                    "network": network,
                    "precision": settings.precision,
                    "kind": kind,
                    "batch": size,
                    **measured,
                }
                print(json.dumps(row), flush=True)


def shown(row):
    speeds, (low, high) = row["images_per_second"], row["quartiles"]
    if row["ratio"] >= WANTED:
        flag = ""
    else:
        flag = f"  below {WANTED}"
    return (
        f"{row['framework']:10} {row['network']:12} {row['precision']:8} {row['kind']:5} lowered "
        f"{speeds['lowered']:9,.0f} images/s, "
        f"by hand {speeds['by_hand']:9,.0f}, ratio {row['ratio']:.3f} ({low:.2f} to {high:.2f}), "
        f"best {row['best']:.3f}{flag}"
    )


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--frameworks",
        nargs="+",
        default=[name for name in SETTINGS if name in FRAMEWORKS],
        choices=list(SETTINGS),
    )
    parser.add_argument("--networks", nargs="+", default=list(FIRST), choices=list(SIZES))
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="of each comparison, at the least"
    )
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    asked = options()
    if asked.inside:
        in_one_framework(
            asked.frameworks[0], asked.networks, asked.kinds, asked.seconds, asked.threads
        )
        return
    threads = str(asked.threads)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    rest = ["--networks", *asked.networks, "--kinds", *asked.kinds]
    rest += ["--seconds", str(asked.seconds), "--threads", threads]
    rows = []
    for name in asked.frameworks:
        if missing(name) is not None:
            print(f"{name:10} {missing(name)}")
            continue
        command = [sys.executable, __file__, "--inside", "--frameworks", name, *rest]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            for line in process.stdout:
                rows.append(json.loads(line))
                print(shown(rows[-1]), flush=True)
        if process.returncode:
            print(f"{name:10} ended with exit code {process.returncode}")
    load = None
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
    facts = {
        "threads": asked.threads,
        "load_average": load,
        "machine": platform.processor() or platform.machine(),
    }
    print(json.dumps({"benchmark": "lowered_speed", "options": vars(asked), **facts, "rows": rows}))


if __name__ == "__main__":
    main()
