"""Networks are raced where no rule says which suits the data: each is trained for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from allotrope.architectures.chosen import Choice
from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.progress import Progress
from allotrope.tasks.several import deciding
from allotrope.training.loop import Trained, train
from allotrope.training.state import Row

SHARE = 0.1
"""The part of the time that each network in the race is trained for."""
LEAST_SECONDS, LEAST_EPOCHS = 5.0, 1.0
"""A share of less tells nothing, and no race is held."""


@dataclass(frozen=True)
class Share:
    """How long each network is trained in the race: seconds, epochs, or whichever ends first."""

    budget: float | None
    epochs: float | None

    @classmethod
    def of(cls, recipe: Recipe, part: float = SHARE) -> Share | None:
        """The part of the time that a recipe has; None if it is too short for a race."""
        budget = None if recipe.budget is None else part * recipe.budget
        epochs = None if recipe.epochs is None else part * recipe.epochs
        if budget is None:
            return None if epochs is None or epochs < LEAST_EPOCHS else cls(None, epochs)
        # Within a budget epochs are only the most that are of use.
        return None if budget < LEAST_SECONDS else cls(budget, recipe.epochs)


def raced(
    contenders: Sequence[str],
    build: Callable[[str], Choice],
    data: Data,
    framework: str,
    settings: Settings,
    show: Progress,
) -> Choice:
    """The best of the contenders on the validation data.

    It begins anew: a schedule of its whole time is better than to go on after one of a tenth.
    `build` makes one by its name. The first is taken if there is no time for a race, or none is
    better.
    """
    first = build(contenders[0])
    share = Share.of(first.recipe)
    if len(contenders) < 2:
        return first
    if share is None:
        reason = (
            f"{first.name}, because the time is too short for a race of {', '.join(contenders)}. "
            "--network NAME takes another."
        )
        return _because(reason, first)
    results: dict[str, Trained] = {}
    choices = {first.name: first}
    for name in contenders:
        choice = choices.setdefault(name, first if name == first.name else build(name))
        show.say(f"racing networks: {name}")
        recipe = replace(choice.recipe, budget=share.budget, epochs=share.epochs)
        results[name] = train(
            choice.network,
            data,
            recipe,
            settings,
            framework,
            progress=show,
            has_learned=choice.has_learned,
        )
        show.close()
        if results[name].stopped == "interrupted":
            # Of a training that goes on later Ctrl-C is the end; of a race nothing is kept.
            raise KeyboardInterrupt
    rows = {name: reached(data, result) for name, result in results.items()}
    winner = max(rows, key=lambda name: standing(data, rows[name]))
    return _because(_why(winner, results, rows, data), choices[winner])


def _because(reason: str, choice: Choice) -> Choice:
    """The choice with why it is this network: that it was named only the race did."""
    return replace(choice, reasons=[reason, *choice.reasons[1:]])


def reached(data: Data, result: Trained) -> Row:
    """The best validation after a step: before it, all have the linear model's answers."""
    learned = [row for row in result.history if row["step"] > 0]
    return max(learned or result.history, key=lambda row: standing(data, row))


def standing(data: Data, row: Row) -> tuple[float, float]:
    """What orders networks: the metric that decides; if equal, the lower loss."""
    metric = row[f"validation_{deciding(data.tasks)}"]
    return data.tasks[0].metric.rank(metric), -row["validation_loss"]


def _why(winner: str, results: dict[str, Trained], reached: dict[str, Row], data: Data) -> str:
    metric = data.tasks[0].metric
    key = f"validation_{deciding(data.tasks)}"
    figures = ", ".join(
        f"{name} {metric.text(reached[name][key])} ({result.epochs:.1f} epochs)"
        for name, result in results.items()
    )
    return (
        f"{winner} won a race of networks, each trained for a tenth of the time, by validation "
        f"{metric.title}: {figures}. --network NAME takes another."
    )
