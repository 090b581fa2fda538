"""Ways to cut a network to a goal by the clock: fewer channels, low rank, fewer blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.shrinking.choose_widths import Prediction, removed_for
from allotrope.shrinking.factorize import ChosenRank, factorized, low_ranks
from allotrope.shrinking.group_importance import magnitude, taylor
from allotrope.shrinking.groups import Groups, groups
from allotrope.shrinking.prune import pruned
from allotrope.training.loss_gradients import loss_gradients
from allotrope.training.plan import plan_for
from allotrope.verbs.pipeline.competitors import (
    PART,
)
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.nearest_cut import NEAR, TRIES, TimedCut, nearest_cut
from allotrope.verbs.pipeline.network_costs import Pricing, pricing
from allotrope.verbs.pipeline.network_race import Share
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shorter_networks import shorter_networks
from allotrope.verbs.pipeline.shrunk_measured import timed_untrained
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    Form,
    Timed,
    Workbench,
)
from allotrope.wording import counted

MOST = 3
"""So many ways are raced: each takes a part of the round's time."""
OF_RIVALS = 2
"""So often each way beside the first is cut and timed: nothing before a round takes longer."""
WEIGHED = 5_000
"""So many examples say what each group counts, if their batches are large."""
LEAST_BATCHES = 8


def timed_cuts(
    bench: Workbench, before: Before, latest: Network, goal: Goal, recipe: Recipe, folder: Path
) -> list[tuple[str, TimedCut]]:
    """The network cut to the goal in several ways, if there is time to race what they give.

    Those that reach the goal; if none does the one that is nearest.

    Raises: UsageError if no way leads there.
    """
    most = 1 if Share.of(recipe, PART) is None else MOST
    cuts: list[tuple[str, TimedCut]] = []
    refusals = []
    for name, network in _ways(bench, before, latest, goal, recipe):
        try:
            tries = OF_RIVALS if cuts else TRIES
            cuts.append((name, _timed_cut(bench, before, network, goal, recipe, folder, tries)))
        except UsageError as error:
            bench.show.say(f"{name} does not lead to the goal, as narrow as it can be")
            refusals.append(error)
            continue
        near = [(title, cut) for title, cut in cuts if cut.excess <= NEAR]
        if len(near) == most:
            break
    if not cuts:
        raise refusals[0]
    return near or [min(cuts, key=lambda each: each[1].rank())]


def _ways(
    bench: Workbench, before: Before, latest: Network, goal: Goal, recipe: Recipe
) -> Iterator[tuple[str, Network]]:
    """The network as it is, with layers of low rank and without blocks, if that saves anything."""
    yield "the cut network", latest
    ranks: dict[str, ChosenRank] = {}
    kernels = None if goal.latency is None else before.form_at(goal.latency)
    with pricing(bench, before, latest, groups(latest), kernels) as prices:
        cost_of = prices.seconds
        if goal.latency is None:
            cost_of = prices.bytes
        else:
            ranks = low_ranks(latest, prices.seconds)
        shorter = list(shorter_networks(bench.plan, latest, recipe, cost_of))
    if ranks:
        shown = ", ".join(f"{name} {one.rank} of {one.full_rank}" for name, one in ranks.items())
        bench.show.say(f"faster with layers of low rank: {shown}")
        lower = factorized(latest, {name: one.rank for name, one in ranks.items()})
        yield "the cut network with layers of low rank", lower
    for gone, network in shorter:
        yield f"the cut network without {counted(gone, 'block')}", network


def _timed_cut(
    bench: Workbench,
    before: Before,
    latest: Network,
    goal: Goal,
    recipe: Recipe,
    folder: Path,
    tries: int = TRIES,
) -> TimedCut:
    """The largest part of the network that reaches the goal by the clock, not by a prediction.

    What is cut should be fastest in the runtime whose kernels said what to cut: if another one
    turns out to be faster, its kernels are asked as well.
    """
    known = groups(latest)
    worth = _importance(bench.plan, latest, known, recipe)

    def timed(network: Network) -> Timed:
        return timed_untrained(bench, before, network, goal, folder)

    def nearest(kernels: Form | None) -> TimedCut:
        with pricing(bench, before, latest, known, kernels) as prices:

            def cut_to(aim: Goal) -> tuple[Network, Prediction]:
                return _smaller(prices, latest, known, worth, aim)

            return nearest_cut(cut_to, timed, goal, tries)

    if goal.latency is None:
        return nearest(None)
    asked = before.form_at(goal.latency)
    first = nearest(asked)
    fastest = first.timed.form
    if fastest == asked:
        return first
    bench.show.say(f"what was cut is faster by {fastest[0]} {fastest[1]}: its kernels are asked")
    try:
        return min(first, nearest(fastest), key=TimedCut.rank)
    except UsageError as error:
        bench.show.say(f"they do not lead to the goal: {error}")
        return first


def _importance(plan: Plan, network: Network, known: Groups, recipe: Recipe) -> np.ndarray:
    """What each group counts: by the loss of the tasks, or by its weights if that says nothing."""
    trained = plan_for(network, recipe, plan.data.tasks, plan.data.train.columns)
    gradients = loss_gradients(network, trained, plan.settings, plan.framework)
    count = max(-(-WEIGHED // recipe.batch_size), LEAST_BATCHES)
    worth = taylor(network, known, gradients, islice(first_batches(plan, recipe), count))
    if np.isfinite(worth).all() and worth.any():
        return worth
    return magnitude(network, known)


def _smaller(
    prices: Pricing, network: Network, known: Groups, worth: np.ndarray, aim: Goal
) -> tuple[Network, Prediction]:
    seconds = None if aim.latency is None else aim.latency / 1e3
    removed, prediction = removed_for(
        network,
        known,
        worth,
        prices.seconds,
        seconds,
        bytes_of=prices.bytes,
        target_bytes=aim.size,
        widths=prices.widths,
    )
    return pruned(network, removed, known), prediction
