"""What the names of folders and files say of splits: train, validation, test, unlabelled, folds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "trainval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
    "validating": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "eval": "evaluation",
    "evaluation": "evaluation",
    "evaluate": "evaluation",
    "evaluating": "evaluation",
    "test": "test",
    "tests": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "heldout": "test",
    "unlabeled": "unlabelled",
    "unlabelled": "unlabelled",
    "unlabel": "unlabelled",
    "unannotated": "unlabelled",
    "nolabel": "unlabelled",
    "nolabels": "unlabelled",
    "unsup": "unlabelled",
    "unsupervised": "unlabelled",
    "predict": "unlabelled",
    "prediction": "unlabelled",
    "predictions": "unlabelled",
    "pred": "unlabelled",
    "inference": "unlabelled",
    "submission": "unlabelled",
}
"""`evaluation` is validation or test: whichever of them the data lacks, validation first."""

JOINED = {
    "holdout": ("hold out", "held out"),
    "nolabel": ("no label", "no labels", "not labeled", "not labelled"),
}
DECORATIONS = frozenset(
    word
    for line in (
        "all set sets subset split splits part data dataset samples folder dir files",
        "image images img imgs picture pictures pics photo photos jpg jpeg png",
    )
    for word in line.split()
)
"""Words beside a split's that say nothing more, as in `train-set`, `images_train`, `TestData`."""

PARTS = frozenset(("batch", "chunk", "shard", "archive"))

TO_ANSWER = frozenset(("predict", "prediction", "predictions", "pred", "inference", "submission"))
"""Words of examples without labels that a network is to answer, and not to learn from."""

WORD = re.compile(r"[^\W\d_]+|\d+")
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
FOLD = re.compile(r"(k?-?fold|cv|split)[\W_]*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class SplitName:
    """The split that a name says, and its other words: of `asl_train` train, ('asl',)."""

    split: str
    others: tuple[str, ...]

    @property
    def pure(self) -> bool:
        """Whether the name says nothing but the split."""
        return not self.others


def split_name(name: str) -> SplitName | None:
    """What a name says of splits; None if it names none, or several.

    Any case, with words before or behind, joined by anything or nothing: `Train`, `seg_train`,
    `trainSet`, `val2017`.
    """
    splits: list[str] = []
    others: list[str] = []
    for word in words(name):
        split = SPLIT_WORDS.get(word) or _glued(word)
        if split is not None:
            splits.append(split)
        elif word not in DECORATIONS and not word.isdigit():
            others.append(word)
    split = _one(splits)
    if split is None:
        return None
    return SplitName(split, tuple(others))


def to_learn_from(name: str) -> bool:
    """Whether a name says that there are no labels, and nothing else, as `unlabelled` and `unsup`.

    Of what is called after answers, such as `pred`, it is not said that it may be learned from.
    """
    said = split_name(name)
    unlabelled = said is not None and said.pure and said.split == "unlabelled"
    return unlabelled and TO_ANSWER.isdisjoint(words(name))


def is_fold(name: str) -> bool:
    """Whether a name is that of a numbered fold: `fold1`, `Fold_0`, `split-3`."""
    return FOLD.fullmatch(name) is not None


def is_part(name: str) -> bool:
    """Whether a name is that of a numbered part of a set: `images_001`, `batch 2`, `part-3`."""
    parts = words(name)
    numbered = any(word.isdigit() for word in parts)
    plain = [word for word in parts if not word.isdigit()]
    return numbered and bool(plain) and set(plain) <= DECORATIONS | PARTS


def words(name: str) -> list[str]:
    """The words of a name in lower case: `trainImages_2` is train, images, 2."""
    spaced = HUMP.sub(" ", name).lower()
    for word, spellings in JOINED.items():
        for spelling in spellings:
            spaced = re.sub(
                rf"\b{spelling.replace(' ', '[-_ ]?')}\b", word, spaced.replace("_", " ")
            )
    return WORD.findall(spaced)


def _glued(word: str) -> str | None:
    """The split of a word such as `trainset` or `imagestrain`."""
    for known, split in SPLIT_WORDS.items():
        if word.startswith(known):
            rest = word.removeprefix(known)
        else:
            rest = word.removesuffix(known)
        if rest != word and rest in DECORATIONS and len(rest) > 1:
            return split
    return None


def _one(splits: Iterable[str]) -> str | None:
    named = set(splits)
    if "unlabelled" in named:  # train_unlabeled
        return "unlabelled"
    if named == {"train", "validation"}:  # train_val, what is not for the test
        return "train"
    if len(named) == 1:
        return named.pop()
    return None
