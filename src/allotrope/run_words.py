"""The words of run.json for examples and for what decides.

Inside, a speed is in examples a second, and what decides is a metric. Run.json calls examples
images, and the metric of a single classification accuracy, because it always has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SPEED = "images_per_second"

_EXAMPLES = {"examples_per_second": SPEED}
_ACCURACY = {
    "validation_metric": "validation_accuracy",
    "test_metric": "test_accuracy",
    "seconds_to_metric": "seconds_to_accuracy",
    "metric_goal": "accuracy_goal",
}
_INSIDE = {word: name for name, word in (_EXAMPLES | _ACCURACY).items()}


_OLD_STATE = {
    "images": "examples",
    "images_before": "examples_before",
    SPEED: "examples_per_second",
}
"""What checkpoints call examples that were written before there were other inputs than images."""


def _is_accuracy(data: Mapping[str, Any]) -> bool:
    """Whether the one task of run.json's `data` is a classification that its accuracy decides."""
    tasks = data.get("tasks", [])
    named = [(task.get("kind"), task.get("metric")) for task in tasks]
    return named == [("classification", "accuracy")]


def written(value: Any, data: Mapping[str, Any]) -> Any:
    """Rows, and rows inside of rows, with the keys of a run.json of this `data`."""
    return _renamed(value, _EXAMPLES | _ACCURACY if _is_accuracy(data) else _EXAMPLES)


def spellings(word: str) -> tuple[str, ...]:
    """The keys that run.json may have for a word that is used inside."""
    return word, (_EXAMPLES | _ACCURACY)[word]


def inside(value: Any) -> Any:
    """Rows of run.json with the keys that are used inside, whatever the metric."""
    return _renamed(value, _INSIDE)


def in_examples(value: Any) -> Any:
    """The state of a training, as a checkpoint of any version has it, in the words of this one."""
    return _renamed(value, _OLD_STATE)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(part, names) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renamed(part, names) for part in value]
    return value


def accounts(values: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What is known by task as run.json has it: of a single classification without its name."""
    return dict(next(iter(values.values())) if "classes" in data else values)


def by_task(values: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json has of tasks, by their names."""
    return {data["tasks"][0]["name"]: values} if "classes" in data else dict(values)
