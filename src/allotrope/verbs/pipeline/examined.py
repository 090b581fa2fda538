"""The file to deliver is asked again, for the report: what it answers, and what that rests on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.delivery.finished import Columns, columns_in
from allotrope.inputs.contract import Input
from allotrope.inputs.showing import with_examples
from allotrope.measure.choice import CALLED
from allotrope.measure.file_answers import FileAnswers
from allotrope.measure.importance import (
    Importance,
    Judgement,
    PartImportance,
    dependence,
    importance,
)
from allotrope.process.worker import WorkerError
from allotrope.progress import Progress
from allotrope.tasks import Task, task_of
from allotrope.verbs.pipeline.outcome import Delivered
from allotrope.wording import significant

SPLIT = "validation"
"""Users leave columns out by it: such a choice may not use test data."""
CURVES = 3
"""Of so many quantities partial dependence is shown."""
SAID = 5


def examined(
    delivered: Delivered,
    folder: Path,
    threads: int | None = None,
    explained: bool = True,
    show: Progress | None = None,
) -> Delivered:
    """With an account of its answers to test data, if it is another network than was trained.

    And with what its answers rest on, if that is to be `explained` and examples consist of several
    parts. Both are asked of the file that is delivered, or comes nearest to it.
    """
    row = delivered.row or delivered.nearest_miss
    data = delivered.measured.scored.trained.plan.data
    parted = explained and sum(len(each.parts) for each in data.inputs) > 1
    show = show or Progress()
    if row is None or not (parted or _is_rival(row)):
        return delivered
    try:
        with FileAnswers(row, folder, threads) as answers:
            if _is_rival(row):
                test, files = _account(data, columns_in(folder / row["file"]), answers)
                delivered = replace(delivered, test=test, files=files)
            return _with_importance(delivered, answers, show) if parted else delivered
    except WorkerError as error:
        show.say(f"the file to deliver could not be asked for the report: {error}")
        return delivered


def _is_rival(row: Mapping[str, Any]) -> bool:
    return row.get("form", "") in CALLED


def _account(
    data: Data, columns: Columns, answers: FileAnswers
) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """What the report shows of answers to test data, by task as the file has it settled.

    And the files of what it shows, by name.
    """
    output = answers(data.taken("test"))
    accounts = {}
    for task in map(task_of, columns["tasks"]):
        raw = task.raw(output[task.name])
        accounts[task.name] = task.account(raw, data.test[task.name])
    return with_examples(accounts, data.inputs, data.test, "delivered")


def _with_importance(delivered: Delivered, answers: FileAnswers, show: Progress) -> Delivered:
    began = time.perf_counter()
    facts = _facts(delivered, answers)
    if facts is None:
        return delivered
    task = delivered.measured.scored.tasks[0]
    show.say(remark(task, facts, time.perf_counter() - began))
    return replace(delivered, importance=facts)


def _facts(delivered: Delivered, answers: FileAnswers) -> dict[str, Any] | None:
    """What run.json says of it."""
    plan, task = delivered.measured.scored.trained.plan, delivered.measured.scored.tasks[0]
    inputs, columns = plan.data.inputs, plan.data.taken(SPLIT)
    labels = plan.data.splits[SPLIT][task.name]

    def worth(asked: Mapping[str, np.ndarray], rows: np.ndarray) -> float:
        return task.answered(answers(asked)[task.name], labels[rows])

    result = importance(Judgement(inputs, worth, task.metric), columns, plan.recipe.seed)
    if result is None:
        return None
    return {
        "task": task.name,
        "metric": task.metric.name,
        "split": SPLIT,
        "whole": result.whole,
        "rows": result.rows,
        "of_rows": len(plan.data.splits[SPLIT]),
        "shuffles": max(len(each.worse) for each in result.parts),
        "left_out": list(result.left_out),
        "columns": [_of_part(each) for each in result.parts],
        "curves": _curves(task, inputs, columns, result, answers),
    }


def _of_part(each: PartImportance) -> dict[str, Any]:
    return {
        "name": each.part,
        "input": each.input,
        "worse": each.mean,
        "deviation": each.deviation,
    }


def _curves(
    task: Task,
    inputs: Sequence[Input],
    columns: Mapping[str, np.ndarray],
    counting: Importance,
    answers: FileAnswers,
) -> list[dict[str, Any]]:
    """Partial dependence of the quantities that count most, of an answer that is one number."""
    level = task.level
    if not level:
        return []
    by_name = {each.name: each for each in inputs}
    quantities = [each for each in counting.parts if each.part in by_name[each.input].quantities]

    def number(asked: Mapping[str, np.ndarray]) -> np.ndarray:
        return answers(asked)[task.name][:, -1]

    curves = []
    for each in quantities[:CURVES]:
        curve = dependence(number, columns, by_name[each.input], each.part)
        curves.append({"name": each.part, "answer": level, "points": curve})
    return curves


def remark(task: Task, facts: Mapping[str, Any], seconds: float) -> str:
    """The columns that count most, and how that was found, in a line."""
    metric, rows, shuffles = task.metric, facts["rows"], facts["shuffles"]
    named = ", ".join(f"{each['name']} {_by(task, each)}" for each in facts["columns"][:SAID])
    others = len(facts["columns"]) - SAID
    more = f" and {others} more" if others > 0 else ""
    of_rows = f" of {facts['of_rows']:,}" if rows < facts["of_rows"] else ""
    cut = f"; {len(facts['left_out']):,} columns were not reached" if facts["left_out"] else ""
    return (
        f"what answers rest on, by how much {metric.title} worsens if a column is shuffled in "
        f"{rows:,}{of_rows} {facts['split']} rows (mean of {shuffles} ± their deviation): "
        f"{named}{more}{cut}; it took {seconds:.1f} s, --no-saliency leaves it out"
    )


def _by(task: Task, column: Mapping[str, Any]) -> str:
    worse, deviation = column["worse"], column["deviation"]
    if task.metric.percent:
        return f"{100 * worse:.2f} ± {100 * deviation:.2f} points"
    return f"{significant(worse, 3)} ± {significant(deviation, 2)}"
