"""The settings that `fit` chooses against PyTorch's defaults, by `fit`'s own race.

The defaults are float32, contiguous and eager.
The race interleaves its rounds and takes medians; the ratio is of images a second in training.

    python benchmarks/settings.py [--network auto] [--side 32] [--seconds 60] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics

import numpy as np
import torch

from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.reading import labelled, labelled_data
from allotrope.training.race_words import described
from allotrope.training.settings_race import race_settings


def made(side, channels, count):
    random = np.random.default_rng(0)
    split = labelled(
        random.integers(0, 256, (count, side, side, channels), np.uint8),
        random.integers(0, 10, count),
    )
    return labelled_data("made", tuple("0123456789"), split, split, split)


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="auto")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def main():
    asked = options()
    data = made(asked.side, asked.channels, 4 * asked.batch)
    choice = choose(
        data, asked.network, {"batch_size": asked.batch, "flip": True}, budget=asked.seconds / 0.05
    )
    ratios = []
    for _ in range(asked.repeat):
        race = race_settings(choice.network, data, choice.recipe, seconds=asked.seconds)
        for row in race.rows:
            if row["examples_per_second"] is None:
                speed = "-"
            else:
                speed = f"{row['examples_per_second']:,.0f}"
            name = described(
                Settings(row["device"], row["precision"], row["layout"], row["compiled"])
            )
            print(
                f"{name:45} {speed:>8} images/s  {row['rounds']} rounds of {row['batch']} images  "
                f"{row['reason']}"
            )
        default = race.rows[0]["examples_per_second"]
        ratios.append(race.examples_per_second / default)
        print(
            f"chosen: {described(race.chosen)}, {ratios[-1]:.2f}x the defaults; the race took "
            f"{race.seconds:.1f} s"
        )
    facts = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
    }
    print(
        json.dumps(
            {
                "benchmark": "settings",
                "options": vars(asked),
                **facts,
                "ratio": statistics.median(ratios),
                "ratios": ratios,
            }
        )
    )


if __name__ == "__main__":
    main()
