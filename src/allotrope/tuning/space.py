"""The space that `tune` searches, as data: what may be set, between which values, for which data.

Learning rate, decay, batch and width are factors of what the default recipe has, so that one space
suits every kind of data, and what was found holds for other lengths of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from allotrope.config import AUGMENTATIONS, Recipe
from allotrope.data.examples import Data
from allotrope.tuning.network_sizes import can_widen, depths

Chosen = Mapping[str, Any]
"""A value for each setting, by its name."""


@dataclass(frozen=True)
class Setting:
    """Something that a trial may set: one of `choices`, or a number from `low` to `high`.

    `usual` is what the default recipe has. Of a `factor` it is 1, and the range is even in ratios.
    """

    name: str
    usual: Any
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    factor: bool = False

    def takes(self, value: Any) -> bool:
        """Whether it reaches this value."""
        return value in self.choices if self.choices else self.low <= value <= self.high

    def text(self, value: Any) -> str:
        """The value for people: `learning rate x 1.8`, `optimizer adamw`."""
        title = self.name.replace("_", " ")
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        return f"{title} x {shown}" if self.factor else f"{title} {shown}"


@dataclass(frozen=True)
class Tunable:
    """What is tuned: the data, the default recipe, and the network with its arguments.

    `sized`: whether it can be built in other sizes, which one of a file cannot.
    """

    data: Data
    recipe: Recipe
    network: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sized: bool = True

    @property
    def depths(self) -> tuple[int, ...]:
        """How many layers more or less there may be."""
        return depths(self.network, self.arguments) if self.sized else (0,)


def _always(subject: Tunable) -> bool:
    return True


def _wide(subject: Tunable) -> bool:
    return subject.sized and can_widen(subject.network)


def _deep(subject: Tunable) -> bool:
    return len(subject.depths) > 1


def _classes(subject: Tunable) -> bool:
    return any(task.kind == "classification" for task in subject.data.tasks)


def _of_one_loss(subject: Tunable) -> bool:
    """Steps without a scale of their own suit one loss of classes; others, and sums, they upset."""
    return [task.kind for task in subject.data.tasks] == ["classification"]


def _changed_in_training(subject: Tunable) -> bool:
    """Rows of a table alone are learned as they are."""
    return any(each.kind != "table" for each in subject.data.inputs)


SPACE: Sequence[tuple[Setting, Callable[[Tunable], bool]]] = (
    (Setting("learning_rate", 1.0, low=0.2, high=5.0, factor=True), _always),
    (Setting("weight_decay", 1.0, low=0.1, high=10.0, factor=True), _always),
    (Setting("batch_size", 1.0, (0.5, 1.0, 2.0), factor=True), _always),
    (Setting("optimizer", None, ("nesterov", "adamw")), _of_one_loss),
    (Setting("schedule", None, ("one-cycle", "cosine")), _always),
    (Setting("warmup", None, low=0.0, high=0.4), _always),
    (Setting("width", 1.0, (0.5, 0.7, 1.0, 1.4, 2.0), factor=True), _wide),
    (Setting("depth", 0, (-1, 0, 1)), _deep),
    (Setting("augmentation", None, AUGMENTATIONS), _changed_in_training),
    (Setting("mixup", 0.0, (0.0, 0.1, 0.2, 0.4)), _always),
    (Setting("label_smoothing", None, low=0.0, high=0.3), _classes),
)
"""Each setting, and what it suits. Without a usual value of its own it has that of the recipe."""


def space_for(subject: Tunable, asked: Mapping[str, Any]) -> dict[str, Setting]:
    """The settings that suit what is tuned, by name; what was `asked` for is not searched."""
    suiting = [setting for setting, suits in SPACE if suits(subject)]
    return {
        setting.name: _usual(setting, subject) for setting in suiting if setting.name not in asked
    }


def _usual(setting: Setting, subject: Tunable) -> Setting:
    """The setting with the recipe's own value, which it always reaches."""
    if setting.name == "depth":
        return replace(setting, choices=subject.depths)
    if setting.usual is not None:
        return setting
    value = getattr(subject.recipe, setting.name)
    if not setting.choices:
        return replace(
            setting, usual=value, low=min(setting.low, value), high=max(setting.high, value)
        )
    others = (one for one in setting.choices if one != value)
    return replace(setting, usual=value, choices=(value, *others))


def usual_of(space: Mapping[str, Setting]) -> dict[str, Any]:
    """What trial 0 sets: the default recipe."""
    return {name: setting.usual for name, setting in space.items()}


def in_words(space: Mapping[str, Setting], chosen: Chosen) -> str:
    """What differs from the default recipe; that it is the default, if nothing does."""
    named = [space[name].text(value) for name, value in chosen.items() if name in space]
    usual = [setting.text(setting.usual) for setting in space.values()]
    return ", ".join(text for text in named if text not in usual) or "the default recipe"


def digest_of(space: Mapping[str, Setting]) -> str:
    """Two spaces are the same if this is."""
    facts = {name: asdict(setting) for name, setting in space.items()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
