"""A round of `shrink`: the network is cut to a goal, and learns from the network as it came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from allotrope.config import Recipe
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.choose_widths import Prediction
from allotrope.training.batch_statistics import with_new_statistics
from allotrope.verbs.pipeline.competitors import (
    PART,
    Competitor,
    best_of,
    is_deep,
    students_within,
    time_left,
)
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.network_race import Share
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    CutNetwork,
    Workbench,
)
from allotrope.verbs.pipeline.taught_round import learned_by_teacher
from allotrope.verbs.pipeline.timed_cuts import timed_cuts

LEAST = 5.0
"""Seconds: a training of less teaches nothing."""
GENTLE = 0.5
"""A network that goes on learning begins at this part of the learning rate it once learned with."""


def cut(
    bench: Workbench,
    before: Before,
    latest: Network,
    number: int,
    goal: Goal,
    recipe: Recipe,
    folder: Path,
) -> CutNetwork:
    """The network cut to the goal, as it is timed untrained, with new statistics.

    Raises: UsageError if nothing can be cut, or the narrowest network misses the goal.
    """
    plan, show, began = bench.plan, bench.show, time.monotonic()
    if not goal.cuts:
        show.say(f"round {number}: it is fast and small enough, and trains further")
        return CutNetwork(number, latest, recipe, _facts(latest, goal, None, {}))
    competing = _competitors(bench, before, latest, goal, recipe, folder)
    chosen, compared = best_of(bench, competing, recipe, partial(learned_by_teacher, bench, before))
    costs = chosen.cut.timed.costs
    show.say(_said(number, chosen, plan.network))
    facts = _facts(chosen.network, goal, chosen.cut.prediction, costs)
    facts |= {"competitors": compared, "name": chosen.name, "has_learned": chosen.has_learned}
    return CutNetwork(number, chosen.network, time_left(chosen.recipe, began, LEAST), facts)


def _competitors(
    bench: Workbench, before: Before, latest: Network, goal: Goal, recipe: Recipe, folder: Path
) -> list[Competitor]:
    """The network cut to the goal, and what else may be as good there.

    Raises: UsageError if nothing can be cut, or the narrowest network misses the goal.
    """
    competitors = [
        Competitor(name, replace(one, network=_renewed(bench.plan, recipe, one.network)), recipe)
        for name, one in timed_cuts(bench, before, latest, goal, recipe, folder)
    ]
    if Share.of(recipe, PART) is not None and is_deep(bench, competitors[0].cut):
        competitors += students_within(bench, before, goal, recipe, folder)
    return competitors


def _renewed(plan: Plan, recipe: Recipe, network: Network) -> Network:
    """With channels gone, every layer takes other values than its statistics are of."""
    batches = (each.inputs for each in first_batches(plan, recipe))
    return with_new_statistics(network, batches, plan.framework)


def _said(number: int, chosen: Competitor, whole: Network) -> str:
    network, timed = chosen.network, chosen.cut.timed.costs
    left = parameters(network) / max(parameters(whole), 1)
    work = multiply_adds(network) / max(multiply_adds(whole), 1)
    return (
        f"round {number}: cut to {left:.1%} of the weights and {work:.1%} of the multiply-adds "
        f"({chosen.name}); "
        f"untrained it takes {timed['latency_ms']:.3g} ms and {timed['size_bytes'] / 1e3:,.0f} kB"
    )


def _facts(
    network: Network, goal: Goal, prediction: Prediction | None, timed: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "goal": {"latency_ms": goal.latency, "size_bytes": goal.size},
        "predicted_ms": None if prediction is None else 1e3 * (prediction.seconds or 0.0),
        "lost_importance": None if prediction is None else prediction.lost,
        "untrained": dict(timed),
        "weights": parameters(network),
        "multiply_adds": multiply_adds(network),
        "not_trainable": sorted(network.weights.keys() - network.trainable),
    }


def further(recipe: Recipe) -> Recipe:
    """How a network goes on learning that once learned by this recipe."""
    return replace(
        recipe,
        learning_rate=GENTLE * recipe.learning_rate,
        # The teacher's answers are soft already, and shares of classes were learned.
        label_smoothing=0.0,
        patience=None,
    )
