"""Whether a training waits for its examples to be changed.

For each way to change them: batches a second that are made, by themselves, beside steps a second on
batches that are ready, and beside those of both together, as `fit` has them; all on one core.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/augment_in_training.py DATA --network NAME
        [--image-size 224] [--framework pytorch] [--ways randaugment none] [--rounds 3]
        [--steps 12]
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import replace
from statistics import median

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data import Batches
from allotrope.frameworks import framework
from allotrope.training.learner import trainer_for

WAYS = ("none", "light", "medium", "randaugment", "trivialaugment")


def seconds(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


class Training:
    """Steps of a trainer on batches of one way to change examples."""

    def __init__(self, data, network, recipe, name):
        settings = Settings(threads=1)
        self.batches = Batches(data, recipe)
        self.trainer = trainer_for(framework(name), network, data, recipe, settings)
        self.order = self.batches.order(0)
        self.ready = self.batches.batch(0, 0, self.order)

    def made(self, steps):
        for step in range(steps):
            self.batches.batch(0, step, self.order)

    def stepped(self, steps):
        for step in range(steps):
            loss = self.trainer.step(self.ready, 1e-4, step + 1)
        float(loss)

    def together(self, steps):
        with closing(self.batches.epoch(0)) as ahead:
            for step, batch in zip(range(steps), ahead, strict=False):
                loss = self.trainer.step(batch, 1e-4, step + 1)
        float(loss)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--network", required=True)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    asked = parser.parse_args()
    data = allotrope.read(asked.data, image_size=asked.image_size)
    choice = choose(data, asked.network, epochs=1)
    trainings = {
        way: Training(
            data, choice.network, replace(choice.recipe, augmentation=way), asked.framework
        )
        for way in asked.ways
    }
    times = {way: {"made": [], "stepped": [], "together": []} for way in asked.ways}
    for turn in range(asked.rounds + 1):
        for way, training in trainings.items():
            for what, taken in times[way].items():
                spent = seconds(lambda t=training, w=what: getattr(t, w)(asked.steps))
                # The first round compiles and warms up.
                if turn:
                    taken.append(spent / asked.steps * 1e3)
    for way, taken in times.items():
        made, stepped, together = (median(each) for each in taken.values())
        print(
            f"{way}: a batch of {trainings[way].batches.batch_size} is made in {made:.1f} ms and "
            f"learned from in {stepped:.1f} ms, {made / stepped:.1%} of it; both together "
            f"{together:.1f} ms a step",
            flush=True,
        )


if __name__ == "__main__":
    main()
