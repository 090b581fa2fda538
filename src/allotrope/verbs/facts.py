"""What a run records of its data and its network."""

from __future__ import annotations

from typing import Any

from allotrope.architectures.choose import Choice
from allotrope.data.examples import SPLITS, Data
from allotrope.network.summary import multiply_adds, parameters
from allotrope.run_record import with_columns


def data_facts(data: Data, source: str) -> dict[str, Any]:
    """Sizes, classes and what reading found."""
    return with_columns(
        {
            "name": data.name,
            "source": source,
            **{name: len(data.splits[name]) for name in SPLITS},
            "classes": data.classes,
            "image": data.image,
            "summary": data.summary,
        }
    )


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
