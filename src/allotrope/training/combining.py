"""How the answers of members become one answer, chosen on validation data alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Labels
from allotrope.tasks.means import labelled
from allotrope.training.greedy_selection import greedy_shares, mean_of, standing
from allotrope.training.paired_gain import paired_gain
from allotrope.training.stacking import stacked_shares

AVERAGE, GREEDY, STACKING, VOTE = "average", "greedy", "stacking", "vote"
FEWEST = 40
"""With fewer labelled validation examples nothing is chosen by them."""
Weighing = Callable[[Task, Sequence[Answers], Labels], tuple[float, ...]]
"""What each member counts in the mean of a task's answers, by examples with labels."""


def plain_shares(task: Task, members: Sequence[Answers], labels: Labels) -> tuple[float, ...]:
    """All members alike."""
    return (1 / len(members),) * len(members)


WAYS: Mapping[str, Weighing] = {
    AVERAGE: plain_shares,
    GREEDY: greedy_shares,
    STACKING: stacked_shares,
    VOTE: plain_shares,
}
"""The ways to combine, the plainest first. A vote is a mean of votes."""


@dataclass(frozen=True)
class Combination:
    """What each member counts for each task, and the `way` by which that was found.

    `tried` are the ways with what they are worth on validation examples that they did not see.
    """

    way: str
    tasks: tuple[Task, ...]
    shares: Mapping[str, tuple[float, ...]]
    tried: Sequence[dict[str, Any]] = field(default_factory=tuple)

    @property
    def votes(self) -> bool:
        """Whether each member gives all of its share to one answer."""
        return self.way == VOTE

    def answers(self, members: Sequence[Mapping[str, Answers]]) -> dict[str, Answers]:
        """The mean answers by task."""
        return {
            task.name: _mean(task, [each[task.name] for each in members], self.way, self.shares)
            for task in self.tasks
        }

    @property
    def used(self) -> list[int]:
        """The places of members that count for some task."""
        together = np.sum(list(self.shares.values()), axis=0)
        return [int(place) for place in np.flatnonzero(together)]


def combined(
    tasks: Sequence[Task],
    members: Sequence[Mapping[str, Answers]],
    labels: Mapping[str, Labels],
    asked: str | None = None,
) -> Combination:
    """The way that is asked for; else the one that is clearly better than the plain mean.

    Each way is judged on one half of the validation examples by what it makes of the other half:
    shares fit the examples that they are chosen on better than any others. `tasks` are those of
    the data, the one that decides first.
    """
    first = tasks[0]
    own, truth = [answers[first.name] for answers in members], labels[first.name]
    tried: list[dict[str, Any]] = []
    if labelled(truth) >= FEWEST and len(members) > 1:
        tried = _tried(first, own, truth)
    way = asked or next((each["way"] for each in tried if each["chosen"]), AVERAGE)
    shares = {
        task.name: WAYS[way](task, [answers[task.name] for answers in members], labels[task.name])
        for task in tasks
    }
    return Combination(way, tuple(tasks), shares, tuple(tried))


def _mean(
    task: Task,
    members: Sequence[Answers],
    way: str,
    shares: Mapping[str, Sequence[float]],
) -> Answers:
    if way == VOTE:
        members = [task.voted(each) for each in members]
    return mean_of(members, shares[task.name])


def _tried(task: Task, members: Sequence[Answers], labels: Labels) -> list[dict[str, Any]]:
    """A row for each way, one of them the `chosen` one."""
    plain = mean_of(members, plain_shares(task, members, labels))
    least = -standing(task, plain, labels)[1]
    rows: list[dict[str, Any]] = []
    best, most = AVERAGE, 0.0
    for way in WAYS:
        # Of quantities there is no vote: it would be the plain mean again.
        if way == VOTE and task.ballot is None:
            continue
        answers = _across_halves(task, members, labels, way)
        gain = paired_gain(task, answers, [plain], labels)
        loss = -standing(task, answers, labels)[1]
        value = task.answered(answers, labels)
        rows.append({"way": way, "validation_metric": value, "loss": loss, **asdict(gain)})
        # One that is better by what chance gives is not better, nor one that is sure of what is
        # wrong: answers are probabilities too.
        if gain.is_sure and gain.points > most and loss <= least:
            best, most = way, gain.points
    return [{**row, "chosen": row["way"] == best} for row in rows]


def _across_halves(task: Task, members: Sequence[Answers], labels: Labels, way: str) -> Answers:
    """The combined answers to each half by the shares that suit the other."""
    answers = np.empty_like(members[0], dtype=np.float64)
    halves = [np.arange(start, len(labels), 2) for start in (0, 1)]
    # Every second example: what is sorted by the answer is not cut apart.
    for seen, judged in (halves, halves[::-1]):
        shares = {task.name: WAYS[way](task, [each[seen] for each in members], labels[seen])}
        answers[judged] = _mean(task, [each[judged] for each in members], way, shares)
    return answers
