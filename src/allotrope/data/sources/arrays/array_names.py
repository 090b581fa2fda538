"""What the names of arrays say: images or labels or names of classes, and of which split."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from allotrope.data.split_names import SPLIT_WORDS, words

ROLE_WORDS = {
    "images": (
        "x xs image images img imgs feature features input inputs picture pictures photo photos "
        "pixel pixels samples"
    ),
    "labels": "y ys label labels lab lbl lbls target targets output outputs class answers gt",
    "names": "names classnames labelnames classes categories",
}
ROLES = {word: role for role, listed in ROLE_WORDS.items() for word in listed.split()}
SHORT_SPLITS = {
    "tr": "train",
    "va": "validation",
    "vl": "validation",
    "cv": "validation",
    "te": "test",
    "ts": "test",
}
SPLITS = SPLIT_WORDS | SHORT_SPLITS
PLAIN = frozenset(("data", "dataset"))
"""Words for images, if no other word says more: `train_data`, but not `data_labels`."""
FILLERS = frozenset(
    ("set", "sets", "orig", "original", "all", "array", "arr", "raw", "split", "np", "full")
)
POSITION = re.compile(r"arr_(\d+)")
UNDERSTOOD = (
    "x_train, y_train, x_test, y_test, perhaps x_val, y_val, class_names; or train_images, "
    "train_labels, …; trainX, trainY, …; images, labels; x, y; data, target; arr_0, arr_1; in "
    "any case"
)


@dataclass(frozen=True)
class ArrayName:
    """`role` is images, labels or names (of classes); `split` is None if the name says none."""

    role: str
    split: str | None


def array_name(name: str, without: Iterable[str] = ()) -> ArrayName | None:
    """What a name says, without the words of `without`; None if it says something else."""
    roles, splits, plain = [], [], False
    for word in _words(name):
        if word in ROLES:
            roles.append(ROLES[word])
        elif word in SPLITS:
            splits.append(SPLITS[word])
        elif word in PLAIN:
            plain = True
        elif word not in FILLERS and word not in without:
            return None
    if len(set(splits)) > 1:
        return None
    role = _role(roles, plain)
    if role is None:
        return None
    return ArrayName(role, splits[0] if splits else None)


def shared_words(names: Iterable[str]) -> frozenset[str]:
    """Words with which all names begin and that say nothing: `mnist` in mnist_x, mnist_y."""
    lists = [_words(name) for name in names]
    shared = set()
    for column in zip(*lists, strict=False):
        if len(set(column)) > 1 or column[0] in ROLES or column[0] in SPLITS or column[0] in PLAIN:
            break
        shared.add(column[0])
    if len(lists) > 1:
        return frozenset(shared)
    return frozenset()


def position(name: str) -> int | None:
    """The place of an array that was saved without a name: 2 of arr_2."""
    match = POSITION.fullmatch(name)
    if match is None:
        return None
    return int(match[1])


def _role(roles: list[str], plain: bool) -> str | None:
    if "names" in roles:  # class_names, label_names; but not feature_names, image_names
        if "images" in roles:
            return None
        return "names"
    if "labels" in roles:  # image_labels
        return "labels"
    if roles or plain:
        return "images"
    return None


def _words(name: str) -> list[str]:
    parted: list[str] = []
    for word in words(name):
        match = re.fullmatch(r"(x|y)([a-z]+)|([a-z]+)(x|y)", word)
        parts = []
        if match is not None:
            parts = [part for part in match.groups() if part]
        glued = parts and all(part in ROLES or part in SPLITS for part in parts)
        if glued:
            parted += parts
        else:
            parted += [word]
    return parted
