"""The last stages: from a plan to the file that is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.architectures.for_tables import is_table
from allotrope.config import Target
from allotrope.data.examples import Data
from allotrope.data.like_lengths import ordinary
from allotrope.delivery.finished import answering, finished
from allotrope.frameworks.contract import Arrays
from allotrope.inputs.showing import with_examples
from allotrope.measure.candidates import Split, measure_candidates, spread
from allotrope.measure.choice import choose, distinction, nearest_miss
from allotrope.measure.left_in_float import LeavingInFloat
from allotrope.measure.machine import cores
from allotrope.measure.rounds import measurement
from allotrope.network.network import Network
from allotrope.process.group import ProcessGroup
from allotrope.progress import Progress, duration
from allotrope.run_record import TrainingFacts
from allotrope.tasks import Task
from allotrope.tasks.several import deciding, scores
from allotrope.training.checkpoints import resumable
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import Trained, train
from allotrope.training.teach import Teaching
from allotrope.verbs.pipeline.explaining import Explaining
from allotrope.verbs.pipeline.planning import Among, Plan
from allotrope.verbs.pipeline.rivals import (
    Rival,
    joined_by_trees,
    rivals_of,
    trees_in_words,
    with_rivals,
)


@dataclass(frozen=True)
class TrainedPlan:
    """The network with its best weights, and how it came to them; speed in examples a second."""

    plan: Plan
    network: Network
    facts: TrainingFacts
    speed: float
    history: Sequence[Mapping[str, Any]] = ()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it, so that it can go on."""
        return self.facts.stopped == "interrupted"


@dataclass(frozen=True)
class Scored:
    """A trained network on validation and test data, in float32.

    `tasks` have what was chosen on validation data, such as thresholds. `validation` and `test` are
    by task; `files` show the worst mistakes, by name.
    """

    trained: TrainedPlan
    tasks: tuple[Task, ...]
    validation: Mapping[str, dict[str, Any]]
    test: Mapping[str, dict[str, Any]]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A row for each candidate, its file relative to their folder, and how all were measured."""

    scored: Scored
    rows: Sequence[dict[str, Any]]
    measurement: dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """The row that meets the target best, or None and the one that comes nearest.

    `test` is an account of its answers by task, if another network was trained, with `files` by
    name, and `importance` what they rest on, if that was asked.
    """

    measured: Measured
    row: dict[str, Any] | None
    nearest_miss: dict[str, Any] | None
    test: dict[str, dict[str, Any]] | None = None
    importance: dict[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def trained(
    plan: Plan,
    folder: Path | None = None,
    show: Progress | None = None,
    teaching: Teaching | None = None,
    group: ProcessGroup | None = None,
) -> TrainedPlan:
    """The plan carried out; with a `folder` from the newest checkpoint in it, if there is one.

    `teaching` is asked before each step for what to learn from. The processes of a `group` make
    the steps.
    """
    show = show or Progress()
    result = train(
        plan.network,
        plan.data,
        plan.recipe,
        plan.settings,
        plan.framework,
        folder,
        show,
        resume=folder is not None and resumable(folder / "checkpoints"),
        has_learned=plan.start.has_learned,
        teaching=teaching,
        group=group,
    )
    return of_training(plan, result, show)


def of_training(plan: Plan, result: Trained, show: Progress) -> TrainedPlan:
    """The plan carried out, with this result, which is said."""
    show.close()
    how = result.stopped
    if result.examples_per_second:
        how = f"{result.examples_per_second:,.0f} examples/s, {how}"
    show.say(f"trained {result.epochs:.1f} epochs in {duration(result.seconds)} ({how})")
    if result.best["step"] == 0:
        show.say(_as_it_came(plan.data.tasks, result))
    facts = TrainingFacts(
        result.epochs, result.steps, result.best["epoch"], result.stopped, result.seconds
    )
    network = plan.start.whole(result.network)
    return TrainedPlan(plan, network, facts, result.examples_per_second, result.history)


def _as_it_came(tasks: Sequence[Task], result: Trained) -> str:
    metric = tasks[0].metric.text(result.best[f"validation_{deciding(tasks)}"])
    return (
        f"No epoch was better on the validation data than the network as it came ({metric}), so "
        "its "
        "weights are kept as they were. Try --epochs, --budget or another --learning-rate."
    )


def scored(trained: TrainedPlan, show: Progress | None = None, explained: bool = False) -> Scored:
    """The trained network on validation and test data, in float32.

    With what spoke for some of its answers, if they are to be `explained`.
    """
    data = trained.plan.data
    raw = {split: outputs(trained, split) for split in ("validation", "test")}
    labels = {split: data.splits[split].columns for split in raw}
    tasks = tuple(
        task.settled(raw["validation"][task.name], labels["validation"][task.name])
        for task in trained.plan.tasks
    )
    validation = scores(tasks, raw["validation"], labels["validation"])
    accounts = {
        task.name: task.account(raw["test"][task.name], labels["test"][task.name]) for task in tasks
    }
    test, files = with_examples(accounts, data.inputs, data.test)
    show = show or Progress()
    for task in tasks:
        show.say(_said(task, validation[task.name], test[task.name], len(tasks)))
        for line in task.remarks(accounts[task.name]):
            show.say(line)
    if explained:
        explaining = Explaining(trained.network, data, trained.plan.framework)
        explanations = explaining.of(tasks, raw["test"])
        files |= explanations.files
        for name, facts in explanations.facts.items():
            test[name]["saliency"] = facts
        for line in explanations.remarks():
            show.say(line)
    return Scored(trained, tasks, validation, test, files)


def outputs(
    trained: TrainedPlan, split: str, change: Callable[[Arrays], Arrays] = dict
) -> dict[str, np.ndarray]:
    """The raw outputs for a split by name, of inputs that are changed before they are asked."""
    run = partial(trained.network.run, framework=trained.plan.framework)
    data = trained.plan.data
    return in_batches(lambda inputs: run(change(inputs)), data.taken(split), data.inputs)


def _said(task: Task, validation: Mapping[str, Any], test: Mapping[str, Any], count: int) -> str:
    metric = task.metric
    named = count > 1 or metric.relative  # an error says little without what it is of
    title = f"{metric.title} of {task.name}" if named else metric.title
    before, after = (task.metric_text(each[metric.name]) for each in (validation, test))
    return f"validation {title} {before}, test {title} {after}"


def measured(
    scored: Scored,
    folder: Path,
    target: Target,
    threads: int | None = None,
    among: Among | None = None,
    show: Progress | None = None,
    beside_trees: bool = True,
    others: Sequence[Rival] = (),
) -> Measured:
    """The trained network, from raw examples to answers, in every precision and runtime.

    Their files are made in `folder`, where processes of their own open them. Training examples
    calibrate int8. Of a table, boosted trees are candidates too, unless it is about this network,
    and so are `others`.
    """
    data, task, show = scored.trained.plan.data, scored.tasks[0], show or Progress()
    among = among or Among()
    network = finished(scored.trained.network, data.inputs, scored.tasks)
    rivals = [*(_rivals(scored, threads) if beside_trees else []), *others]
    rivals += joined_by_trees(rivals, data)
    rows = measure_candidates(
        network,
        data.taken("train"),
        {split: judging(data, split, task, rivals) for split in ("validation", "test")},
        folder,
        target,
        task.metric,
        threads,
        show.say,
        with_rivals(among.candidates, rivals),
        leaving_in_float(data, task, target),
        among.turns,
        answering(network, data.inputs),
    )
    for line in trees_in_words(rows, task):
        show.say(line)
    return Measured(scored, rows, measurement(threads or cores(), among.turns))


def _rivals(scored: Scored, threads: int | None) -> list[Rival]:
    trained = scored.trained
    data, seed = trained.plan.data, trained.plan.recipe.seed
    if not is_table(data):
        return []
    validation = outputs(trained, "validation")
    return rivals_of(trained.network, data, scored.tasks, validation, seed, threads)


def judging(data: Data, split: str, task: Task, rivals: Sequence[Rival] = ()) -> Split:
    """The split with what answers to it are worth, and else say, to the task that decides.

    Those of rivals are judged by the task as it was settled for them.
    """
    labels = data.splits[split][task.name]
    of_forms = {rival.form: judging(data, split, rival.tasks[0]) for rival in rivals}
    return Split(
        data.taken(split),
        lambda answers: task.answered(answers[task.name], labels),
        lambda answers: task.figures(answers[task.name], labels),
        of_forms,
        partial(ordinary, data.inputs),
    )


def leaving_in_float(
    data: Data, task: Task, target: Target, beside: Sequence[Mapping[str, Any]] = ()
) -> LeavingInFloat:
    """What leaves layers in float if int8 loses too much; training examples say which.

    `beside` are rows of before, if a drop is counted from one of these.
    """

    def examples(count: int) -> Split:
        rows = spread(len(data.train), count)
        labels = data.train[task.name][rows]
        inputs = {name: column[rows] for name, column in data.taken("train").items()}
        return Split(inputs, lambda answers: task.answered(answers[task.name], labels))

    return LeavingInFloat(target, task.metric, examples, beside)


def delivered(measured: Measured, target: Target) -> Delivered:
    """The fastest candidate that meets the target; if none does, the nearest miss."""
    metric = measured.scored.tasks[0].metric
    row = choose(measured.rows, target, metric)
    if row is None:
        return Delivered(measured, None, nearest_miss(measured.rows, target, metric))
    best = distinction(row, measured.rows, target, metric)
    return Delivered(measured, {**row, "best": best}, None)
