"""What a run records of its data."""

from __future__ import annotations

from typing import Any

from allotrope.data.examples import Data
from allotrope.inputs.image.image import Image
from allotrope.tasks import Classification


def data_facts(data: Data, source: str) -> dict[str, Any]:
    """Sizes, inputs, tasks and what reading found.

    `classes` are there if the only task is a classification, `image` (channels, height, width) if
    the only input is a picture: readers of run.json have always found them there.
    """
    facts: dict[str, Any] = {
        "name": data.name,
        "source": source,
        **{name: len(split) for name, split in data.splits.items()},
    }
    tasks, inputs = data.tasks, data.inputs
    if len(tasks) == 1 and isinstance(tasks[0], Classification):
        facts["classes"] = tasks[0].classes
    if len(inputs) == 1 and isinstance(inputs[0], Image):
        facts["image"] = (inputs[0].channels, inputs[0].height, inputs[0].width)
    return facts | {
        "inputs": [each.facts() for each in inputs],
        "tasks": [task.facts() for task in tasks],
        "summary": data.summary,
    }
