"""A round of `shrink`: the network is cut to a goal, and learns from the network as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.data.batches import Batches
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.batch_statistics import with_new_statistics
from allotrope.shrinking.choose_widths import Prediction, removed_for
from allotrope.shrinking.distill import distillation
from allotrope.shrinking.group_importance import magnitude, taylor
from allotrope.shrinking.groups import Groups, groups
from allotrope.shrinking.prune import pruned
from allotrope.training.checkpoints import resumable
from allotrope.training.loop import Trained, train
from allotrope.training.loss_gradients import loss_gradients
from allotrope.training.plan import plan_for
from allotrope.verbs.pipeline.asked_teacher import asked_teacher
from allotrope.verbs.pipeline.nearest_cut import TimedCut, nearest_cut
from allotrope.verbs.pipeline.network_costs import Pricing, pricing
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_measured import timed_untrained
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    CutNetwork,
    Form,
    TaughtCut,
    Timed,
    Workbench,
)

STATISTICS = 30
"""So many batches give BatchNormalization new statistics, and slopes by which groups count."""
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
    plan, show = bench.plan, bench.show
    if not goal.cuts:
        show.say(f"round {number}: it is fast and small enough, and trains further")
        return CutNetwork(number, latest, recipe, _facts(latest, goal, None, {}))
    nearest = _timed_cut(bench, before, latest, goal, recipe, folder)
    costs = nearest.timed.costs
    show.say(_said(number, costs, nearest.network, plan.network))
    # With channels gone, every layer takes other values than its statistics are of.
    batches = (each.inputs for each in whole_batches(plan, recipe))
    renewed = with_new_statistics(nearest.network, batches, plan.framework)
    return CutNetwork(number, renewed, recipe, _facts(renewed, goal, nearest.prediction, costs))


def _timed_cut(
    bench: Workbench, before: Before, latest: Network, goal: Goal, recipe: Recipe, folder: Path
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
    worth = taylor(network, known, gradients, whole_batches(plan, recipe))
    if np.isfinite(worth).all() and worth.any():
        return worth
    return magnitude(network, known)


def whole_batches(plan: Plan, recipe: Recipe) -> Iterator[Batch]:
    """The first batches that the training would see, of whole examples."""
    # Not None, which is what the preset of the augmentation says.
    batches = Batches(plan.data, replace(recipe, mixup=0.0, cutmix=0.0))
    for index in range(min(STATISTICS, max(STATISTICS, batches.steps_per_epoch))):
        epoch, step = divmod(index, batches.steps_per_epoch)
        yield batches.batch(epoch, step)


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


def _said(number: int, timed: Mapping[str, Any], network: Network, whole: Network) -> str:
    left = parameters(network) / max(parameters(whole), 1)
    work = multiply_adds(network) / max(multiply_adds(whole), 1)
    return (
        f"round {number}: cut to {left:.1%} of the weights and {work:.1%} of the multiply-adds; "
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


def taught(bench: Workbench, cut: CutNetwork, folder: Path) -> TaughtCut:
    """The cut network trained by the whole one; from the newest checkpoint, if there is one."""
    plan, show = bench.plan, bench.show
    example = next(whole_batches(plan, cut.recipe)).inputs
    with asked_teacher(plan.network, example, plan.settings, show) as answers:
        teaching = distillation(
            plan.network, plan.data, cut.recipe, plan.framework, plan.settings, answers=answers
        )
        result = train(
            cut.network,
            plan.data,
            cut.recipe,
            plan.settings,
            plan.framework,
            folder,
            show,
            resume=resumable(folder / "checkpoints"),
            has_learned=True,
            teaching=teaching,
        )
    show.close()
    return TaughtCut(cut, result.network, _of_training(result), result.history)


def _of_training(result: Trained) -> dict[str, Any]:
    return {
        "epochs": result.epochs,
        "steps": result.steps,
        "best_epoch": result.best["epoch"],
        "stopped": result.stopped,
        "seconds": result.seconds,
        "examples_per_second": result.examples_per_second,
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
