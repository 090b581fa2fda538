"""Chooses among named arrays which are images and labels, of which split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from allotrope.data.examples import UNLABELLED
from allotrope.data.sources.arrays.array_files import StoredArray
from allotrope.data.sources.arrays.array_names import (
    UNDERSTOOD,
    ArrayName,
    array_name,
    position,
    shared_words,
)
from allotrope.data.split_names import TO_ANSWER, words
from allotrope.errors import DataError

LISTED = 8


@dataclass
class Chosen:
    """Which arrays are images and labels, by split, and which are the names of the classes.

    `unlabelled` are images without labels.
    """

    images: dict[str, StoredArray] = field(default_factory=dict)
    labels: dict[str, StoredArray] = field(default_factory=dict)
    names: StoredArray | None = None
    unlabelled: StoredArray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def arrays(self) -> list[StoredArray]:
        """All of them."""
        others = [array for array in (self.names, self.unlabelled) if array is not None]
        return [*self.images.values(), *self.labels.values(), *others]


def choose_arrays(stored: Sequence[StoredArray]) -> Chosen:
    """The arrays to read, told by their names, and among arrays of one meaning by their shapes.

    Raises: DataError that lists the arrays with their shapes if none or several would do.
    """
    without = shared_words(array.name for array in stored)
    named = {array.name: array_name(array.name, without) for array in stored}
    if not any(named.values()):
        chosen = _by_position(stored)
    else:
        chosen = _by_name(stored, named)
    read = {array.name for array in chosen.arrays}
    left = [str(array) for array in stored if array.name not in read]
    if left:
        more = ""
        if len(left) > LISTED:
            more = f" and {len(left) - LISTED} more"
        chosen.notes.append(f"left out: {', '.join(left[:LISTED])}{more}")
    return chosen


def _by_name(stored: Sequence[StoredArray], named: dict[str, ArrayName | None]) -> Chosen:
    groups: dict[tuple[str, str | None], list[StoredArray]] = {}
    for array in stored:
        name = named[array.name]
        if name is not None and _may_be_learned_from(array, name):
            groups.setdefault((name.role, name.split), []).append(array)
    groups = _named_splits(_labels_called_classes(groups), stored)
    chosen = Chosen()
    for (role, split), arrays in groups.items():
        if role == "names":
            chosen.names = _single(arrays, "names of classes", stored)
        elif split is not None and role == "images":
            chosen.images[split] = _single(_image_shaped(arrays), f"images of {split}", stored)
        elif split is not None:
            chosen.labels[split] = _single(arrays, f"labels of {split}", stored)
    _check_pairs(chosen, stored)
    return chosen


def _may_be_learned_from(array: StoredArray, name: ArrayName) -> bool:
    """Not labels of what has none, and nothing that is only to be answered, as `x_pred`."""
    if name.split != UNLABELLED:
        return True
    return name.role == "images" and TO_ANSWER.isdisjoint(words(array.name))


def _labels_called_classes(
    groups: dict[tuple[str, str | None], list[StoredArray]],
) -> dict[tuple[str, str | None], list[StoredArray]]:
    """`classes` as labels, if there are as many as images and no other labels."""
    images, names = groups.get(("images", None)), groups.get(("names", None))
    if not images or not names or ("labels", None) in groups or len(names) > 1:
        return groups
    if names[0].shape[:1] != images[0].shape[:1]:
        return groups
    return {
        ("labels" if role == "names" else role, split): arrays
        for (role, split), arrays in groups.items()
    }


def _named_splits(
    groups: dict[tuple[str, str | None], list[StoredArray]], stored: Sequence[StoredArray]
) -> dict[tuple[str, str | None], list[StoredArray]]:
    """Arrays without a split in their name are training data, `eval` is the split that is missing.

    Raises: DataError if other arrays are training data by their name.
    """
    splits = {split for role, split in groups if role != "names"}
    evaluation = "validation"
    if "validation" in splits and "test" not in splits:
        evaluation = "test"
    renamed: dict[tuple[str, str | None], list[StoredArray]] = {}
    for (role, split), arrays in groups.items():
        if role != "names" and split is None:
            if "train" in splits:
                _check_not_training(role, arrays, stored)
            split = "train"
        key = (role, evaluation if split == "evaluation" else split)
        renamed.setdefault(key, []).extend(arrays)
    return renamed


def _check_not_training(
    role: str, arrays: list[StoredArray], stored: Sequence[StoredArray]
) -> None:
    """Raises DataError if arrays without a split may be meant as well as those called train."""
    if role == "labels" or any(len(array.shape) > 2 for array in arrays):
        names = ", ".join(array.name for array in arrays)
        raise DataError(
            f"holds training arrays by their names, and {names} beside them; which to learn from? "
            f"{_listed(stored)}"
        )


def _image_shaped(arrays: list[StoredArray]) -> list[StoredArray]:
    """Of several arrays those shaped like images: scikit-learn's digits hold them flat as well."""
    shaped = [array for array in arrays if len(array.shape) in (3, 4)]
    if len(arrays) > 1 and shaped:
        return shaped
    return arrays


def _single(arrays: list[StoredArray], what: str, stored: Sequence[StoredArray]) -> StoredArray:
    if len(arrays) == 1:
        return arrays[0]
    names = ", ".join(array.name for array in arrays)
    raise DataError(
        f"{names} may each be the {what}. Keep one of them, or rename the others. {_listed(stored)}"
    )


def _check_pairs(chosen: Chosen, stored: Sequence[StoredArray]) -> None:
    """Leaves out validation or test images without labels.

    Raises: DataError for anything else that lacks its partner.
    """
    if UNLABELLED in chosen.images:
        chosen.unlabelled = chosen.images.pop(UNLABELLED)
    for split in ("validation", "test"):
        if split in chosen.images and split not in chosen.labels and "train" in chosen.labels:
            array = chosen.images.pop(split)
            chosen.notes.append(
                f"'{array.name}' has no labels, and the images of {split} are left out"
            )
    problems = [
        f"holds '{chosen.images[split].name}' but no labels of {split}, such as 'y_{split}'."
        for split in chosen.images.keys() - chosen.labels.keys()
    ]
    problems += [
        f"holds '{chosen.labels[split].name}' but no images of {split}, such as 'x_{split}'."
        for split in chosen.labels.keys() - chosen.images.keys()
    ]
    if "train" not in chosen.images and not problems:
        problems.append("holds no training images.")
    if problems:
        raise DataError("\n".join([*sorted(problems), _listed(stored)]))


def _by_position(stored: Sequence[StoredArray]) -> Chosen:
    """Arrays without names: images by their shape, each with the labels of the same length."""
    ordered = sorted(
        (array for array in stored if position(array.name) is not None),
        key=lambda array: position(array.name) or 0,
    )
    images = [array for array in ordered if len(array.shape) >= 3]
    labels = [array for array in ordered if 1 <= len(array.shape) <= 2]
    lengths = [array.shape[0] for array in images]
    told_apart = len(set(lengths)) == len(lengths) and lengths == sorted(lengths, reverse=True)
    paired = sorted(lengths) == sorted(array.shape[0] for array in labels)
    if not ordered:
        raise DataError(_listed(stored))
    if not (1 <= len(images) <= 2 and told_apart and paired):
        raise DataError(
            "cannot tell which of these arrays are images and labels, and of what split. "
            f"{_listed(stored)}"
        )
    chosen = Chosen()
    for split, array in zip(("train", "test"), images, strict=False):
        chosen.images[split] = array
        chosen.labels[split] = next(label for label in labels if label.shape[0] == array.shape[0])
    pairs = ", ".join(
        f"{split} is {chosen.images[split].name} with {chosen.labels[split].name}"
        for split in chosen.images
    )
    chosen.notes.append(f"arrays without names, told by their shapes: {pairs}")
    return chosen


def _listed(stored: Sequence[StoredArray]) -> str:
    there = ", ".join(map(str, stored)) or "nothing"
    return f"Found {there}. Expected {UNDERSTOOD}."
