"""Smaller networks of the zoo for some data, which may learn from a larger one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from allotrope.architectures.choose import choose
from allotrope.architectures.chosen import Choice
from allotrope.architectures.recipes import FAMILIES, family_for
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.inputs.image.image import Image

WIDTHS = (4.0, 3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.375, 0.25, 0.125)
"""Those of a family that has none of its own."""
SMALL_PICTURES, PHOTOGRAPHS = "resnet8", "mobilenet_v2"
"""Known as small networks that learn well: MLPerf Tiny's, and the usual one of phones."""
SMALL_SIDE = 64


@dataclass(frozen=True)
class Students:
    """A family of networks for the data, in these widths, the widest first."""

    family: str
    widths: tuple[float, ...]

    def built(self, data: Data, width: float, like: Recipe) -> Choice:
        """The one of a width, with what suits its family in the time that `like` has.

        The teacher's answers are soft already, so labels are not smoothed.
        """
        choice = choose(
            data,
            self.family,
            budget=like.budget,
            epochs=like.epochs,
            seed=like.seed,
            arguments={"width": width},
        )
        recipe = replace(choice.recipe, label_smoothing=0.0, patience=None)
        return replace(choice, recipe=recipe)


def students(data: Data) -> tuple[Students, ...]:
    """The families that may be worth a trial beside a network that was cut.

    Only of pictures: for other inputs the zoo has no families of several widths, and what is cut
    out of the network there is the smaller one.
    """
    pictures = [each for each in data.inputs if isinstance(each, Image)]
    if not pictures:
        return ()
    sides = pictures[0].height, pictures[0].width
    usual, _ = family_for(*sides)
    small = SMALL_PICTURES if max(sides) <= SMALL_SIDE else PHOTOGRAPHS
    names = dict.fromkeys((usual.name, small))
    return tuple(
        Students(name, tuple(sorted(FAMILIES[name].widths or WIDTHS, reverse=True)))
        for name in names
    )
