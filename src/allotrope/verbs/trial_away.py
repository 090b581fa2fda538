"""The training of a trial on another machine: what is sent there, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import allotrope
from allotrope.data.examples import Data, Examples
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import ClusterError, TrainingError, UsageError
from allotrope.progress import Progress
from allotrope.training.loop import Trained, train
from allotrope.training.processes.asked_training import AskedTraining
from allotrope.verbs.pipeline import Plan, TrainedPlan, of_training

SEEN = ("train", "validation")
"""The splits that a training sees."""
Columns = Mapping[str, Mapping[str, np.ndarray]]


def columns_of(data: Data) -> Columns:
    """The columns that a training sees, by split.

    Raises: UsageError for columns that stay on disk, where other machines do not find them.
    """
    names = [*(each.name for each in data.inputs), *(task.name for task in data.tasks)]
    seen = {split: {name: data.splits[split][name] for name in names} for split in SEEN}
    stored = sorted({n for part in seen.values() for n, x in part.items() if _stays(x)})
    if stored:
        raise UsageError(
            f"--cluster sends the data to other machines, and {', '.join(stored)} is so large that "
            "it stays on disk. Leave --cluster out, or start several processes on one --storage."
        )
    return seen


def _stays(column: Any) -> bool:
    return isinstance(column, StoredRows)


def sent(plan: Plan) -> tuple[str, dict[str, Any], list[bytes]]:
    """What decides the training of a plan, but for the examples."""
    asked = AskedTraining(plan.network, plan.data, plan.recipe, plan.settings, plan.framework)
    facts, parts = asked.message()
    facts["has_learned"] = plan.start.has_learned
    return allotrope.__version__, facts, [bytes(part) for part in parts]


def train_there(
    version: str, facts: Mapping[str, Any], parts: Sequence[Any], columns: Columns
) -> dict[str, Any]:
    """On the other machine: what the training gave, or what it could not be made for.

    Raises: ClusterError if that machine has another version.
    """
    if version != allotrope.__version__:
        raise ClusterError(f"a node has allotrope {allotrope.__version__}, and not {version}")
    asked = AskedTraining.of(facts, parts)
    splits = {split: Examples(dict(part)) for split, part in columns.items()}
    data = replace(asked.data, splits=splits)
    try:
        trained = train(
            asked.network,
            data,
            asked.recipe,
            asked.settings,
            asked.framework,
            has_learned=facts["has_learned"],
        )
    except TrainingError as error:
        return {"error": str(error)}
    result = {name: getattr(trained, name) for name in Trained.__dataclass_fields__}
    return {**result, "network": dict(trained.network.weights)}


def came_back(plan: Plan, result: Mapping[str, Any]) -> TrainedPlan:
    """The plan carried out, of what the other machine gave. Raises: TrainingError."""
    if "error" in result:
        raise TrainingError(result["error"])
    weights = result["network"]
    trained = Trained(**{**result, "network": plan.network.with_weights(weights)})
    return of_training(plan, trained, Progress())
