"""What may reach the goal of a round: the cut network, of low rank, students of the zoo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.architectures.students import Students, students
from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.choose_widths import Prediction
from allotrope.tasks.several import deciding
from allotrope.training.loop import Trained
from allotrope.verbs.pipeline.nearest_cut import NEAR, TimedCut, nearest_cut
from allotrope.verbs.pipeline.network_costs import Costs
from allotrope.verbs.pipeline.network_race import Share, reached, standing
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_measured import timed_untrained
from allotrope.verbs.pipeline.shrunk_values import Before, Workbench

PART = 0.06
"""The part of a round's time that each competitor learns for, if there are several."""
DEEP = 0.04
"""A cut that leaves less than this of the multiply-adds or weights may know no more than another
network learns in the time: only then students are tried. With 4.1 % of its weights a network for
CIFAR-10 led by 7 points after 6 % of the time, with 20 % by 9 (docs/shrinking.md)."""

LearnedBy = Callable[["Competitor", Recipe], Trained]


@dataclass(frozen=True)
class Competitor:
    """A network that is fast and small enough, before its first step, and how it would learn.

    `has_learned`: whether it is what is left of the network before.
    """

    name: str
    cut: TimedCut
    recipe: Recipe
    has_learned: bool = True

    @property
    def network(self) -> Network:
        """The network, untrained."""
        return self.cut.network


def is_deep(bench: Workbench, cut: TimedCut) -> bool:
    """Whether so little is left that other networks may be worth as much."""
    whole = bench.plan.network
    work = multiply_adds(cut.network) / max(multiply_adds(whole), 1)
    weights = parameters(cut.network) / max(parameters(whole), 1)
    return min(work, weights) < DEEP


def students_within(
    bench: Workbench, before: Before, goal: Goal, recipe: Recipe, folder: Path
) -> Iterator[Competitor]:
    """Of each family of students the widest that is within the goal by the clock."""
    for family in students(bench.plan.data):
        try:
            cut, width = _widest(bench, before, family, goal, recipe, folder)
        except UsageError as error:
            bench.show.say(f"{family.family} does not compete: {error}")
            continue
        if cut.excess > NEAR:
            bench.show.say(f"{family.family} does not compete: it takes {cut.excess:.2f}x the goal")
            continue
        choice = family.built(bench.plan.data, width, recipe)
        name = f"{family.family} of width {width:g}"
        yield Competitor(name, cut, choice.recipe, has_learned=False)


def _widest(
    bench: Workbench, before: Before, family: Students, goal: Goal, recipe: Recipe, folder: Path
) -> tuple[TimedCut, float]:
    """The student that is nearest to the goal, and its width. Raises: UsageError if none is."""
    costs = Costs.of(before)
    built = {width: family.built(bench.plan.data, width, recipe) for width in family.widths}
    known = {
        width: (costs.seconds(choice.network), costs.bytes(choice.network))
        for width, choice in built.items()
    }

    def within(aim: Goal) -> tuple[Network, Prediction]:
        for width, (seconds, size) in known.items():
            if aim.excess(1e3 * seconds, size) <= 1:
                # Of two that are within the goal the wider one comes first.
                return built[width].network, Prediction(seconds, size, 1 / width, ())
        raise UsageError("no width of it is fast and small enough")

    cut = nearest_cut(within, lambda net: timed_untrained(bench, before, net, goal, folder), goal)
    return cut, 1 / cut.prediction.lost


def best_of(
    bench: Workbench, competitors: Sequence[Competitor], recipe: Recipe, learned_by: LearnedBy
) -> tuple[Competitor, list[dict[str, Any]]]:
    """The competitor that learned best in a part of the time, and what each came to.

    It begins anew: a schedule of its whole time is better than to go on after one of a part. The
    first is taken if there is none beside it, or no time for a race.
    """
    share = Share.of(recipe, PART)
    if len(competitors) < 2 or share is None:
        return competitors[0], []
    data, results = bench.plan.data, {}
    for one in competitors:
        bench.show.say(f"racing {one.name}")
        shared = replace(one.recipe, budget=share.budget, epochs=share.epochs)
        results[one.name] = learned_by(one, shared)
        bench.show.close()
        if results[one.name].stopped == "interrupted":
            # Of a training that goes on later Ctrl-C is the end; of a race nothing is kept.
            raise KeyboardInterrupt
    rows = {name: reached(data, result) for name, result in results.items()}
    winner = max(competitors, key=lambda one: standing(data, rows[one.name]))
    key = f"validation_{deciding(data.tasks)}"
    facts = [
        {
            "name": one.name,
            "won": one is winner,
            "validation_metric": rows[one.name][key],
            "epochs": results[one.name].epochs,
            **one.cut.timed.costs,
        }
        for one in competitors
    ]
    bench.show.say(_said(facts, bench))
    return winner, facts


def _said(facts: Sequence[dict[str, Any]], bench: Workbench) -> str:
    task = bench.plan.tasks[0]
    figures = ", ".join(
        f"{each['name']} {task.metric_text(each['validation_metric'])}" for each in facts
    )
    winner = next(each["name"] for each in facts if each["won"])
    return (
        f"{winner} won the race, each with {PART:.0%} of the time, by validation "
        f"{task.metric.title}: {figures}"
    )


def time_left(recipe: Recipe, began: float, least: float) -> Recipe:
    """The recipe with what is left of its time since `began`, on the monotonic clock."""
    if recipe.budget is None:
        return recipe
    return replace(recipe, budget=max(recipe.budget - (time.monotonic() - began), least))
