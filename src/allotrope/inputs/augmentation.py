"""How strongly training examples are changed: presets, and what a recipe says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from allotrope.config import Recipe
from allotrope.errors import unknown_name


@dataclass(frozen=True)
class Augmentation:
    """How strongly each kind of augmentation acts; 0 or False leaves it out.

    `shift` and `cutout` are fractions of the shorter side. `rotation` is in degrees and `scale` a
    fraction (0.1: 0.9 to 1.1), both applied to the fraction `warped` of the examples.
    `brightness`, `contrast` and `saturation` are fractions of change.
    `left_out`, `masked` and `swapped` are fractions of the words of a text, `synonym_rate` of those
    that have synonyms: it acts if a user gave some.
    `policy` is a way to draw changes of pictures: `randaugment`, of which each gets so many
    `operations` of one `magnitude` (0 to 1), `trivialaugment` or `augmix`. `tilted`, `pulled`,
    `blurred`, `noisy` and `compressed` are the fractions of the pictures that are seen in
    perspective, pulled as on rubber, out of focus, with noise and through JPEG; `erased` of those
    that lose a box. `swapped_cells` is the fraction of a row's cells that come from another row.
    `inserted` is how many words of other texts come in for each word, `misspelled` the fraction of
    words with a typing error.
    `mixup`, `cutmix` and `mosaic` are the alpha of their Beta distribution; if several are on, each
    batch uses one of them.
    """

    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    warped: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    left_out: float = 0.0
    masked: float = 0.0
    swapped: float = 0.0
    inserted: float = 0.0
    misspelled: float = 0.0
    synonym_rate: float = 0.1
    policy: str = ""
    operations: int = 2
    magnitude: float = 0.3
    tilted: float = 0.0
    pulled: float = 0.0
    blurred: float = 0.0
    noisy: float = 0.0
    compressed: float = 0.0
    erased: float = 0.0
    swapped_cells: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mosaic: float = 0.0


PRESETS = {
    "none": Augmentation(),
    "light": Augmentation(flip=True, shift=1 / 16, masked=0.1),
    "medium": Augmentation(
        flip=True,
        shift=1 / 8,
        cutout=1 / 4,
        rotation=10,
        scale=0.1,
        brightness=0.1,
        contrast=0.1,
        left_out=0.05,
        masked=0.1,
        swapped=0.05,
    ),
    "heavy": Augmentation(
        flip=True,
        shift=1 / 8,
        cutout=1 / 2,
        rotation=15,
        scale=0.2,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        left_out=0.1,
        masked=0.1,
        swapped=0.1,
        synonym_rate=0.2,
        mixup=0.2,
        cutmix=1.0,
    ),
    # RandAugment with 2 operations of magnitude 9 of 30, and random erasing.
    "randaugment": Augmentation(flip=True, shift=1 / 16, policy="randaugment", erased=0.25),
    "trivialaugment": Augmentation(flip=True, shift=1 / 16, policy="trivialaugment"),
    "augmix": Augmentation(flip=True, shift=1 / 16, policy="augmix"),
    "distorted": Augmentation(
        flip=True, tilted=0.5, pulled=0.3, blurred=0.3, noisy=0.3, compressed=0.3
    ),
    "swap-noise": Augmentation(swapped_cells=0.1),
    "text-noise": Augmentation(inserted=0.1, misspelled=0.1),
}


WEAK = Augmentation(shift=1 / 16)
"""What an example may change by whose answer is to be learned: hardly anything."""


def augmentation_of(recipe: Recipe) -> Augmentation:
    """The preset that the recipe names, with what else it says by name, such as `mixup`.

    Raises: UsageError for an unknown preset.
    """
    if recipe.augmentation not in PRESETS:
        raise unknown_name("augmentation", recipe.augmentation, PRESETS)
    own = {
        name: getattr(recipe, name)
        for name in ("flip", "mixup", "cutmix", "mosaic", "synonym_rate")
        if getattr(recipe, name) is not None
    }
    return replace(PRESETS[recipe.augmentation], **own)
