"""What is a class, what is a split: usual layouts are read, or refused with their readings."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from allotrope.config import FOLDER_LAYOUTS
from allotrope.data.sources.folder.folder_layout import find_layout, understood
from allotrope.data.sources.folder.tree import Folder, Tree
from allotrope.errors import DataError, UsageError
from picture_folders import TWO, cats_and_dogs, error_of, read, tree


@pytest.mark.parametrize(
    ("folders", "splits", "said"),
    [
        (["cat", "dog"], {"train": TWO}, "'classes'"),
        (cats_and_dogs("train", "test"), {"train": TWO, "test": TWO}, "'splits'"),
        (
            cats_and_dogs("train", "eval"),
            {"train": TWO, "validation": TWO},
            "'eval' is taken for validation",
        ),
        (
            cats_and_dogs("train", "val", "eval"),
            {"train": TWO, "validation": TWO, "test": TWO},
            "'eval' is taken for test",
        ),
        (
            cats_and_dogs("train", "eval", "test"),
            {"train": TWO, "validation": TWO, "test": TWO},
            "'eval' is taken for validation",
        ),
        (
            cats_and_dogs("training_set", "dev_set", "holdout"),
            {"train": TWO, "validation": TWO, "test": TWO},
            "test from 'holdout'",
        ),
        (
            cats_and_dogs("TRAIN", "Validate"),
            {"train": TWO, "validation": TWO},
            "validation from 'Validate'",
        ),
        (
            [*cats_and_dogs("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred"],
            {"train": TWO, "test": TWO},
            "'seg_pred' (4 pictures",
        ),
        (
            cats_and_dogs("data/train", "data/test"),
            {"train": TWO, "test": TWO},
            "train from 'train'",
        ),
        (
            cats_and_dogs("a/b/train", "a/b/test"),
            {"train": TWO, "test": TWO},
            "read from 'a/b', which alone",
        ),
        (
            cats_and_dogs("train/images", "test/images"),
            {"train": TWO, "test": TWO},
            "train from 'train/images'",
        ),
        (["photos/cat", "photos/dog"], {"train": TWO}, "'classes'"),
        (["photos*3", "photos/cat", "photos/dog"], {"train": TWO}, "3 pictures right in 'photos'"),
        (cats_and_dogs("train"), {"train": TWO}, "'classes'"),
        (
            [*cats_and_dogs("train"), "test*8"],
            {"train": TWO},
            "'test' (8 pictures, for test by its name, without class folders)",
        ),
        (
            [*cats_and_dogs("train"), "test/images*8"],
            {"train": TWO},
            "'test' (8 pictures, for test by its name, without class folders)",
        ),
        ([*cats_and_dogs("train"), "test/test*8"], {"train": TWO}, "without class folders"),
        ([*cats_and_dogs("train"), "test/unknown*8"], {"train": TWO}, "without class folders"),
        (
            [*cats_and_dogs("train", "val"), "test*8"],
            {"train": TWO, "validation": TWO},
            "without class folders",
        ),
        (
            [*cats_and_dogs("train", "test"), "unlabeled*9"],
            {"train": TWO, "test": TWO, "unlabelled": {"": 9}},
            "unlabelled from 'unlabeled': 9",
        ),
        (
            [*cats_and_dogs("train", "test"), "train/unlabelled*9"],
            {"train": TWO, "test": TWO, "unlabelled": {"": 9}},
            "unlabelled from 'train/unlabelled': 9",
        ),
        (
            [*cats_and_dogs("train", "test"), "pred*9"],
            {"train": TWO, "test": TWO},
            "'pred' (9 pictures, unlabelled by its name; rename it if it is a class)",
        ),
        (
            ["cat", "dog", "unsup/part1*9", "unsup/part2*3"],
            {"train": TWO, "unlabelled": {"": 12}},
            "unlabelled from 'unsup': 12",
        ),
        (
            ["labeled/cat", "labeled/dog", "unlabeled*9"],
            {"train": TWO, "unlabelled": {"": 9}},
            "unlabelled from 'unlabeled': 9",
        ),
        (
            [*cats_and_dogs("train", "test"), "extra*5"],
            {"train": TWO, "test": TWO},
            "'extra' (5 pictures, in no split)",
        ),
        (
            [*cats_and_dogs("train", "test"), "train*2"],
            {"train": TWO, "test": TWO},
            "2 pictures right in 'train'",
        ),
        (
            ["cat/train", "cat/test", "dog/train", "dog/test"],
            {"train": TWO, "test": TWO},
            "'classes-splits'",
        ),
        (
            ["cat/train", "cat/val", "dog/train", "dog/unlabeled"],
            {"train": TWO, "validation": {"cat": 4}},
            "unlabelled by its name",
        ),
        (["cat", "dog", "test/cat", "test/dog"], {"train": TWO, "test": TWO}, "test from 'test'"),
        (["cat/images", "dog/images"], {"train": TWO}, "'classes'"),
        (["cat/images", "dog"], {"train": TWO}, "'classes'"),
        (
            [*cats_and_dogs("train"), "test*8", "meta*3"],
            {"train": TWO},
            "'meta' (3 pictures, in no split)",
        ),
        (
            [*cats_and_dogs("train", "test"), *cats_and_dogs("data/train")],
            {"train": TWO, "test": TWO},
            "'data' (8 pictures, in no split)",
        ),
        (["a/x/y", "b/z"], {"train": {"a": 4, "b": 4}}, "'classes'"),
        (["cat/cat", "dog"], {"train": TWO}, "'classes'"),
        (["train", "plane"], {"train": {"train": 4, "plane": 4}}, "'classes'"),
        (["valid", "invalid"], {"train": {"valid": 4, "invalid": 4}}, "'classes'"),
        (["test_tube", "beaker"], {"train": {"test_tube": 4, "beaker": 4}}, "'classes'"),
        (
            ["positive_test", "negative_test"],
            {"train": {"positive_test": 4, "negative_test": 4}},
            "'classes'",
        ),
        (
            ["bullet_train", "freight_train", "tram"],
            {"train": {"bullet_train": 4, "freight_train": 4, "tram": 4}},
            "'classes'",
        ),
        (["0", "1"], {"train": {"0": 4, "1": 4}}, "'classes'"),
        (["person1", "person2"], {"train": {"person1": 4, "person2": 4}}, "'classes'"),
        (
            [
                "cat",
                "dog",
                "cat/.ipynb_checkpoints",
                ".git/a",
                "__MACOSX/cat",
                "cat/@eaDir",
                "thumbnails",
            ],
            {"train": TWO},
            "'__MACOSX'",
        ),
        (["cat", "dog*1"], {"train": {"cat": 4, "dog": 1}}, "dog 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_can_be_meant_in_one_way_is_read_so_and_said(tmp_path, folders, splits, said):
    counts, notes = read(tree(tmp_path, *folders))
    assert counts == splits
    assert said in notes


@pytest.mark.parametrize(
    ("folders", "layouts"),
    [
        (["cat", "cat/kittens", "dog"], ["classes", "deepest"]),
        (["animals/cat", "animals/dog", "cars/audi"], ["classes", "deepest"]),
        (["site1/cat", "site1/dog", "site2/cat", "site2/dog"], ["classes", "deepest", "pooled"]),
        (
            ["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog", "fold3/cat", "fold3/dog"],
            ["folds", "pooled"],
        ),
        (
            ["fold_0/cat", "fold_0/dog", "fold_1/cat", "fold_1/dog"],
            ["pooled", "deepest", "classes"],
        ),
        ([*cats_and_dogs("train"), "extra*5"], ["splits", "classes", "deepest"]),
        (["train/steam", "train/diesel", "plane"], ["splits", "classes", "deepest"]),
        (["train", "train/steam", "plane"], ["classes", "deepest"]),
        (["cat", "dog", "test*9"], ["splits", "classes"]),
        (["cat/train", "cat/test", "dog"], ["classes-splits", "classes", "deepest"]),
        (
            ["train/animals/cat", "train/animals/dog", "train/cars/audi", "test/animals/cat"],
            ["splits", "splits-deepest"],
        ),
        (
            ["train/cat", "train/cat/kittens", "train/dog", "test/cat", "test/dog"],
            ["splits", "splits-deepest"],
        ),
        (cats_and_dogs("entrenamiento", "prueba"), ["classes", "deepest", "pooled"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_can_be_read_in_two_ways_is_refused_and_each_reading_can_be_chosen(
    tmp_path, folders, layouts
):
    message = error_of(tree(tmp_path, *folders))
    assert [line.split()[1].rstrip(":") for line in message.splitlines()[1:]] == layouts
    for layout in layouts:
        assert f"'{layout}'" in read(tmp_path, layout)[1]


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["train*8", "test*8"], ["train", "no class folder", "--layout classes"]),
        (["train*8", "test/cat", "test/dog"], ["8 training pictures in no class folder"]),
        (["images/train*8", "images/val*8"], ["no class folder"]),
        (["train/images*8", "test/images*8"], ["8 training pictures in no class folder"]),
        (["fold1", "fold2", "fold3"], ["fold1, fold2, fold3 are parts of one set"]),
        (["images_001/images", "images_002/images"], ["parts of one set", "--layout classes"]),
        (["fold1/train/a", "fold1/train/b", "fold2/train/a", "fold2/train/b"], ["2 data sets"]),
        (["cat", "dog", "wandb/run-1/media"], ["'wandb/run-1/media'", "--layout classes"]),
        (["cat", "dog", "runs/detect/exp", "logs/a"], ["'logs/a', 'runs/detect/exp'"]),
        (
            [*cats_and_dogs("train", "val", "validation")],
            ["val and validation are both validation"],
        ),
        ([*cats_and_dogs("train", "training")], ["train and training are both train"]),
        (["val/cat", "test/cat", "test/dog"], ["no folder of training pictures"]),
        (
            ["mnist/train/0", "mnist/train/1", "mnist/test/0", "digits/train/0", "digits/train/1"],
            ["2 data sets", "digits, mnist"],
        ),
        (
            ["train/train/cat", "train/train/dog", "train/val/cat", "test*3"],
            ["holds splits itself"],
        ),
        ([*cats_and_dogs("train"), "test/cat", "test/wolf"], ["test: wolf", "cat, dog"]),
        ([*cats_and_dogs("train"), "test/wolf"], ["test: wolf"]),
        (["unlabeled*9", "pred*3"], ["only pictures without labels"]),
        (
            ["cat", "dog", "unlabelled/cat", "unlabelled/wolf"],
            ["'unlabelled' holds the folders 'cat', 'wolf'", "put them right into that folder"],
        ),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_be_learned_from_is_named(tmp_path, folders, words):
    message = error_of(tree(tmp_path, *folders))
    assert all(word in message for word in words)


def test_what_a_layout_gives_is_what_the_error_says_of_it(tmp_path):
    message = error_of(tree(tmp_path, "cat", "dog", "test*9", "unlabeled*5"))
    assert "3 classes: cat 4, dog 4, test 9)" in message
    counts, notes = read(tmp_path, "classes")
    assert counts == {"train": {**TWO, "test": 9}, "unlabelled": {"": 5}}
    assert "unlabelled from 'unlabeled': 5" in notes


def test_an_unknown_layout_is_a_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"unknown layout 'class'.*Did you mean 'classes'"):
        find_layout(tree(tmp_path, "cat", "dog"), "class")


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("splits", "no folder of training pictures"),
        ("classes-splits", "no class folder holds a train"),
        ("folds", "fold1, fold2"),
    ],
)
def test_a_layout_that_is_not_there(tmp_path, layout, words):
    assert words in error_of(tree(tmp_path, "cat", "dog"), layout)


def test_folds_are_held_out_by_number(tmp_path):
    names = [f"fold{number}/{name}" for number in (1, 2, 9, 10) for name in ("cat", "dog")]
    counts, notes = read(tree(tmp_path, *names), "folds")
    assert counts == {"train": {"cat": 8, "dog": 8}, "validation": TWO, "test": TWO}
    assert "train from 'fold1', 'fold2'" in notes and "test from 'fold10'" in notes


WORDS = ["train", "test", "val", "eval", "unlabeled", "cat", "dog", "images", "Train", "extra"]
WORDS += ["fold1", "fold2", "fold3", "seg_train", "seg_test", "data", "pred", "cat_train"]


def made_tree(rng, path, depth=0):
    """A folder with any of the words in it, a few levels deep, as a scan would find it."""
    folder = Folder(path, [path / f"{number}.png" for number in range(rng.choice([0, 0, 1, 3]))])
    if depth < rng.choice([1, 2, 3, 4]):
        inner = [
            made_tree(rng, path / name, depth + 1)
            for name in sorted(rng.sample(WORDS, rng.choice([1, 2, 2, 3, 4])))
        ]
        folder.folders = [child for child in inner if child.pictures or child.folders]
    return folder


@pytest.mark.parametrize("asked", FOLDER_LAYOUTS)
def test_every_picture_is_read_once_or_left_out_by_name_or_the_whole_is_refused(asked):
    read_so = 0
    for seed in range(1000):
        root = made_tree(random.Random(seed), Path("data"))
        try:
            layout = understood(root.path, Tree(root), asked)
        except DataError:
            continue
        placed = [path for pictures in layout.splits.values() for path, _ in pictures]
        left_out = next((note for note in layout.notes if note.startswith("left out")), "")
        counted = sum(int(number) for number in re.findall(r"(\d+) pictures?", left_out))
        assert len(placed) == len(set(placed))
        assert " more" in left_out or len(placed) + counted == len(root.below())
        read_so += 1
    assert read_so > 100 or asked == "folds"
