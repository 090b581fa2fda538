"""What a run records of its data and its network."""

from __future__ import annotations

from typing import Any

from allotrope.architectures.choose import Choice
from allotrope.data.examples import SPLITS, Data
from allotrope.network.summary import multiply_adds, parameters
from allotrope.tasks.several import is_classification


def data_facts(data: Data, source: str) -> dict[str, Any]:
    """Sizes, inputs, tasks and what reading found.

    `classes` and `image` stand apart if they are of the one task and the one input.
    """
    facts: dict[str, Any] = {"name": data.name, "source": source}
    facts |= {name: len(data.splits[name]) for name in SPLITS}
    if is_classification(data.tasks):
        facts["classes"] = data.classes
    if [each.kind for each in data.inputs] == ["image"]:
        facts["image"] = data.image
    inputs, tasks = ([each.facts() for each in part] for part in (data.inputs, data.tasks))
    return {**facts, "summary": data.summary, "inputs": inputs, "tasks": tasks}


def network_facts(choice: Choice) -> dict[str, Any]:
    """How the network was built, what it costs and why it was chosen."""
    return {
        "arguments": choice.arguments,
        "weights": parameters(choice.network),
        "multiply_adds": multiply_adds(choice.network),
        "reasons": choice.reasons,
        "not_trainable": sorted(choice.network.weights.keys() - choice.network.trainable),
        "table": str(choice.network),
    }
