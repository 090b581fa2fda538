"""Tasks: what a network predicts, one file a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from allotrope.errors import DataError, unknown_name
from allotrope.tasks.classification import Classification
from allotrope.tasks.contract import Task
from allotrope.tasks.metric import Metric
from allotrope.tasks.multilabel import MultiLabel
from allotrope.tasks.regression import Regression

KINDS: Mapping[str, type[Task]] = {
    kind.kind: kind for kind in (Classification, MultiLabel, Regression)
}


def task_of(facts: Mapping[str, Any]) -> Task:
    """The task that `facts` says, as run.json and a delivered file's metadata have it.

    Raises: UsageError for an unknown kind or metric, DataError for facts that do not fit the kind.
    """
    if facts.get("kind") not in KINDS:
        raise unknown_name("kind of task", str(facts.get("kind")), KINDS)
    kind = KINDS[facts["kind"]]
    known = {each.name for each in fields(kind)} - {"metric"}
    values = {name: _frozen(value) for name, value in facts.items() if name in known}
    try:
        task = kind(**values)
    except TypeError as error:
        raise DataError(
            f"'{facts.get('name')}' is no {kind.kind} as it stands: {error}."
        ) from error
    if "metric" not in facts:
        return task
    return task.decided_by(facts["metric"])


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    return value


__all__ = ["KINDS", "Classification", "Metric", "MultiLabel", "Regression", "Task", "task_of"]
