"""What a trained network's answers are worth, task by task: for the record, the report and the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from allotrope.data.examples import Data, Examples
from allotrope.inputs.seen import seen
from allotrope.network.network import Network
from allotrope.tasks import Task
from allotrope.tasks.several import is_classification
from allotrope.training.evaluate import in_batches

Answers = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Judgement:
    """The scores on validation data and the account of test data, of one task, or of each by its name.

    `tasks` know what was settled on validation data. `files` show the worst answers, by name.
    """

    tasks: tuple[Task, ...]
    validation: dict[str, Any]
    test: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The metric of each task, in words."""
        several = len(self.tasks) > 1
        parts = (self.validation, self.test)
        return [_line(task, [each.get(task.name, each) for each in parts], several) for task in self.tasks]


def judged(network: Network, data: Data, tasks: Sequence[Task], framework: str) -> Judgement:
    """The network on validation and test data, in a framework; `tasks` know their recipe."""
    run = partial(network.run, framework=framework)
    validation = in_batches(run, data.taken("validation"))
    test = in_batches(run, data.taken("test"))
    labels = data.validation.columns
    settled = tuple(
        task.settled(validation[task.name], labels[task.name]) for task in tasks
    )
    scores = {t.name: t.scores(validation[t.name], labels[t.name]) for t in settled}
    accounts = {t.name: t.account(test[t.name], data.test[t.name]) for t in settled}
    files: dict[str, bytes] = {}
    for number, account in enumerate(accounts.values()):
        prefix = "mistake" if len(settled) == 1 else f"task-{number}"
        _show(account, data, prefix, files)
    if is_classification(settled):
        name = settled[0].name
        return Judgement(settled, scores[name], accounts[name], files)
    return Judgement(settled, scores, accounts, files)


def answered(task: Task, split: Examples) -> Callable[[Answers], float]:
    """What delivered answers to a split are worth, by the metric of the task that decides."""
    labels = split[task.name]
    return lambda answers: task.answered(answers[task.name], labels)


def _line(task: Task, accounts: Sequence[Mapping[str, Any]], several: bool) -> str:
    metric = task.metric
    title = f"{metric.title} of {task.name}" if several else metric.title
    values = (metric.text(each[metric.name]) for each in accounts)
    return "validation {0} {1}, test {0} {2}".format(title, *values)


def _show(account: dict[str, Any], data: Data, prefix: str, files: dict[str, bytes]) -> None:
    """Each of the worst answers with where it is from and what there is to see, partly in `files`."""
    rows = [row for rows in _worst(account) for row in rows]
    for number, row in enumerate(rows):
        if data.test.origin is not None:
            row["file"] = data.test.origin[row["index"]]
        example, stem = seen(data.inputs, data.test.columns, row["index"]), f"{prefix}-{number:02}"
        row |= example.facts(stem)
        if example.file is not None:
            files[example.path(stem)] = example.file


def _worst(account: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The lists of worst answers of an account, those of its parts too."""
    for name in ("mistakes", "worst"):
        if name in account:
            yield account[name]
    for part in account.get("parts", {}).values():
        yield from _worst(part)

