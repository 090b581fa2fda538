"""Ways to cut a network to a goal by the clock: where it costs least, alike, of low rank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.shrinking.choose_widths import Prediction, removed_for
from allotrope.shrinking.factorize import factorized, low_ranks
from allotrope.shrinking.group_importance import magnitude, taylor
from allotrope.shrinking.groups import Groups, groups
from allotrope.shrinking.prune import pruned
from allotrope.training.loss_gradients import loss_gradients
from allotrope.training.plan import plan_for
from allotrope.verbs.pipeline.competitors import (
    PART,
)
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.nearest_cut import NEAR, TimedCut, nearest_cut
from allotrope.verbs.pipeline.network_costs import Pricing, pricing
from allotrope.verbs.pipeline.network_race import Share
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_measured import timed_untrained
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    Form,
    Timed,
    Workbench,
)


def timed_cuts(
    bench: Workbench, before: Before, latest: Network, goal: Goal, recipe: Recipe, folder: Path
) -> Iterator[tuple[str, TimedCut]]:
    """The network cut to the goal, and if layers of low rank save time the one that has them."""
    by_loss = _timed_cut(bench, before, latest, goal, recipe, folder)
    yield "the cut network", by_loss
    if Share.of(recipe, PART) is None:
        return
    lower = _of_low_rank(bench, before, latest, goal)
    if lower is not None:
        try:
            low = _timed_cut(bench, before, lower, goal, recipe, folder)
        except UsageError as error:
            bench.show.say(f"layers of low rank do not lead to the goal: {error}")
            return
        if low.excess <= NEAR:
            yield "the cut network with layers of low rank", low


def _of_low_rank(bench: Workbench, before: Before, latest: Network, goal: Goal) -> Network | None:
    """The network with those layers as two that are faster so; None if there are none."""
    if goal.latency is None:
        return None
    with pricing(bench, before, latest, groups(latest), before.form_at(goal.latency)) as prices:
        ranks = low_ranks(latest, prices.seconds)
    if not ranks:
        return None
    shown = ", ".join(f"{name} {one.rank} of {one.full_rank}" for name, one in ranks.items())
    bench.show.say(f"faster with layers of low rank: {shown}")
    return factorized(latest, {name: one.rank for name, one in ranks.items()})


def _timed_cut(
    bench: Workbench,
    before: Before,
    latest: Network,
    goal: Goal,
    recipe: Recipe,
    folder: Path,
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

            return nearest_cut(cut_to, timed, goal)

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
    worth = taylor(network, known, gradients, first_batches(plan, recipe))
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
