"""Training steps of `fit` against those of a PyTorch loop written by hand.

Network, batches and settings are the same. Rounds are interleaved; the ratio is that of the
medians, above 1 if `fit` is faster. Two things are compared: the steps alone, on batches that are
ready, and the whole loop: batches made in the background, schedule, losses looked at.

    python benchmarks/training_step.py [--width 0.5] [--side 32] [--precision bfloat16]
        [--rounds 9] [--steps 12]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from allotrope.architectures.recipes import FAMILIES
from allotrope.config import Settings
from allotrope.data import Batches
from allotrope.data.examples import IMAGE, LABEL
from allotrope.data.reading import labelled, labelled_data
from allotrope.frameworks import framework
from allotrope.inputs.image.statistics import pixel_statistics
from allotrope.network import zoo
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import parameters
from allotrope.training.loop import train
from allotrope.training.plan import plan_for
from allotrope.training.schedules import learning_rate


class Group(nn.Module):
    """Convolution, pooling, normalization, activation, convolution, normalization, activation."""

    def __init__(self, before, channels, momentum):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels, eps=1e-5, momentum=1 - momentum)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels, eps=1e-5, momentum=1 - momentum)

    def forward(self, x):
        x = F.relu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.relu(self.norm2(self.conv2(x)))


class ByHand(nn.Module):
    """The whitened network as one would write it in PyTorch."""

    def __init__(self, classes, image_channels, channels, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        before = 8 * image_channels
        self.whiten = nn.Conv2d(image_channels, before, 2)
        self.whiten.weight.requires_grad = False
        self.groups = nn.ModuleList()
        for count in channels:
            self.groups.append(Group(before, count, 0.6))
            before = count
        self.head = nn.Linear(before, classes, bias=False)
        for group in self.groups:
            group.norm1.weight.requires_grad = group.norm2.weight.requires_grad = False

    def forward(self, images):
        x = ((images.float() - self.mean) / self.std).permute(0, 3, 1, 2)
        x = F.relu(self.whiten(x))
        for group in self.groups:
            x = group(x)
        return self.head(x.amax((2, 3))) / 9


class LoopByHand:
    """What surrounds the network: optimizer groups, autocast, moving average."""

    def __init__(self, model, recipe, settings):
        self.recipe, self.settings = recipe, settings
        memory_format = torch.contiguous_format
        if settings.layout == "channels-last":
            memory_format = torch.channels_last
        self.model = model.to(memory_format=memory_format)
        learning = [(n, weight) for n, weight in model.named_parameters() if weight.requires_grad]
        kernels = [w for n, w in learning if w.ndim > 1]
        groups = [
            {"params": kernels, "weight_decay": recipe.weight_decay, "scale": 1.0},
            {"params": [w for n, w in learning if w.ndim == 1 and "norm" not in n], "scale": 1.0},
            {"params": [w for n, w in learning if "norm" in n], "scale": recipe.bias_scale},
        ]
        self.optimizer = torch.optim.SGD(
            groups, lr=1.0, momentum=recipe.momentum, nesterov=True, fused=True
        )
        self.state = [value for value in model.state_dict().values() if value.is_floating_point()]
        self.average = [value.clone() for value in self.state]

    def step(self, batch, rate, step):
        images, target = batch.inputs[IMAGE], batch.targets[LABEL]
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            logits = self.model(torch.from_numpy(images))
        loss = F.cross_entropy(
            logits.float(),
            torch.from_numpy(target),
            label_smoothing=self.recipe.label_smoothing,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            decay = min(self.recipe.average, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.average, self.state, 1 - decay)
        return loss.detach()

    def epoch(self, batches):
        """Images a second, the first step left out as `train` does."""
        losses = []
        for step, batch in enumerate(batches.epoch(0), 1):
            rate = learning_rate(self.recipe, (step - 0.5) / batches.steps_per_epoch)
            losses.append(self.step(batch, rate, step))
            if step == 1 or step % 16 == 0 or step == batches.steps_per_epoch:
                assert all(np.isfinite(float(loss)) for loss in losses)
                losses = []
            if step == 1:
                started = time.perf_counter()
        seconds = time.perf_counter() - started
        return (batches.steps_per_epoch - 1) * batches.batch_size / seconds


def made(side, channels, count):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, side, side, channels), np.uint8)
    split = labelled(images, random.integers(0, 10, count))
    few = split.take(np.arange(64))
    return labelled_data("made", tuple("0123456789"), split, few, few)


def network_for(data, width):
    mean, std = pixel_statistics(data.train[IMAGE])
    _, height, across, channels = data.train[IMAGE].shape
    sides = channels, height, across
    arguments = FAMILIES["whitened_cnn"].arguments(sides)
    network = zoo.whitened_cnn(10, sides, width=width, **arguments)
    network = with_preprocessing(network, mean, std)
    return named_after(network, [IMAGE], [LABEL]), mean, std


def steps_alone(stepper, ready, count):
    """A function that makes `count` steps on batches that are ready, and gives images a second."""

    def run():
        started = time.perf_counter()
        for step in range(1, count + 1):
            batch = ready[step % len(ready)]
            loss = stepper.step(batch, 1e-3, step)
        assert np.isfinite(float(loss))
        return count * len(ready[0]) / (time.perf_counter() - started)

    return run


def compared(name, ours, theirs, rounds):
    """Interleaved rounds, each beginning with the other one.

    One of each before them is not counted.
    """
    ours(), theirs()
    speeds = {"fit": [], "by_hand": []}
    for number in range(rounds):
        for who, run in (("fit", ours), ("by_hand", theirs))[:: 1 if number % 2 else -1]:
            speeds[who].append(run())
    median = {who: statistics.median(speeds[who]) for who in speeds}
    ratio = median["fit"] / median["by_hand"]
    print(
        f"{name}: fit {median['fit']:,.0f} images/s, by hand {median['by_hand']:,.0f} images/s, "
        f"ratio {ratio:.3f}"
    )
    return {
        "name": name,
        "images_per_second": median,
        "spread": {who: [min(speeds[who]), max(speeds[who])] for who in speeds},
        "rounds": rounds,
        "ratio": ratio,
    }


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--layout", default="channels-last")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=12)
    return parser.parse_args()


def main():
    asked = options()
    settings = Settings(precision=asked.precision, layout=asked.layout)
    data = made(asked.side, asked.channels, asked.batch * asked.steps)
    recipe = replace(
        FAMILIES["whitened_cnn"].recipe, batch_size=asked.batch, learning_rate=0.1, epochs=1.0
    )
    network, mean, std = network_for(data, asked.width)
    plan = plan_for(network, recipe, data.tasks, data.train.columns)
    trainer = framework("pytorch").trainer(network, plan, settings)
    filters = [w.shape[0] for n, w in network.weights.items() if n.endswith("conv1.weight")]
    hand = LoopByHand(ByHand(10, asked.channels, filters, mean, std), recipe, settings)
    learning = [weight for weight in hand.model.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in learning) == parameters(network)

    batches = Batches(data, recipe)
    ready = [batches.batch(0, step) for step in range(min(4, asked.steps))]

    def fit():
        return train(network, data, recipe, settings).examples_per_second

    def by_hand():
        return hand.epoch(batches)

    steps = (steps_alone(one, ready, asked.steps) for one in (trainer, hand))
    results = [
        compared("steps", *steps, asked.rounds),
        compared("loop", fit, by_hand, asked.rounds),
    ]
    facts = {
        "benchmark": "training_step",
        "options": vars(asked),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
    }
    print(json.dumps({**facts, "results": results}))


if __name__ == "__main__":
    main()
