"""Networks with fewer blocks of layers: which block goes first, and how many may go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from allotrope.config import Recipe
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.shrinking.choose_widths import CostOf
from allotrope.shrinking.removable_blocks import RemovableBlock, blocks, without
from allotrope.shrinking.sensitivity import relative_error
from allotrope.training.batch_statistics import with_new_statistics
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.planning import Plan

LOOKED_AT = 4
"""So many batches say what a network answers without a block."""


def shorter_networks(
    plan: Plan, network: Network, recipe: Recipe, cost_of: CostOf
) -> Iterator[tuple[int, Network]]:
    """The network without 1, 2, 4 … of its blocks, and without all of them; how many are gone.

    Those go first that change the answers least for what they cost.
    """
    gone = 0
    for block in _least_harmful_first(plan, network, recipe, cost_of):
        # One that overlaps with those that are gone is no block any more.
        present = {each.weights: each for each in blocks(network)}
        if block.weights not in present:
            continue
        network = without(network, present[block.weights])
        gone += 1
        if _is_power_of_two(gone):
            yield gone, network
    if gone and not _is_power_of_two(gone):
        yield gone, network


def _is_power_of_two(number: int) -> bool:
    return number.bit_count() == 1


def _least_harmful_first(
    plan: Plan, network: Network, recipe: Recipe, cost_of: CostOf
) -> list[RemovableBlock]:
    """The blocks of which anything is saved, by harm for each unit of cost."""
    batches = list(islice(first_batches(plan, recipe), LOOKED_AT))
    harm, whole = _harm(plan, network, batches), cost_of(network)
    order: list[tuple[float, int, RemovableBlock]] = []
    for block in blocks(network):
        rest = without(network, block)
        saved = whole - cost_of(rest)
        if saved > 0:
            order.append((harm(rest) / saved, len(order), block))
    return [block for _, _, block in sorted(order)]


def _harm(plan: Plan, network: Network, batches: Sequence[Batch]) -> Callable[[Network], float]:
    """How far the answers of a network without some layers are from those of all."""
    inputs = [batch.inputs for batch in batches]

    def answers(one: Network) -> dict[str, np.ndarray]:
        # Every layer behind a gap takes other values than its statistics are of.
        renewed = with_new_statistics(one, inputs, plan.framework)
        parts = [renewed.run(each, plan.framework) for each in inputs]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    expected = answers(network)
    return lambda rest: relative_error(answers(rest), expected)
