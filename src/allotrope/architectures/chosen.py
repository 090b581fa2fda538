"""What was chosen: a network, its recipe, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.tasks import Task
from allotrope.tasks.embedding_head import with_embedding
from allotrope.tasks.embedding_losses import EMBEDDING_LOSSES
from allotrope.tasks.several import LEARNED
from allotrope.tasks.uncertainty import with_log_variances


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


def with_task_weights(
    network: Network, recipe: Recipe, tasks: Sequence[Task], reasons: list[str]
) -> Network:
    """The network with what its losses learn beside it, if the recipe asks for that.

    Weights for what each of several tasks counts, an embedding of a classification.

    Raises: UsageError if an embedding does not fit.
    """
    asked = [loss for loss in recipe.loss.split(",") if loss in EMBEDDING_LOSSES]
    if asked:
        network = _embedded(network, asked[0], tasks, recipe.seed)
        reasons.append(f"Beside cross-entropy {asked[0]} is minimized, of an embedding.")
    if recipe.task_weights != LEARNED or len(tasks) < 2:
        return network
    reasons.append("What each task counts is learned, by its uncertainty.")
    return with_log_variances(network, len(tasks))


def _embedded(network: Network, loss: str, tasks: Sequence[Task], seed: int) -> Network:
    if [task.kind for task in tasks] != ["classification"]:
        listed = ", ".join(f"'{task.name}' ({task.kind})" for task in tasks)
        raise UsageError(
            f"loss {loss} is for one classification alone, and there is {listed}. Take another."
        )
    return with_embedding(network, tasks[0].name, tasks[0].size, loss, seed)


def asked_for(overrides: Mapping[str, Any]) -> list[str]:
    """A reason that lists what of the recipe was asked for; none if nothing was."""
    if not overrides:
        return []
    listed = ", ".join(f"{name} = {value}" for name, value in overrides.items())
    return [f"Asked for: {listed}."]


def losses_of(tasks: Sequence[Task]) -> str:
    """The losses of the tasks, each once, as a recipe names them."""
    return ",".join(dict.fromkeys(task.minimized for task in tasks))
