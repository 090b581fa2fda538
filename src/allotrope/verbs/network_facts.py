"""What a run records of its network."""

from __future__ import annotations

from typing import Any

from allotrope.architectures.chosen import Choice
from allotrope.network.summary import multiply_adds, parameters


def network_facts(choice: Choice) -> dict[str, Any]:
    """How the network was built, what it costs and why it was chosen."""
    return {
        "arguments": choice.arguments,
        "weights": parameters(choice.network),
        "multiply_adds": multiply_adds(choice.network),
        "reasons": choice.reasons,
        "has_learned": choice.has_learned,
        "not_trainable": sorted(choice.network.weights.keys() - choice.network.trainable),
        "table": str(choice.network),
    }
