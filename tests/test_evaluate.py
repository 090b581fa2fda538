"""Figures of quality, against hand-computed ones and scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from allotrope.errors import DataError
from allotrope.training.evaluate import confusion, evaluate, in_batches, per_class, scores, softmax

RANDOM = np.random.default_rng(1)
LABELS = RANDOM.integers(0, 3, 200)
LOGITS = RANDOM.normal(size=(200, 3)).astype(np.float32) + 1.5 * np.eye(3, dtype=np.float32)[LABELS]
CLASSES = ("ant", "bee", "cat")


def test_scores_by_hand():
    logits = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32))
    found = scores(logits, np.array([0, 0, 1]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-(np.log(0.9) + np.log(0.4) + np.log(0.8)) / 3, rel=1e-6)
    assert found["auc"] == 1.0


def test_area_is_of_two_classes_only():
    assert "auc" not in scores(LOGITS, LABELS)
    assert "auc" not in scores(LOGITS[:, :2], np.zeros(200, np.int64))
    labels = (LABELS == 1).astype(np.int64)
    probabilities = softmax(LOGITS[:, :2])[:, 1]
    assert scores(LOGITS[:, :2], labels)["auc"] == pytest.approx(metrics.roc_auc_score(labels, probabilities))


def test_large_logits_do_not_overflow():
    found = scores(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), np.array([0, 0]))
    assert found["loss"] == pytest.approx(1e4)


def test_the_whole_account_is_scikit_learns():
    found = evaluate(LOGITS, LABELS, CLASSES)
    predicted = LOGITS.argmax(1)
    assert found["confusion"] == metrics.confusion_matrix(LABELS, predicted).tolist()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(LABELS, predicted)
    for index, row in enumerate(found["per_class"]):
        assert row["class"] == CLASSES[index] and row["support"] == support[index]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[index], recall[index], f1[index]))


def test_classes_that_never_occur_get_zeros_instead_of_nan():
    rows = per_class(confusion(np.array([0, 0]), np.array([0, 1]), 3), CLASSES)
    assert rows[2] == {"class": "cat", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert rows[1]["recall"] == 0.0


def test_the_worst_mistakes_come_first():
    found = evaluate(LOGITS, LABELS, CLASSES, mistakes=5)["mistakes"]
    probabilities = softmax(LOGITS)
    wrong = np.flatnonzero(LOGITS.argmax(1) != LABELS)
    assert len(found) == 5
    assert [m["confidence"] for m in found] == pytest.approx(sorted(probabilities[wrong].max(1), reverse=True)[:5])
    for mistake in found:
        assert mistake["true"] == CLASSES[LABELS[mistake["index"]]] != mistake["predicted"]


def test_a_perfect_network_has_no_mistakes():
    assert evaluate(np.eye(3, dtype=np.float32)[LABELS], LABELS, CLASSES)["mistakes"] == []


@pytest.mark.parametrize(("count", "sizes"), [(7, [7]), (10, [10]), (11, [6, 6]), (25, [9, 9, 9])])
def test_batches_are_all_of_one_size_and_answers_in_order(count, sizes):
    seen = []

    def answer(images):
        seen.append(len(images))
        return images.astype(np.float32)

    images = np.arange(count, dtype=np.uint8)[:, None]
    assert np.array_equal(in_batches(answer, images, batch=10), images)
    assert seen == sizes


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(DataError, match="no images"):
        scores(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no images"):
        in_batches(lambda images: images, np.zeros((0, 2), np.uint8))
