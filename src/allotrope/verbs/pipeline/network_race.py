"""Networks are raced where no rule says which suits the data: each is trained for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from allotrope.architectures.chosen import Choice
from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.frameworks.contract import Arrays
from allotrope.progress import Progress
from allotrope.tasks.several import deciding
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import Trained, train
from allotrope.training.paired_gain import Gain, paired_gain
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
    """The best of the contenders on the validation data; they come in the order of their speed.

    A slower one has to be surely better, since each of its answers takes longer for ever.
    The winner begins anew: a schedule of its whole time is better than to go on after one of a
    tenth. `build` makes one by its name. The first is taken if there is no time for a race.
    """
    first = build(contenders[0])
    share = Share.of(first.recipe)
    if len(contenders) < 2 or share is None:
        return first
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
    verdict = Verdict(data, framework, results)
    # The first reason is why this network: that it was named, which here only the race did.
    choice = choices[verdict.winner]
    return replace(choice, reasons=[verdict.reason, *choice.reasons[1:]])


def reached(data: Data, result: Trained) -> Row:
    """The best validation after a step: before it, all have the linear model's answers."""
    learned = [row for row in result.history if row["step"] > 0]
    return max(learned or result.history, key=lambda row: standing(data, row))


def standing(data: Data, row: Row) -> tuple[float, float]:
    """What orders networks: the metric that decides; if equal, the lower loss."""
    metric = row[f"validation_{deciding(data.tasks)}"]
    return data.tasks[0].metric.rank(metric), -row["validation_loss"]


class Verdict:
    """Which of the raced networks is taken, in the order of their speed, and why.

    `winner`, `reason`.
    """

    def __init__(self, data: Data, framework: str, results: dict[str, Trained]) -> None:
        self._data, self._framework, self._results = data, framework, results
        self._rows = {name: reached(data, result) for name, result in results.items()}
        self._unsure: list[str] = []
        self.winner, *slower = results
        for name in slower:
            if self._is_better(name, self.winner):
                self.winner = name
        self.reason = self._why()

    def _is_better(self, name: str, faster: str) -> bool:
        data, rows = self._data, self._rows
        if standing(data, rows[name]) <= standing(data, rows[faster]):
            return False
        if len(data.tasks) > 1:
            return True
        gain = self._gain(name, faster)
        if not gain.is_sure:
            self._unsure.append(
                f"{name} is slower and not surely better ({gain.points:+.2f} points, "
                f"{gain.low:+.2f} to {gain.high:+.2f} with 95% confidence)"
            )
        return gain.is_sure

    def _gain(self, name: str, faster: str) -> Gain:
        """How much better one answers the validation examples than the other."""
        (task,) = self._data.tasks
        labels = self._data.validation[task.name]
        outputs = [self._outputs(each)[task.name] for each in (name, faster)]
        judges = [task.settled(each, labels) for each in outputs]
        own, others = (judge.answers(each) for judge, each in zip(judges, outputs, strict=True))
        return paired_gain(judges[0], own, [others], labels, tasks=judges[1:])

    def _outputs(self, name: str) -> Arrays:
        run = partial(self._results[name].network.run, framework=self._framework)
        examples, inputs = self._data.validation, self._data.inputs
        return in_batches(run, {each.name: examples[each.name] for each in inputs}, inputs)

    def _why(self) -> str:
        metric = self._data.tasks[0].metric
        key = f"validation_{deciding(self._data.tasks)}"
        figures = ", ".join(
            f"{name} {metric.text(self._rows[name][key])} ({result.epochs:.1f} epochs)"
            for name, result in self._results.items()
        )
        others = "".join(f"; {each}" for each in self._unsure)
        return (
            f"{self.winner} won a race of networks, each trained for a tenth of the time, by "
            f"validation {metric.title}: {figures}{others}. --network NAME takes another."
        )
