"""Classification: its losses against PyTorch's, its figures against scikit-learn's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.zoo import mlp
from allotrope.tasks import Classification, task_of
from allotrope.tasks.class_losses import (
    class_weights,
    cross_entropy,
    focal,
    mean_squared_error,
    ordinal,
)
from allotrope.tasks.confusion import confusion, per_class, quadratic_kappa
from allotrope.tasks.probabilities import softmax
from allotrope.tasks.several import trained_by
from allotrope.testing import TaskContract
from tested import InEach

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(1)
LABELS = RANDOM.integers(0, 3, 200)
LOGITS = RANDOM.normal(size=(200, 3)).astype(np.float32)
LOGITS += 1.5 * np.eye(3, dtype=np.float32)[LABELS]
TASK = Classification(name="animal", classes=("ant", "bee", "cat"))

SOFT = RANDOM.dirichlet(np.ones(3), size=200)
WEIGHTS = np.array([0.5, 1.0, 1.5])


class TestClassification(InEach, TaskContract):
    task = TASK
    labels = LABELS
    right = 4 * np.eye(3, dtype=np.float32)[LABELS] + LOGITS / 4
    gappy = np.where(np.arange(200) % 5 == 0, -1, LABELS)


class TestClassificationByF1(TestClassification):
    task = TASK.decided_by("macro_f1")


class TestGradesByKappa(TestClassification):
    task = replace(TASK, classes=("0", "1", "2")).decided_by("quadratic_kappa")


def test_kappa_is_scikit_learns_and_counts_how_far_answers_are_off():
    task = TestGradesByKappa.task
    scores = task.scores(LOGITS, LABELS)["quadratic_kappa"]
    expected = metrics.cohen_kappa_score(LABELS, LOGITS.argmax(1), weights="quadratic")
    assert scores == pytest.approx(expected) == task.answered(softmax(LOGITS), LABELS)
    near = np.array([[9, 3, 0], [0, 9, 0], [0, 0, 9]])
    far = np.array([[9, 0, 3], [0, 9, 0], [0, 0, 9]])
    assert 1 > quadratic_kappa(near) > quadratic_kappa(far) > 0
    assert quadratic_kappa(np.diag([3, 2, 1])) == 1 and quadratic_kappa(np.diag([3, 0, 0])) == 0


class TestGradesByTheirOrder(TestGradesByKappa):
    task = replace(TestGradesByKappa.task, minimized="ordinal")


WITHOUT_ORDER = [("mild", "none", "severe"), ("0", "1"), ("1", "2", "2a"), ("1", "10", "2")]


@pytest.mark.parametrize("classes", WITHOUT_ORDER)
def test_what_needs_an_order_is_refused_for_classes_without(classes):
    task = Classification(name="grade", classes=classes)
    with pytest.raises(UsageError, match="needs classes in an order, found"):
        task.decided_by("quadratic_kappa")
    labels, recipe = {"grade": np.arange(9) % len(classes)}, Recipe(loss="ordinal")
    with pytest.raises(UsageError, match=r"loss ordinal does not fit 'grade': .* found"):
        trained_by([task], recipe, labels)
    # Beside one that has an order it keeps its usual loss.
    graded = Classification(name="size", classes=("-1", "0", "12"))
    tasks = trained_by([task, graded], recipe, labels | {"size": np.arange(9) % 3})
    assert [each.minimized for each in tasks] == ["cross-entropy", "ordinal"]


class TestFocalClassification(TestClassification):
    task = replace(TASK, minimized="focal")


class TestTwoClassesByArea(InEach, TaskContract):
    task = Classification(name="sick", classes=("no", "yes")).decided_by("auc")
    labels = LABELS % 2
    right = 4 * np.eye(2, dtype=np.float32)[LABELS % 2] + LOGITS[:, :2] / 2
    gappy = np.where(np.arange(200) % 5 == 0, -1, LABELS % 2)


def by_reference(compute, **options):
    logits = LOGITS.astype(np.float64)
    return float(compute(ReferencePrimitives(), logits, SOFT, **options))


def by_pytorch(compute, **options):
    logits = torch.from_numpy(LOGITS.astype(np.float64))
    return float(compute(PyTorchPrimitives(), logits, torch.from_numpy(SOFT), **options))


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_pytorchs(run, smoothing, weights):
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(LOGITS.astype(np.float64)),
        torch.from_numpy(SOFT),
        weight=None if weights is None else torch.from_numpy(weights),
        label_smoothing=smoothing,
    )
    loss = run(cross_entropy, label_smoothing=smoothing, weights=weights)
    assert loss == pytest.approx(float(expected), rel=1e-12)


def test_cross_entropy_by_hand():
    logits, target = np.array([[0.0, np.log(3.0)], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    loss = cross_entropy(ReferencePrimitives(), logits, target)
    assert float(loss) == pytest.approx((np.log(4.0) + np.log(2.0)) / 2)


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
def test_the_focal_loss_by_its_formula(run):
    smooth = (0.9 * SOFT + 0.1 / 3) * WEIGHTS
    probabilities = softmax(LOGITS)
    expected = -(smooth * (1 - probabilities) ** 2 * np.log(probabilities)).sum(1).mean()
    loss = run(focal, label_smoothing=0.1, weights=WEIGHTS)
    assert loss == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
def test_mean_squared_error_is_of_probabilities(run):
    probabilities = softmax(LOGITS)
    smooth = 0.9 * SOFT + 0.1 / 3
    assert run(mean_squared_error) == pytest.approx(np.mean((probabilities - SOFT) ** 2))
    expected = np.mean(((probabilities - smooth) ** 2).mean(1) * (smooth * WEIGHTS).sum(1))
    loss = run(mean_squared_error, label_smoothing=0.1, weights=WEIGHTS)
    assert loss == pytest.approx(expected)


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
def test_the_ordinal_loss_by_its_formula(run):
    smooth = 0.9 * SOFT + 0.1 / 3
    beyond, known = (np.cumsum(x[:, ::-1], 1)[:, 1::-1] for x in (softmax(LOGITS), smooth))
    each = known * np.log(beyond) + (1 - known) * np.log(1 - beyond)
    expected = -np.mean(each.mean(1) * (smooth * WEIGHTS).sum(1))
    loss = run(ordinal, label_smoothing=0.1, weights=WEIGHTS)
    assert loss == pytest.approx(expected, rel=1e-6)


def test_the_ordinal_loss_grows_with_how_far_off_an_answer_is():
    p, target = ReferencePrimitives(), np.eye(5)[:1]
    sure = [float(ordinal(p, 8 * np.eye(5)[[said]], target)) for said in range(5)]
    assert sure == sorted(sure) and sure[4] > 3 * sure[1]
    # However sure, it is a number, and so is its slope.
    assert float(ordinal(p, 1e4 * np.eye(5)[[4]], target)) == pytest.approx(1e4, rel=1e-3)
    # Of two classes it is the cross-entropy.
    logits, soft = LOGITS[:, :2].astype(np.float64), SOFT[:, :2] / SOFT[:, :2].sum(1)[:, None]
    assert float(ordinal(p, logits, soft)) == pytest.approx(float(cross_entropy(p, logits, soft)))


def test_balanced_class_weights_give_each_class_the_same_sum_and_the_data_a_mean_of_one():
    counts = np.array([10, 30, 60, 0])
    weights = class_weights("balanced", counts)
    assert weights * counts == pytest.approx([100 / 3, 100 / 3, 100 / 3, 0])
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1.0)


def test_the_recipe_says_loss_smoothing_and_weights():
    labels = np.repeat([0, 1, 2], [1, 2, 3])
    task = TASK.trained_by(Recipe(class_weights="balanced", label_smoothing=0.1), labels)
    weights = class_weights("balanced", np.array([1, 2, 3]))
    expected = by_reference(cross_entropy, label_smoothing=0.1, weights=weights)
    loss = task.loss(ReferencePrimitives(), LOGITS.astype(np.float64), SOFT, None)
    assert float(loss) == pytest.approx(expected)
    squared = TASK.trained_by(Recipe(loss="huber,mean-squared-error"), labels)
    assert squared.minimized == "mean-squared-error"


def test_logits_are_adjusted_by_how_frequent_classes_are():
    labels = np.repeat([0, 1, 2], [1, 2, 3])
    task = TASK.trained_by(Recipe(loss="logit-adjusted"), labels)
    adjusted = LOGITS + np.log(np.array([1, 2, 3]) / 6)
    expected = -(SOFT * np.log(softmax(adjusted))).sum(1).mean()
    loss = task.loss(ReferencePrimitives(), LOGITS.astype(np.float64), SOFT, None)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    plain = TASK.trained_by(Recipe(), labels)
    assert task.scores(LOGITS, LABELS)["loss"] == plain.scores(LOGITS, LABELS)["loss"]
    assert task_of(task.facts()) == task
    drawn = TASK.trained_by(Recipe(loss="logit-adjusted", sampling="balanced"), labels)
    assert drawn.log_shares is None


def test_an_unknown_weighting_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'balanced'"):
        TASK.trained_by(Recipe(class_weights="balance"), LABELS)


def test_scores_by_hand():
    task = Classification(name="sick", classes=("no", "yes"))
    logits = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32))
    scores = task.scores(logits, np.array([0, 0, 1]))
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["loss"] == pytest.approx(-(np.log(0.9) + np.log(0.4) + np.log(0.8)) / 3, rel=1e-6)
    assert scores["auc"] == 1.0


def test_the_area_is_of_two_classes_only():
    two = Classification(name="sick", classes=("no", "yes"))
    assert set(TASK.scores(LOGITS, LABELS)) == {"accuracy", "loss"}
    assert "auc" not in two.scores(LOGITS[:, :2], np.zeros(200, np.int64))
    labels = (LABELS == 1).astype(np.int64)
    area = two.scores(LOGITS[:, :2], labels)["auc"]
    assert area == pytest.approx(metrics.roc_auc_score(labels, softmax(LOGITS[:, :2])[:, 1]))
    with pytest.raises(UsageError, match="needs two classes, found 3"):
        TASK.decided_by("auc")


def test_the_whole_account_is_scikit_learns():
    account = TASK.account(LOGITS, LABELS)
    predicted = LOGITS.argmax(1)
    assert account["confusion"] == metrics.confusion_matrix(LABELS, predicted).tolist()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(LABELS, predicted)
    for index, row in enumerate(account["per_class"]):
        assert row["class"] == TASK.classes[index] and row["support"] == support[index]
        figures = (row["precision"], row["recall"], row["f1"])
        assert figures == pytest.approx((precision[index], recall[index], f1[index]))
    macro = TASK.decided_by("macro_f1").scores(LOGITS, LABELS)["macro_f1"]
    assert macro == pytest.approx(metrics.f1_score(LABELS, predicted, average="macro"))


def test_classes_that_never_occur_get_zeros_instead_of_nan():
    rows = per_class(confusion(np.array([0, 0]), np.array([0, 1]), 3), TASK.classes)
    assert rows[2] == {"class": "cat", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert rows[1]["recall"] == 0.0


def test_the_worst_mistakes_come_first():
    gappy = np.where(np.arange(200) < 20, -1, LABELS)
    mistakes = TASK.account(LOGITS, gappy, listed=5)["mistakes"]
    probabilities = softmax(LOGITS)
    wrong = np.flatnonzero((LOGITS.argmax(1) != LABELS) & (gappy >= 0))
    worst = sorted(probabilities[wrong].max(1), reverse=True)[:5]
    assert [mistake["confidence"] for mistake in mistakes] == pytest.approx(worst)
    for mistake in mistakes:
        assert mistake["index"] in wrong
        assert mistake["true"] == TASK.classes[LABELS[mistake["index"]]] != mistake["predicted"]


def test_a_perfect_network_has_no_mistakes():
    assert TASK.account(np.eye(3, dtype=np.float32)[LABELS], LABELS)["mistakes"] == []


@pytest.mark.parametrize(
    ("split", "labels", "problem"),
    [
        ("train", [1, 1, -1], "'animal' is always 'bee' in train"),
        ("test", [-1, -1, -1], "'animal' has no label in test"),
        ("validation", [0, 3, 1], "'animal' has class 3 in validation, expected below 3"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_named(split, labels, problem):
    assert TASK.problems(split, np.array(labels)) == [problem]


def test_the_only_output_also_says_its_classes_as_files_always_did():
    network = Classification(name="logits", classes=("a", "b")).finish(mlp(2, (1, 2, 2)))
    assert network.metadata["classes"] == '["a", "b"]'
