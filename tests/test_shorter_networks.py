"""Networks with fewer blocks: the least harmful goes first, and the target counts them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from allotrope import read
from allotrope.config import Recipe, Settings, Target
from allotrope.errors import UsageError
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import multiply_adds, parameters
from allotrope.progress import Progress
from allotrope.shrinking.removable_blocks import blocks, shortest
from allotrope.verbs.pipeline.nearest_cut import NEAR
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shorter_networks import shorter_networks
from allotrope.verbs.pipeline.shrunk_measured import as_it_came, narrowest
from allotrope.verbs.pipeline.shrunk_values import Workbench
from allotrope.verbs.pipeline.timed_cuts import timed_cuts
from quick import BRIEF, one_candidate


@pytest.fixture(scope="module")
def plan():
    """A residual network for digits, one block of which adds nothing and one very much."""
    data = read("digits")
    (image,), (task,) = data.inputs, data.tasks
    network = with_preprocessing(zoo.network("resnet20")(10, (1, 8, 8)), [8.0], [4.0])
    network = named_after(network, [image.name], [task.name])
    changed = {
        "layer2.1.bn2.weight": np.zeros_like(network.weights["layer2.1.bn2.weight"]),
        "layer1.1.bn2.weight": np.full_like(network.weights["layer1.1.bn2.weight"], 30),
    }
    network = network.with_weights(changed)
    return SimpleNamespace(data=data, network=network, framework="reference")


def test_the_least_harmful_go_first_one_two_four_and_all(plan):
    recipe = Recipe(batch_size=8, epochs=1.0)
    shorter = list(shorter_networks(plan, plan.network, recipe, parameters))
    counts = [number for number, _ in shorter]
    assert counts == [1, 2, 4, 7]
    first, *_, last = (network for _, network in shorter)
    assert "layer2.1.conv1.weight" not in first.weights
    assert len(blocks(first)) == 6
    assert blocks(last) == []
    work = [multiply_adds(network) for _, network in shorter]
    assert work == sorted(work, reverse=True)


def test_harm_is_weighed_by_what_is_saved(plan):
    recipe = Recipe(batch_size=8, epochs=1.0)
    # Where nothing else is saved, what adds very much is the only one.
    kernel = "layer1.1.conv1.weight"
    shorter = list(
        shorter_networks(
            plan, plan.network, recipe, lambda network: float(kernel in network.weights)
        )
    )
    assert [number for number, _ in shorter] == [1]
    assert kernel not in shorter[0][1].weights


def test_the_narrowest_network_has_no_blocks(plan):
    assert multiply_adds(narrowest(plan.network)) < multiply_adds(shortest(plan.network)) / 20
    assert blocks(narrowest(plan.network)) == []


def test_a_network_without_anything_to_cut_says_so():
    b = Builder()
    b.output(b.add("Relu", [b.input("x", "float32", ("n", 4))]), "y")
    with pytest.raises(UsageError, match="nothing can be cut out of network"):
        narrowest(b.network())


@pytest.fixture(scope="module")
def bench(plan, tmp_path_factory):
    """A workbench for the network, and what it takes as it came."""
    folder = tmp_path_factory.mktemp("shorter")
    for name in ("before", "cut"):
        (folder / name).mkdir()
    whole = SimpleNamespace(**vars(plan), tasks=plan.data.tasks, settings=Settings(threads=1))
    whole.framework = "pytorch"
    bench = Workbench(whole, folder, one_candidate, 1, Progress(), BRIEF)
    before = as_it_came(bench, folder / "before", None, lambda ms, size: Target(max_size=size))
    return bench, before


def cuts_to(bench, size):
    bench, before = bench
    goal, recipe = Goal(None, size, 1.0), Recipe(batch_size=32, epochs=20.0)
    network = bench.plan.network
    return timed_cuts(bench, before, network, goal, recipe, bench.folder / "cut")


def test_a_goal_that_widths_miss_is_reached_without_blocks(bench):
    size = 1.3 * bench[1].least["size_bytes"]
    cuts = dict(cuts_to(bench, size))
    assert cuts
    assert "the cut network" not in cuts
    assert all(cut.timed.costs["size_bytes"] <= NEAR * size for cut in cuts.values())


def test_both_ways_compete_where_both_reach_the_goal(bench):
    size = 0.6 * bench[1].whole["size_bytes"]
    names = [name for name, _ in cuts_to(bench, size)]
    assert names == [
        "the cut network",
        "the cut network without 1 block",
        "the cut network without 2 blocks",
    ]


def test_of_blocks_that_overlap_only_those_that_are_gone_are_counted(plan):
    b = Builder()
    random = np.random.default_rng(0)
    x = b.add("Cast", [b.input("image", "uint8", ("n", 8, 8, 1))], {"to": 1})
    x = b.add("Transpose", [b.add("Div", [x, b.constant(np.float32(16))])], {"perm": (0, 3, 1, 2)})
    # Relu to Relu and Tanh to Tanh share a layer; Tanh to Tanh behind them shares none.
    for number, activation in enumerate(("Relu", "Tanh", "Relu", "Tanh", "Tanh")):
        kernel = random.normal(size=(4, 4 if number else 1, 3, 3))
        weight = b.weight(f"w{number}", kernel.astype(np.float32), trainable=True)
        x = b.add(activation, [b.add("Conv", [x, weight], {"pads": (1, 1, 1, 1)})])
    b.output(b.add("GlobalAveragePool", [x]), "label")
    network = b.network()
    assert [sorted(block.weights) for block in blocks(network)] == [
        ["w1", "w2"],
        ["w2", "w3"],
        ["w4"],
    ]
    recipe = Recipe(batch_size=8, epochs=1.0)
    shorter = list(shorter_networks(plan, network, recipe, parameters))
    assert [number for number, _ in shorter] == [1, 2]
    assert blocks(shorter[-1][1]) == []
