"""The networks and recipes of `tune`: the default, and what settings make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from allotrope.architectures.choose import choose
from allotrope.architectures.chosen import Choice
from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.tuning.network_sizes import sized
from allotrope.tuning.tried_recipe import SIZES, tried_recipe
from allotrope.verbs.network_file import Tuning
from allotrope.verbs.pipeline.planning import Plan, Start, start_of

CACHED = 4
"""Networks that are kept in memory: the same size is tried again and again."""
OF_THE_NETWORK = (
    *("activation", "normalization", "dropout", "task_weights"),
    *("loss", "class_weights", "flip"),
)
"""Fields of the recipe by which a network is built or begins; flip saves finding it out again."""


@dataclass(frozen=True)
class Base:
    """What trials vary: the default network by name and arguments, its recipe, the settings."""

    network: str
    arguments: Mapping[str, Any]
    recipe: Recipe
    framework: str
    settings: Settings
    race: dict[str, Any]
    members: int = 1


class TunedNetworks:
    """Makes the plan of a trial; `tuning` is the network of a file, which has one size."""

    def __init__(self, base: Base, data: Data, tuning: Tuning | None) -> None:
        """Nothing is built yet."""
        self.base, self.data, self.tuning = base, data, tuning
        self._built: dict[str, Start] = {}

    def size_of(self, chosen: Mapping[str, Any]) -> str:
        """What tells sizes apart, as text."""
        return ",".join(f"{name}={chosen[name]}" for name in SIZES if name in chosen) or "as it is"

    def plan(self, chosen: Mapping[str, Any], seed: int, length: Mapping[str, Any]) -> Plan:
        """The training of these settings; `length` are the budget and epochs of its recipe."""
        recipe = tried_recipe(self.base.recipe, chosen, len(self.data.train))
        recipe = replace(recipe, seed=seed, **length)
        start = replace(self._start(chosen, seed), recipe=recipe)
        base = self.base
        return Plan(self.data, start, recipe, base.framework, base.settings, base.race)

    def _start(self, chosen: Mapping[str, Any], seed: int) -> Start:
        key = f"{self.size_of(chosen)} {seed}"
        if key not in self._built:
            # The oldest goes: finals go through all entrants, a seed after the other.
            if len(self._built) >= CACHED:
                self._built.pop(next(iter(self._built)))
            self._built[key] = self._build(chosen, seed)
        return self._built[key]

    def _build(self, chosen: Mapping[str, Any], seed: int) -> Start:
        base, tuning = self.base, self.tuning
        if tuning is not None:
            name, notes = tuning.source.file.stem, tuning.notes
            return start_of(Choice(name, {}, tuning.ready.learning, base.recipe, notes), tuning)
        size = {name: chosen[name] for name in SIZES if name in chosen}
        name, shape = sized(base.network, base.arguments, **size)
        recipe = {field: getattr(base.recipe, field) for field in OF_THE_NETWORK}
        recipe = {field: value for field, value in recipe.items() if value is not None}
        how: dict[str, Any] = {"seed": seed, "members": base.members, "arguments": shape}
        return start_of(choose(self.data, name, recipe, epochs=1.0, **how))


def base_of(
    start: Start, framework: str, settings: Settings, race: dict[str, Any], members: int
) -> Base:
    """The default as trials vary it."""
    arguments = {
        name: value for name, value in start.details["arguments"].items() if name != "seed"
    }
    return Base(start.name, arguments, start.recipe, framework, settings, race, members)
