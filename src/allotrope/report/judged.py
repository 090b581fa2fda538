"""By what each task of a run is judged, as the report writes it: name, sense and unit."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.report.formatting import MISSING, percent, points, shortened, significant
from allotrope.report.record import Record
from allotrope.run_words import spellings
from allotrope.tasks import KINDS
from allotrope.tasks.metric import ACCURACY, Metric
from allotrope.wording import example_noun, plural

IMAGE = "image"
LONGEST_NAME = 30


@dataclass(frozen=True)
class Judged:
    """A task and its metric; `beside`: there are other tasks, so that this one must be named.

    `noun` is what one of the examples is called that it is judged by.
    """

    metric: Metric = ACCURACY
    task: str = ""
    unit: str = ""
    beside: bool = False
    noun: str = IMAGE

    @property
    def nouns(self) -> str:
        """What its examples are called."""
        return plural(self.noun)

    @property
    def plain(self) -> bool:
        """Whether it is the accuracy of the only task, of which can be said how many are right."""
        return self.metric == ACCURACY and not self.beside

    @property
    def title(self) -> str:
        """`accuracy`, or `RMSE of age` beside other tasks."""
        if self.beside:
            return f"{self.metric.title} of {shortened(self.task, LONGEST_NAME)}"
        return self.metric.title

    @property
    def sense(self) -> str:
        """Which values are better, in words."""
        if self.metric.higher_is_better:
            return "higher is better"
        return "lower is better"

    @property
    def worsening(self) -> str:
        """What a change for the worse is called."""
        if self.metric.higher_is_better:
            return "a drop"
        return "a rise"

    @property
    def best(self) -> str:
        """What the best by it is called."""
        if self.plain:
            return "most accurate"
        return f"best by {self.title}"

    @property
    def factor(self) -> float:
        """By how much an axis multiplies values."""
        if self.metric.percent:
            return 100.0
        return 1.0

    @property
    def axis(self) -> str:
        """The title of an axis."""
        return ", ".join(filter(None, (self.title, "%" * self.metric.percent or self._unit)))

    @property
    def points(self) -> str:
        """In what a change is counted."""
        if self.metric.relative:
            return "%"
        return "points"

    @property
    def column(self) -> str:
        """Its name in the history, behind that of the split."""
        if self.beside:
            return f"{self.task}_{self.metric.name}"
        return self.metric.name

    @property
    def _unit(self) -> str:
        """The unit of its values: an error has that of the labels, R² has none."""
        return shortened(self.unit, LONGEST_NAME) * self.metric.relative

    def text(self, value: float | None) -> str:
        """`97.20 %`, `0.9312`, `3.410 days`."""
        if value is None:
            return MISSING
        return f"{self.number(value)} {self._unit}".rstrip()

    def number(self, value: float | None) -> str:
        """The same without the unit of the labels, for a table that says it once."""
        if value is None:
            return MISSING
        if self.metric.percent:
            return percent(value)
        if self.metric.relative:
            return significant(value, 4)
        return self.metric.text(value)

    def change(self, drop: float | None) -> str:
        """A drop as the change of the value, with its sign: `−0.69`; of an error that rose `+1`."""
        if drop is None:
            return MISSING
        if self.metric.higher_is_better:
            drop = -drop
        return points(drop / 100)

    def allowed(self, drop: float) -> str:
        """What a target lets pass."""
        if self.metric.higher_is_better:
            return f"lose at most {drop:g} {self.points} of validation {self.title}"
        return f"at most {drop:g} {self.points} more validation {self.title}"

    def account(self, run: Record, split: str) -> Record:
        """What is known of the task on a split; one classification alone has it without a name."""
        return run.record(split, self.task) or run.record(split)

    def value(self, run: Record, split: str) -> float | None:
        """The metric of the trained network on a split."""
        return self.account(run, split).number(self.metric.name)


def judged(run: Record) -> list[Judged]:
    """All tasks of a run, the one that decides in front; one by its accuracy if none is known."""
    tasks = run.records("data", "tasks")
    noun, beside = _noun(run), len(tasks) > 1
    return [
        Judged(_metric(task), task.text("name"), task.text("unit"), beside, noun) for task in tasks
    ] or [Judged(noun=noun)]


def _noun(run: Record) -> str:
    """What an example is called; an image if the record does not say what they are."""
    kinds = [each.text("kind") for each in run.records("data", "inputs")]
    return example_noun(kinds or [IMAGE])


def figure(row: Record, word: str, *path: str) -> float | None:
    """A number of a row by the word that is used inside, whatever run.json calls it."""
    numbers = (row.number(key, *path) for key in spellings(word))
    return next((number for number in numbers if number is not None), None)


def _metric(task: Record) -> Metric:
    """The metric of a task; one that this version does not know is the usual one of its kind."""
    kind = KINDS.get(task.text("kind"))
    if kind is None:
        return ACCURACY
    known = {metric.name: metric for metric in kind.metrics}
    return known.get(task.text("metric"), kind.metrics[0])
