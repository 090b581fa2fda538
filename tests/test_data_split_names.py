"""Which words in a folder's name say that it is a split, and which."""

from __future__ import annotations

import pytest

from allotrope.data.split_names import is_fold, split_name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *[
            (name, "train")
            for name in (
                "train",
                "Train",
                "TRAINING",
                "trn",
                "seg_train",
                "asl_alphabet_train",
                "train-set",
            )
        ],
        *[
            (name, "train")
            for name in (
                "trainSet",
                "TrainImages",
                "images_train",
                "imagestrain",
                "train2017",
                "01_train",
            )
        ],
        *[
            (name, "train")
            for name in (
                "Training Data",
                "train (1)",
                "trainval",
                "train_val",
                "training.set",
                "данные_train",
            )
        ],
        *[
            (name, "validation")
            for name in (
                "val",
                "valid",
                "VALIDATION",
                "validate",
                "dev",
                "DevSet",
                "val2017",
                "valid_set",
            )
        ],
        *[(name, "evaluation") for name in ("eval", "Evaluation", "eval_set")],
        *[
            (name, "test")
            for name in (
                "test",
                "testing",
                "tst",
                "holdout",
                "hold-out",
                "held_out",
                "HoldOut",
                "testset",
                "test_images",
            )
        ],
        *[
            (name, "unlabelled")
            for name in (
                "unlabeled",
                "Unlabelled",
                "no_labels",
                "train_unlabeled",
                "seg_pred",
                "unlabeled_data",
            )
        ],
        *[
            (name, None)
            for name in (
                "cat",
                "invalid",
                "contest",
                "trains",
                "strain",
                "latest",
                "train_test_split",
                "détente",
                "",
            )
        ],
    ],
)
def test_names_of_splits(name, split):
    reading = split_name(name)
    assert (reading.split if reading else None) == split


def test_other_words_in_a_name_are_kept_apart():
    assert split_name("asl_alphabet_train").others == ("asl", "alphabet")
    assert not split_name("test_tube").pure
    assert split_name("Train_Set2").pure


@pytest.mark.parametrize(
    ("name", "fold"),
    [("fold1", True), ("Fold_0", True), ("k-fold 3", True), ("folder1", False), ("fold", False)],
)
def test_names_of_folds(name, fold):
    assert is_fold(name) is fold
