"""What augmentation the inputs of the data bear, and what of it acts on which input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.config import Recipe
from allotrope.data.examples import UNLABELLED, Data
from allotrope.data.mixtures import Mixing
from allotrope.errors import UsageError
from allotrope.inputs.augmentation import augmentation_of
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.mirror import ALIKE, kept_when_mirrored, told_when_mirrored
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.inputs.volume.volume import Volume
from allotrope.tasks import Classification
from allotrope.tasks.several import gappy

OF_PICTURES = {
    "flip": "mirrors pictures",
    "cutmix": "pastes patches between pictures, or columns between rows",
    "mosaic": "makes a picture of parts of four",
}
"""Fields of a recipe that mean nothing without a picture."""


def check_augmentation(inputs: Sequence[Input], asked: Mapping[str, Any]) -> None:
    """Raises UsageError for what was asked for by name and needs other inputs than there are."""
    _check_mosaic(inputs, asked)
    wrong = [f"{name} {does}" for name, does in OF_PICTURES.items() if asked.get(name)]
    if isinstance(inputs[0], Table) and not _pictures(inputs):
        wrong = [each for each in wrong if not each.startswith("cutmix")]
    cut = asked.get("cutmix") or asked.get("mosaic")
    if any(isinstance(each, Volume) for each in inputs) and not cut:
        return
    if not wrong or _pictures(inputs):
        return
    kinds = ", ".join(f"'{each.name}' ({each.kind})" for each in inputs)
    raise UsageError(
        f"{' and '.join(wrong)}, and there is no picture among the inputs: {kinds}. "
        "Leave it out; --mixup mixes examples of any kind."
    )


def _check_mosaic(inputs: Sequence[Input], asked: Mapping[str, Any]) -> None:
    within = [f"'{each.name}' ({each.kind})" for each in inputs if not each.blends]
    if asked.get("mosaic") and _pictures(inputs) and within:
        raise UsageError(
            f"mosaic makes an example of four, and of {', '.join(within)} only two can be blended. "
            "Leave it out; --mixup and --cutmix mix two examples."
        )


def what_acts(inputs: Sequence[Input], recipe: Recipe, asked: Mapping[str, Any]) -> list[str]:
    """What of an augmentation that was asked for acts otherwise than its name says, in words."""
    return [*_blended_within(inputs, recipe), *_what_lacks(inputs, recipe, asked)]


def _blended_within(inputs: Sequence[Input], recipe: Recipe) -> list[str]:
    within = Mixing(inputs, recipe).within
    if not within:
        return []
    return [
        f"Of {', '.join(within)} training blends what the network makes of each example: "
        "as it is none can be blended with another."
    ]


def _what_lacks(inputs: Sequence[Input], recipe: Recipe, asked: Mapping[str, Any]) -> list[str]:
    """What does less, because there are other inputs than it is for."""
    strength, pictures = augmentation_of(recipe), _pictures(inputs)
    others = [each.name for each in inputs if each not in pictures]
    if pictures and others and strength.cutmix:
        return [
            f"Cutmix pastes patches between pictures; {', '.join(others)} is blended by the share "
            "of the area."
        ]
    volumes = any(isinstance(each, Volume) for each in inputs)
    if pictures or volumes or asked.get("augmentation", "none") == "none":
        return []
    if any(isinstance(each, Text | Tokens) for each in inputs):
        mixing = " and mixup act" if strength.mixup else " acts"
        if strength.inserted or strength.misspelled:
            return []
        return [
            f"Of {recipe.augmentation} augmentation only what leaves out, masks or swaps words"
            f"{mixing}: there is no picture."
        ]
    if strength.mixup or (strength.cutmix and isinstance(inputs[0], Table)):
        acting = "mixup acts"
        if strength.cutmix and isinstance(inputs[0], Table):
            acting = "mixup and cutmix act" if strength.mixup else "cutmix acts"
        return [f"Of {recipe.augmentation} augmentation only {acting}: there is no picture."]
    if strength.swapped_cells and any(isinstance(each, Table) for each in inputs):
        return []
    return [f"The {recipe.augmentation} augmentation changes nothing: there is no picture."]


def mirroring(data: Data, seed: int) -> tuple[bool, list[str]]:
    """Whether training may mirror examples, and why; no words if there is nothing to mirror.

    All pictures of an example are mirrored alike, so each of them has to bear it.
    """
    pictures, task = _pictures(data.inputs), data.tasks[0]
    if not pictures:
        return False, []
    several = len(data.tasks) > 1 or gappy([task], data.train.columns)
    if several or not isinstance(task, Classification):
        return False, [
            "Images are not mirrored in training: whether all answers stay the same is not known; "
            "--flip says that they do."
        ]
    judged = {
        each.name: kept_when_mirrored(data.train[each.name], data.train[task.name], task.size, seed)
        for each in pictures
    }
    known = {name: one for name, one in judged.items() if one is not None}
    shares = {name: one.share for name, one in known.items()}
    if len(known) == len(judged) and all(one.is_enough for one in known.values()):
        return True, [_said(True, shares)]
    # Where images are as often one way as the other, no label is needed to see it: of few labels
    # a classifier learns too little. Labels that turn too, as of arrows, it does learn.
    told = _told(data, pictures, seed)
    if told is not None and not any(one.is_too_little for one in known.values()):
        return True, [
            "Images are mirrored in training: of mirrored ones a simple classifier tells at most "
            f"{told:.0%} from others, and chance is 50%; --no-flip if left and right are answers."
        ]
    if len(known) == len(judged):
        return False, [_said(False, shares)]
    unclear = ""
    if len(judged) > 1:
        unclear = f" of {', '.join(name for name in judged if name not in known)}"
    return False, [
        f"Images are not mirrored in training: the data does not show whether those{unclear} "
        "keep their meaning."
    ]


def _told(data: Data, pictures: Sequence[Image], seed: int) -> float | None:
    """How well mirrored images are told from others; None if better than by chance, or unknown."""
    splits = [data.splits[name] for name in ("train", UNLABELLED) if name in data.splits]
    told = [told_when_mirrored([split[each.name] for split in splits], seed) for each in pictures]
    if any(share is None or share > ALIKE for share in told):
        return None
    return max(share for share in told if share is not None)


def _said(may: bool, shares: Mapping[str, float]) -> str:
    verb = "are not"
    if may:
        verb = "are"
    beginning = f"Images {verb} mirrored in training: a simple classifier keeps"
    ending = "of what it knows when they are."
    if len(shares) == 1:
        (share,) = shares.values()
        return f"{beginning} {max(share, 0):.0%} {ending}"
    listed = ", ".join(f"{max(share, 0):.0%} ({name})" for name, share in shares.items())
    return f"{beginning} {listed} {ending} All pictures of an example are mirrored alike."


def _pictures(inputs: Sequence[Input]) -> list[Image]:
    return [each for each in inputs if isinstance(each, Image)]
