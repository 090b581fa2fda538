"""Training steps a second of networks for texts, and how many shapes of batches are compiled.

    python benchmarks/text_steps.py --data ../shared/data [--framework pytorch] [--padded]

Steps over one epoch as `fit` makes them, after one epoch that may compile. `--padded` makes every
batch as long as the longest training text, as if lengths were not looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data import Batches
from allotrope.data.batches import shapes
from allotrope.frameworks import framework
from allotrope.frameworks.contract import Batch
from allotrope.inputs.text.text_input import Text
from allotrope.training.plan import plan_for


@dataclass(frozen=True, kw_only=True)
class Padded(Text):
    """A text that is never cut."""

    def lengths(self, x: np.ndarray) -> Any:
        """All alike."""
        return None

    def cut(self, x: np.ndarray) -> np.ndarray:
        """As it came."""
        return x


def main() -> None:
    """Print a row for each set and network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["trec", "sst2"])
    parser.add_argument("--networks", nargs="+", default=["text_cnn", "ngram"])
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--steps", type=int, default=1000, help="of an epoch, at the most")
    parser.add_argument("--padded", action="store_true")
    asked = parser.parse_args()
    for name in asked.sets:
        data = allotrope.read(asked.data / name)
        for network in asked.networks:
            print(f"{name} {network}: {measured(data, network, asked)}", flush=True)


def measured(data: Any, network: str, asked: Any) -> str:
    """Steps a second and shapes, in words."""
    choice = choose(data, network, epochs=1)
    if asked.padded:
        (text,) = data.inputs
        padded = Padded(name=text.name, longest=text.longest)
        data = type(data)(data.name, (padded,), data.tasks, data.splits)
    plan = plan_for(choice.network, choice.recipe, data.tasks, data.train.columns)
    settings = Settings(threads=1) if asked.framework == "pytorch" else Settings()
    trainer = framework(asked.framework).trainer(choice.network, plan, settings)
    batches = Batches(data, choice.recipe)
    seen = set()
    times = []
    for epoch in range(2):
        began = time.perf_counter()
        for step, batch in enumerate(first(batches, epoch, asked.steps), 1):
            loss = trainer.step(batch, 1e-3, step)
            seen.add(str(shapes(batch)))
        float(loss)
        times.append(time.perf_counter() - began)
    return (
        f"{step / times[1]:.1f} steps/s of {batches.batch_size} texts, {len(seen)} shapes; "
        f"the first {step} steps took {times[0] - times[1]:.1f} s more"
    )


def first(batches: Batches, epoch: int, steps: int) -> Iterator[Batch]:
    """The first batches of an epoch."""
    with closing(batches.epoch(epoch)) as ahead:
        for _, batch in zip(range(steps), ahead, strict=False):
            yield batch


if __name__ == "__main__":
    main()
