"""What was chosen: a network, its recipe, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allotrope.config import Recipe
from allotrope.network.network import Network


@dataclass(frozen=True)
class Choice:
    """The network to train, as `name` and `arguments` built it, the recipe, and why.

    It takes raw inputs and gives a raw output for each task. One that `has_learned` is a solved
    model before its first step.
    """

    name: str
    arguments: dict[str, Any]
    network: Network
    recipe: Recipe
    reasons: list[str]
    has_learned: bool = False
