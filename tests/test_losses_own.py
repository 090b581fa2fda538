"""Losses are equal in frameworks, slopes too, and those that others have of that name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.architectures.chosen import with_task_weights
from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network import zoo
from allotrope.network.rewriting.named_after import named_after
from allotrope.tasks import Classification, MultiLabel, Regression
from allotrope.tasks.class_losses import CLASS_LOSSES
from allotrope.tasks.embedding_head import without_embeddings
from allotrope.tasks.embedding_losses import (
    EMBEDDING_LOSSES,
    MARGIN,
    TEMPERATURE,
    supervised_contrastive,
    triplet,
)
from allotrope.tasks.flag_losses import FLAG_LOSSES
from allotrope.tasks.regression_losses import REGRESSION_LOSSES, regression_loss
from allotrope.tasks.several import trained_by
from eager_primitives import primitives_of

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(4)
CODES = np.array([0, 1, 2, 0, 3, 1, 1])
TARGET = np.eye(4)[CODES]
LOGITS = RANDOM.standard_normal(TARGET.shape) * 2
WEIGHT = np.array([1.0, 0.5, 0.0, 2.0, 1.0, 1.0, 1.0])
EMBEDDED = RANDOM.standard_normal((7, 5))
EMBEDDED /= np.linalg.norm(EMBEDDED, axis=1, keepdims=True)
P = ReferencePrimitives()
CLASSES = {f"classes {name}": compute for name, compute in CLASS_LOSSES.items()}
FLAGS = {f"flags {name}": compute for name, compute in FLAG_LOSSES.items()}
QUANTITIES = {
    f"quantity {name}": lambda p, x, t, w, name=name: regression_loss(p, name, x, p.abs(t), w, 0.8)
    for name in REGRESSION_LOSSES
}
LOSSES = CLASSES | FLAGS | QUANTITIES | EMBEDDING_LOSSES


def operand(name):
    return EMBEDDED if name in EMBEDDING_LOSSES and name != "center" else LOGITS


def reference_slope(compute, x):
    """By central differences, at points where no loss has a kink."""
    slopes, step = np.zeros_like(x), 1e-6
    for place in np.ndindex(*x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        high, low = (float(compute(P, each, TARGET, WEIGHT)) for each in moved)
        slopes[place] = (high - low) / (2 * step)
    return slopes


def slopes(framework, compute, p, x):
    target, weight = p.constant(TARGET), p.constant(WEIGHT)
    if framework == "pytorch":
        x = torch.tensor(x, requires_grad=True)
        compute(p, x, target, weight).backward()
        return x.grad.numpy()
    if framework == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: compute(p, x, target, weight))(jax.numpy.asarray(x)))
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = compute(p, x, target, weight)
    return tape.gradient(loss, x).numpy()


def test_frameworks_have_the_references_losses_and_slopes(framework):
    by_pytorch = {}
    if framework != "pytorch":
        with primitives_of("pytorch") as p:
            by_pytorch = {n: slopes("pytorch", f, p, operand(n)) for n, f in LOSSES.items()}
    with primitives_of(framework) as p:
        for name, compute in LOSSES.items():
            x = operand(name)
            expected = float(compute(P, x, TARGET, WEIGHT))
            arrays = [p.constant(each) for each in (x, TARGET, WEIGHT)]
            actual = float(p.to_host(compute(p, *arrays)))
            assert actual == pytest.approx(expected, rel=1e-10, abs=1e-10), name
            if framework == "reference":
                continue
            own = slopes(framework, compute, p, x)
            exact = by_pytorch.get(name, own)
            np.testing.assert_allclose(own, exact, rtol=1e-10, atol=1e-10, err_msg=name)
            if framework == "pytorch":
                near = reference_slope(compute, x)
                np.testing.assert_allclose(own, near, rtol=1e-5, atol=1e-6, err_msg=name)


def loss_of(name, x=LOGITS, target=TARGET):
    return float(LOSSES[name](P, x, target, None))


def test_they_are_those_of_pytorch():
    nn, x, t = torch.nn, torch.tensor(LOGITS), torch.tensor(TARGET)
    logarithms = torch.log_softmax(x, -1)
    soft = 0.9 * t + 0.1 / 4
    divergence = nn.KLDivLoss(reduction="batchmean")(logarithms, soft)
    own = CLASS_LOSSES["kl-divergence"](P, LOGITS, TARGET, None, label_smoothing=0.1)
    assert float(own) == pytest.approx(float(divergence), rel=1e-10)
    assert loss_of("quantity poisson") == pytest.approx(float(nn.PoissonNLLLoss()(x, t)), rel=1e-10)
    assert loss_of("quantity huber") == pytest.approx(float(nn.HuberLoss()(x, t)), rel=1e-10)


def test_they_are_those_of_keras():
    """Which keeps them in float32, as it does its metrics, unless it is told otherwise."""
    keras = pytest.importorskip("keras")
    sides = 2 * TARGET - 1
    for name, theirs in (
        ("hinge", keras.losses.Hinge),
        ("squared-hinge", keras.losses.SquaredHinge),
    ):
        expected = float(theirs(dtype="float64")(sides, LOGITS))
        assert loss_of(f"classes {name}") == pytest.approx(expected, rel=1e-10)
        assert loss_of(f"flags {name}") == pytest.approx(expected, rel=1e-10)


def test_the_quantile_is_scikit_learns():
    from sklearn.metrics import mean_pinball_loss

    expected = mean_pinball_loss(TARGET, LOGITS, alpha=0.8)
    assert loss_of("quantity quantile") == pytest.approx(expected, rel=1e-10)


def test_triplets_are_the_hardest_of_a_batch():
    distances = ((EMBEDDED[:, None] - EMBEDDED[None]) ** 2).sum(-1)
    same, own = CODES[:, None] == CODES[None], np.eye(7, dtype=bool)
    each = []
    for row in range(7):
        others, apart = same[row] & ~own[row], ~same[row]
        if others.any() and apart.any():
            short = distances[row][others].max() - distances[row][apart].min() + MARGIN
            each.append(max(0.0, short))
        else:
            each.append(0.0)
    assert float(triplet(P, EMBEDDED, TARGET, None)) == pytest.approx(np.mean(each), rel=1e-10)


def test_contrast_is_that_of_the_paper():
    likeness, each = EMBEDDED @ EMBEDDED.T / TEMPERATURE, []
    for row in range(7):
        others = [at for at in range(7) if at != row]
        positive = [at for at in others if CODES[at] == CODES[row]]
        total = np.log(sum(np.exp(likeness[row, at]) for at in others))
        terms = [total - likeness[row, at] for at in positive]
        each.append(np.mean(terms) if terms else 0.0)
    actual = float(supervised_contrastive(P, EMBEDDED, TARGET, None))
    assert actual == pytest.approx(np.mean(each), rel=1e-9)


def test_a_loss_says_which_tasks_it_fits():
    label = Classification(name="kind", classes=("a", "b"))
    labels = {"kind": np.array([0, 1])}
    with pytest.raises(UsageError, match=r"poisson is for regression, and 'kind' \(classification"):
        trained_by([label], Recipe(loss="poisson"), labels)
    with pytest.raises(UsageError, match=r"loss for these tasks 'hing'\. Did you mean 'hin"):
        trained_by([label], Recipe(loss="hing"), labels)
    flags = MultiLabel(name="flags", labels=("a", "b"))
    with pytest.raises(UsageError, match="triplet is for classification, and 'flags'"):
        trained_by([flags], Recipe(loss="triplet"), {"flags": np.eye(2)})


def test_counts_are_answered_in_counts():
    counts = np.array([0.0, 3.0, 5.0, 12.0])
    (task,) = trained_by([Regression(name="visits")], Recipe(loss="poisson"), {"visits": counts})
    assert (task.mean, task.deviation) == ((0.0,), (5.0,))
    raw = np.log(np.array([[0.5], [2.0]]))
    np.testing.assert_allclose(task.answers(raw), [[2.5], [10.0]])
    np.testing.assert_allclose(task.raw(task.answers(raw)), raw)
    network = zoo.mlp(2, (1, 2, 2))
    network = named_after(zoo.table_mlp({"visits": 1}, 3), ["x"], ["visits", "visits.members"])
    x = {"x": np.ones((2, 3), np.float32)}
    answer = task.finish(network).run(x)["visits"]
    np.testing.assert_allclose(answer, task.answers(network.run(x)["visits"]), rtol=1e-5)
    with pytest.raises(UsageError, match=r"poisson is for counts, and 'visits' has 1 val"):
        trained_by([Regression(name="visits")], Recipe(loss="poisson"), {"visits": counts - 1})


@pytest.mark.parametrize("loss", EMBEDDING_LOSSES)
def test_an_embedding_is_learned_beside_and_not_delivered(loss):
    network = zoo.mlp(3, (1, 4, 4), hidden=(8,))
    task = Classification(name="logits", classes=("a", "b", "c"))
    reasons = []
    changed = with_task_weights(network, Recipe(loss=loss), [task], reasons)
    assert [value.name for value in changed.outputs] == ["logits", "logits.embedding"]
    assert loss in reasons[0] and len(changed.trainable) == len(network.trainable) + 1
    x = RANDOM.standard_normal((5, 1, 4, 4)).astype(np.float32)
    outputs = changed.run({"x": x})
    np.testing.assert_array_equal(outputs["logits"], network.run({"x": x})["logits"])
    if loss == "center":
        features = network.changed(
            graph=replace(network.graph, outputs=(network.graph.values["fc1.relu"],))
        ).run({"x": x})["fc1.relu"]
        centers = changed.weights["logits.embedding.centers"]
        expected = ((features[:, None] - centers[None]) ** 2).sum(-1)
        np.testing.assert_allclose(outputs["logits.embedding"], expected, rtol=1e-4)
    else:
        np.testing.assert_allclose(np.linalg.norm(outputs["logits.embedding"], axis=1), 1, 1e-5)
    delivered = without_embeddings(changed)
    assert set(delivered.weights) == set(network.weights)


def test_embeddings_are_for_one_classification():
    quantity = Regression(name="age")
    with pytest.raises(UsageError, match="center is for one classification alone"):
        with_task_weights(zoo.mlp(2, (1, 2, 2)), Recipe(loss="center"), [quantity], [])
