"""Network, size and recipe, chosen from data, time and this machine's speed, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

from allotrope.architectures.aligned import suiting_places
from allotrope.architectures.asked_recipe import with_asked
from allotrope.architectures.asked_style import style_for, style_of
from allotrope.architectures.assembled import assembled, reasons
from allotrope.architectures.augmenting import check_augmentation, mirroring, what_acts
from allotrope.architectures.chosen import Choice, losses_of, with_task_weights
from allotrope.architectures.for_tables import choose_for_table, is_table
from allotrope.architectures.for_volumes import (
    choose_for_volume,
    is_volume,
    volume_alone,
    volume_family,
)
from allotrope.architectures.recipes import (
    FAMILIES,
    FINE_TUNING,
    NEW_HEAD,
    ROWS,
    SMALL,
    TEXTS,
    WITHOUT_NORMALIZATION,
    Family,
    family_for,
    recipe_of,
    usual_epochs,
)
from allotrope.architectures.side_by_side import check_members, members_in_words, seeds_of_members
from allotrope.architectures.text_networks import (
    beside_linear,
    family_for_texts,
    linear_in_words,
    words_alone,
)
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.data.reading import noun
from allotrope.errors import unknown_name
from allotrope.inputs.image.image import Image
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.volume.volume import Volume
from allotrope.network import zoo
from allotrope.network.network import Network
from allotrope.network.rewriting.ensemble import ensemble
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import is_normalized, multiply_adds, parameters, size_in_words
from allotrope.tasks import Classification
from allotrope.wording import agreeing, counted

USUAL_BUDGET = 120.0
"""Seconds of training where neither epochs nor a budget are asked for."""

Speed = Callable[[Network, Recipe], float]
"""Images a second in training on this machine; see `speed.training_speed`."""


def choose(
    data: Data,
    network: str = "auto",
    overrides: Mapping[str, Any] | None = None,
    *,
    budget: float | None = None,
    epochs: float | None = None,
    seed: int = 0,
    members: int = 1,
    speed: Speed | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Choice:
    """Choose what is not asked for.

    So many `members` of the network learn side by side, and answer by their mean.

    `overrides` are fields of the recipe, and `arguments` are those of the function that builds the
    network; they always win. `budget` is in seconds. `speed` measures a network; without it a size
    of the middle is taken.

    Raises: UsageError for an unknown network or field of the recipe.
    """
    overrides = _checked(overrides)
    check_augmentation(data.inputs, overrides)
    shape = dict(arguments or {})
    if is_volume(data):
        return choose_for_volume(data, network, overrides, budget, epochs, seed, members, shape)
    check_members(data.inputs, members)
    if is_table(data):
        return choose_for_table(data, network, overrides, budget, epochs, seed, shape)
    how = budget, epochs, seed, speed, members, shape
    return _Choosing(data, overrides, *how).choose(network)


def choose_recipe(
    data: Data,
    network: Network,
    overrides: Mapping[str, Any] | None = None,
    *,
    budget: float | None = None,
    epochs: float | None = None,
    seed: int = 0,
    new_head: bool = False,
    knows_classes: bool = False,
) -> tuple[Recipe, list[str]]:
    """The recipe for a network that has learned before (raw pixels in, logits out), and why.

    With a `new_head` that one learns faster than all other layers, unless overrides say otherwise.
    One that `knows_classes` of the data and has no normalization takes smaller steps.

    Raises: UsageError for an unknown field of the recipe.
    """
    choosing = _Choosing(data, _checked(overrides), budget, epochs, seed, None)
    return choosing.fine_tuning(network, new_head, knows_classes), choosing.reasons


def _checked(overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    known = {field.name for field in fields(Recipe)}
    for name in overrides or {}:
        if name not in known:
            raise unknown_name("recipe option", name, known)
    return dict(overrides or {})


class _Choosing:
    """One call of `choose`; collects the reasons."""

    def __init__(
        self,
        data: Data,
        overrides: dict[str, Any],
        budget: float | None,
        epochs: float | None,
        seed: int,
        speed: Speed | None,
        members: int = 1,
        shape: Mapping[str, Any] | None = None,
    ) -> None:
        self.members, self.shape = members, dict(shape or {})
        self.data, self.overrides, self.seed, self.speed = data, overrides, seed, speed
        self.budget, self.epochs = budget, epochs
        self.reasons: list[str] = []
        check_augmentation(data.inputs, overrides)
        pictures = [each for each in data.inputs if isinstance(each, Image)]
        self.picture = pictures[0] if pictures else None
        self.texts = [each for each in data.inputs if isinstance(each, Text)]
        volumes = [each for each in data.inputs if isinstance(each, Volume)]
        self.volumes = {each.name: volume_family(each, len(data.train)) for each in volumes}
        self.plain = len(data.inputs) == len(data.tasks) == len(pictures) == 1 and isinstance(
            data.tasks[0], Classification
        )

    def choose(self, name: str) -> Choice:
        """Everything in its order: family, time, recipe, size."""
        family = self._family(name)
        self._settle_time(family)
        recipe = self._recipe(family)
        arguments = self._sized(family, recipe, name == "auto")
        linear = self._only_text()
        if linear:
            how = family.name, recipe, self.seed, self.shape
            network = beside_linear(self.data, self.texts[0], *how)
            self.reasons.append(linear_in_words(self.data.train[self.texts[0].name], self.seed))
        else:
            network = self._built(family, arguments)
        network = with_task_weights(network, recipe, self.data.tasks, self.reasons)
        self.reasons += members_in_words(self.members)
        named = {each.name: family.name for each in self.data.inputs if isinstance(each, Image)}
        named |= {each.name: "text_cnn" for each in self.texts}
        named |= {name: family for name, (family, _) in self.volumes.items()}
        self.reasons += reasons(self.data.inputs, self.data.tasks, named)
        shown = {
            key: value for key, value in arguments.items() if not isinstance(value, np.ndarray)
        }
        self.reasons.append(size_in_words(family.name, network))
        return Choice(family.name, shown, network, recipe, self.reasons, linear)

    def _only_text(self) -> bool:
        """Whether there is nothing but a text, whose terms a linear model is made of."""
        return len(self.texts) == len(self.data.inputs) == 1

    def fine_tuning(self, network: Network, new_head: bool, knows_classes: bool) -> Recipe:
        """The recipe alone, for a network that is there already."""
        self._settle_time(FINE_TUNING)
        recipe = self._recipe(FINE_TUNING)
        if knows_classes and self.picture is not None and not is_normalized(network):
            recipe = self._careful(recipe)
        if new_head:
            usual: dict[str, Any] = {
                "learning_rate": recipe.learning_rate * NEW_HEAD,
                "backbone_rate": 1 / NEW_HEAD,
            }
            recipe = replace(
                recipe,
                **{name: value for name, value in usual.items() if name not in self.overrides},
            )
            self.reasons.append(
                "The new last layer learns at the learning rate, all others at "
                f"{recipe.backbone_rate:g} of it."
            )
        self.reasons.append(
            f"A gentle recipe ({recipe.optimizer}, learning rate {recipe.learning_rate:g}), "
            "because the network has learned before. "
            f"It has {parameters(network):,} trainable weights and takes "
            f"{multiply_adds(network):,} multiply-adds an example."
        )
        return recipe

    def _careful(self, recipe: Recipe) -> Recipe:
        """For a network without normalization, whose knowledge large steps would wipe out."""
        if "learning_rate" in self.overrides:
            return recipe
        self.reasons.append(
            "It knows these classes and has no normalization: steps are "
            f"{WITHOUT_NORMALIZATION:g} as large, so that it keeps what it knows."
        )
        return replace(recipe, learning_rate=recipe.learning_rate * WITHOUT_NORMALIZATION)

    def _family(self, name: str) -> Family:
        if self.volumes and name in zoo.VOLUMETRIC:
            self.volumes = dict.fromkeys(self.volumes, (name, f"{name} was asked for."))
            name = "auto"
        self.reasons += dict.fromkeys(reason for _, reason in self.volumes.values())
        if self.picture is None and self.texts:
            chosen, reason = family_for_texts(name, self.texts)
            self.reasons.append(reason)
            return replace(TEXTS, name=chosen)
        if self.picture is None and self.volumes:
            return ROWS
        if self.picture is None:
            self.reasons.append("Dense layers for each input, because none is a picture.")
            return ROWS
        if name != "auto":
            zoo.network(name)  # refuses an unknown name
            self.reasons.append(f"{name} was asked for.")
            return FAMILIES[name]
        family, reason = family_for(self.picture.height, self.picture.width)
        self.reasons.append(reason)
        return family

    def _settle_time(self, family: Family) -> None:
        examples = len(self.data.train)
        usual = usual_epochs(examples)
        if self.epochs is not None:
            return
        if self.budget is not None:
            self.epochs = family.most_epochs
        elif usual is not None:
            self.epochs = usual = min(usual, family.most_epochs)
            self.reasons.append(
                f"{usual:g} epochs, because {counted(examples, noun(self.data.inputs))} "
                f"{agreeing(examples, 'is', 'are')} few and no budget or epochs were asked for."
            )
        else:
            self.budget = USUAL_BUDGET
            self.reasons.append(
                f"{USUAL_BUDGET:g} s of training, as neither a budget nor epochs were asked for."
            )

    def _recipe(self, family: Family) -> Recipe:
        if not self.plain and family != FINE_TUNING:
            family = replace(family, recipe=SMALL)
            self.reasons.append(
                "AdamW, because steps that suit one loss of classes are too large for others, for "
                "their sum and for layers without normalization."
            )
        recipe = recipe_of(family, self._shape(self.picture), len(self.data.train))
        if self.picture is None and self.texts:
            recipe = replace(recipe, augmentation=TEXTS.recipe.augmentation)
        recipe = replace(recipe, seed=self.seed, budget=self.budget, epochs=self.epochs)
        recipe = self._suiting_tasks(recipe)
        if family != FINE_TUNING and self.plain:
            recipe = suiting_places(recipe, self.data, self.overrides, self.reasons)
        if "flip" not in self.overrides:
            flip, reasons = mirroring(self.data, self.seed)
            recipe = replace(recipe, flip=flip)
            self.reasons += reasons
        recipe = with_asked(recipe, self.overrides, self.reasons)
        self.reasons += what_acts(self.data.inputs, recipe, self.overrides)
        return recipe

    def _suiting_tasks(self, recipe: Recipe) -> Recipe:
        """The loss of each task by name.

        And little augmentation if a quantity may change with it.
        """
        measured = [task.name for task in self.data.tasks if task.kind == "regression"]
        if measured and self.picture is not None and "augmentation" not in self.overrides:
            names = ", ".join(measured)
            self.reasons.append(
                f"Little augmentation, because turning and scaling may change {names}."
            )
            recipe = replace(recipe, augmentation="light")
        return replace(recipe, loss=losses_of(self.data.tasks))

    @staticmethod
    def _shape(picture: Image | None) -> tuple[int, int, int]:
        """Channels, height and width; of a single pixel if there is no picture."""
        return (1, 1, 1) if picture is None else (picture.channels, picture.height, picture.width)

    # --- size

    def _sized(self, family: Family, recipe: Recipe, free: bool) -> dict[str, Any]:
        """The family's arguments.

        Where the size is free, with the largest width that sees the data often enough in the time
        there is.
        """
        arguments = {
            **family.arguments(self._shape(self.picture)),
            **self._whitening(family, self.picture),
            "seed": self.seed,
            **style_for(zoo.NETWORKS.get(family.name), recipe),
            **self.shape,
        }
        if not free or not family.widths or "width" in self.shape:
            return arguments
        middle = {**arguments, "width": family.usual_width}
        if recipe.budget is None or self.speed is None:
            return middle
        return {
            **arguments,
            "width": self._affordable(
                family, arguments, recipe.budget, self._cost(family, arguments, recipe, self.speed)
            ),
        }

    def _cost(
        self, family: Family, arguments: dict[str, Any], recipe: Recipe, speed: Speed
    ) -> Callable[[int], float]:
        """Seconds an image in training, a straight line over multiply-adds through two widths."""
        ends = [
            self._built(family, {**arguments, "width": width})
            for width in (min(family.widths), family.usual_width)
        ]
        work = [multiply_adds(network) for network in ends]
        seconds = [1 / speed(network, recipe) for network in ends]
        slope = min(max((seconds[1] - seconds[0]) / (work[1] - work[0]), 0.0), seconds[1] / work[1])
        return lambda multiply_adds: seconds[1] + slope * (multiply_adds - work[1])

    def _affordable(
        self, family: Family, arguments: dict[str, Any], budget: float, cost: Callable[[int], float]
    ) -> float:
        images = len(self.data.train)
        widths = family.widths_for(images)
        seen = {
            width: budget
            / images
            / cost(multiply_adds(self._built(family, {**arguments, "width": width})))
            for width in widths
        }
        width = next((width for width in widths if seen[width] >= family.enough_epochs), widths[-1])
        self.reasons.append(
            f"Width {width:g}: with it this machine sees each {noun(self.data.inputs)} about "
            f"{seen[width]:.0f} times in the budget. "
            f"The widest of {', '.join(f'{w:g}' for w in reversed(widths))} that does so "
            f"{family.enough_epochs:g} times is taken."
        )
        return width

    def _whitening(self, family: Family, picture: Image | None) -> dict[str, Any]:
        if not family.whitened or picture is None:
            return {}
        images = self.data.train[picture.name]
        return {"filters": zoo.whitening_filters(images, picture.mean, picture.std)}

    def _built(self, family: Family, arguments: Mapping[str, Any]) -> Network:
        """The network, or so many of it as there are to be members."""
        seeds = seeds_of_members(arguments["seed"], self.members)
        return ensemble([self._one(family, {**arguments, "seed": seed}) for seed in seeds])

    def _one(self, family: Family, arguments: Mapping[str, Any]) -> Network:
        """One picture and one classification have the zoo's network as it is."""
        if not self.plain:
            build, style = partial(self._pictured, family, arguments), style_of(self.overrides)
            return assembled(self.data.inputs, self.data.tasks, build, arguments["seed"], style)
        ((picture,), (task,)) = self.data.inputs, self.data.tasks
        network = zoo.network(family.name)(task.size, self._shape(self.picture), **arguments)
        return named_after(picture.prepare(network), [picture.name], [task.name])

    def _pictured(self, family: Family, arguments: Mapping[str, Any], picture: Any) -> Network:
        """The zoo's network for one of several pictures, of which each has filters of its own.

        Of a text, that of its words; of a volume, one of 3-D convolutions.
        """
        if isinstance(picture, Text):
            column = self.data.train[picture.name]
            return words_alone(picture, column, self.seed, style_of(self.overrides))
        if isinstance(picture, Volume):
            name, style = self.volumes[picture.name][0], style_of(self.overrides)
            return volume_alone(picture, name, arguments["seed"], style)
        shape = self._shape(picture)
        own = {**family.arguments(shape), **self._whitening(family, picture)}
        return zoo.network(family.name)(2, shape, **{**arguments, **own})
