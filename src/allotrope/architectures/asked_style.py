"""What was asked for of a network's layers: activation, normalization, dropout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from allotrope.config import Recipe
from allotrope.errors import UsageError

OF_LAYERS = ("activation", "normalization", "dropout")
"""Fields of a recipe that are arguments of networks of the zoo."""


def style_of(recipe: Recipe | Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a network that were asked for, by name."""
    asked = recipe if isinstance(recipe, Mapping) else vars(recipe)
    return {name: asked[name] for name in OF_LAYERS if asked.get(name) is not None}


def style_for(build: Callable[..., Any] | None, recipe: Recipe) -> dict[str, Any]:
    """What was asked for, as arguments of this network; None stands for several, each by itself.

    Raises: UsageError that lists what it does not take, and what it does.
    """
    if build is None:
        return style_of(recipe)
    known = inspect.signature(build).parameters
    rest = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
    taken = [name for name in OF_LAYERS if rest or name in known]
    return checked_style(build.__name__, taken, style_of(recipe))


def checked_style(network: str, taken: list[str], style: dict[str, Any]) -> dict[str, Any]:
    """The style, if this network takes all of it.

    Raises: UsageError that lists what it does not take, and what it does.
    """
    lacking = [name for name in style if name not in taken]
    if lacking:
        known = ", ".join(taken) or "none of " + ", ".join(OF_LAYERS)
        raise UsageError(
            f"network '{network}' takes no {' and no '.join(lacking)}. It takes {known}. Leave it "
            "out, or take another network."
        )
    return style
