"""Tasks: what a network predicts, one file a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allotrope.network.columns import of_facts
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
    task = of_facts(facts, KINDS, "task", frozenset({"metric"}))
    if "metric" not in facts:
        return task
    return task.decided_by(facts["metric"])


__all__ = ["KINDS", "Classification", "Metric", "MultiLabel", "Regression", "Task", "task_of"]
