"""Texts are mixed by the network in its training form: the same in every framework."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.architectures.assembled import rows
from allotrope.config import Recipe, Settings
from allotrope.data import Batches
from allotrope.data.examples import SPLITS, Data, Examples
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.raw_bytes import rows_of
from allotrope.inputs.text.text_input import Text
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.rewriting.blending import OTHER, SHARE, with_blending
from allotrope.network.rewriting.joined import joined, trunk_of, with_heads
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.zoo.ngram import Terms
from allotrope.shrinking.distill import distillation
from allotrope.tasks import Classification, Regression
from allotrope.tasks.distilled import taught_targets
from allotrope.training.learner import trainer_for, training_form, unmixed
from allotrope.training.loop import train
from tested import TESTED

RNG = np.random.default_rng(0)
VOCABULARY = np.minimum(np.arange(40), 30).astype(np.int32)
TERMS = Terms(
    rows=VOCABULARY,
    squares=np.r_[0, RNG.uniform(0.5, 2, 30)].astype(np.float32),
    scores=np.r_[np.zeros((1, 3)), RNG.standard_normal((30, 3))].astype(np.float32),
    bias=np.float32([0.1, -0.2, 0.3]),
)
SIZE = zoo.EncoderSize(dimension=16, layers=1, heads=4, intermediate=24, positions=12)
BUILT = {
    "ngram": lambda: zoo.TEXT_NETWORKS["ngram"](3, TERMS, dimension=6),
    "text_cnn": lambda: zoo.TEXT_NETWORKS["text_cnn"](3, VOCABULARY, dimension=6, filters=5),
    "lstm": lambda: zoo.TEXT_NETWORKS["lstm"](3, VOCABULARY, dimension=6, hidden=5),
    "gru": lambda: zoo.TEXT_NETWORKS["gru"](3, VOCABULARY, dimension=6, hidden=5),
    "transformer": lambda: zoo.TEXT_NETWORKS["transformer"](3, VOCABULARY, size=SIZE),
}
EACH = [("reference", name) for name in BUILT] + [("pytorch", name) for name in BUILT]
EACH = [pair for pair in EACH if pair[0] in ("reference", *TESTED)]
EACH += [(framework, "text_cnn") for framework in TESTED if framework != "pytorch"]
"""The nodes that blend are the same for all networks, and slow to compile: others blend one."""
OTHERS = np.array([3, 0, 4, 2, 1])
SHARES = np.float32([0.75, 1.0, 0.0, 0.5, 0.125])
DY = RNG.standard_normal((5, 3)).astype(np.float32)


def texts():
    """Words of five texts of different lengths, one of them empty: int32 [5, 12]."""
    words = np.zeros((5, 12), np.int32)
    for row, length in zip(words, [6, 1, 0, 3, 11], strict=True):
        row[:length] = RNG.integers(1, 40, length)
    return words


@pytest.mark.parametrize(("framework", "name"), EACH)
def test_a_blended_batch_is_the_mixture_of_two(framework, name):
    """Outputs, and gradients if there are any, by hand: of the texts and of their partners."""
    network = BUILT[name]()
    (x,), words, column = network.inputs, texts(), SHARES[:, None]
    learning = with_blending(network, [x.name])
    assert learning.weights.keys() == network.weights.keys()
    assert learning.trainable == network.trainable
    assert [y.name for y in learning.outputs] == ["fc"]

    mixing = {x.name: words, OTHER: OTHERS, SHARE: SHARES}
    own, partner = ({x.name: rows} for rows in (words, words[OTHERS]))
    by_hand = network.run(own, framework)["fc"] * column
    by_hand += network.run(partner, framework)["fc"] * (1 - column)
    blended = learning.run(mixing, framework)["fc"]
    np.testing.assert_allclose(blended, by_hand, rtol=1e-4, atol=1e-6)
    if framework == "reference":
        return
    gradients = learning.gradients(mixing, {"fc": DY}, framework)
    first = network.gradients(own, {"fc": DY * column}, framework)
    second = network.gradients(partner, {"fc": DY * (1 - column)}, framework)
    assert first.keys() == gradients.keys() - {SHARE}
    for weight in first:
        together = first[weight] + second[weight]
        np.testing.assert_allclose(gradients[weight], together, 1e-4, 1e-5, err_msg=weight)


@pytest.mark.parametrize(("framework", "name"), EACH)
def test_with_a_share_of_one_texts_are_what_they_were_to_the_bit(framework, name):
    network = BUILT[name]()
    (x,), words = network.inputs, texts()
    mixing = {x.name: words, OTHER: OTHERS, SHARE: np.ones(5, np.float32)}
    blended = with_blending(network, [x.name]).run(mixing, framework)["fc"]
    np.testing.assert_array_equal(blended, network.run({x.name: words}, framework)["fc"])


COUNT = 48
SAID = [f"a text of {'few ' * (row % 3)}words {row % 2} and {row}" for row in range(COUNT)]
COLUMNS = {
    "text": rows_of(SAID, 48),
    "row": np.stack([np.arange(COUNT) % 5, np.arange(COUNT) % 2], 1).astype(np.float32),
    "label": np.arange(COUNT) % 2,
    "height": np.arange(COUNT).astype(np.float64),
}
RECIPE = Recipe(optimizer="adamw", batch_size=16, epochs=2, augmentation="none", mixup=0.5)


def data_of(*names, tasks=("label",)):
    inputs = {
        "text": Text(name="text", longest=48),
        "row": Table(name="row", columns=("a", "b")).fitted(COLUMNS["row"]),
    }
    every = {
        "label": Classification(name="label", classes=("a", "b")),
        "height": Regression(name="height"),
    }
    return Data(
        "made",
        tuple(inputs[name] for name in names),
        tuple(every[name] for name in tasks),
        dict.fromkeys(SPLITS, Examples(COLUMNS)),
    )


def network_for(data, hidden=0):
    """A small trunk an input, their features joined, a head a task."""
    vocabulary = np.r_[0, 1 + np.arange(2**18 - 1) % 50].astype(np.int32)
    still = {"dropout": 0.0, "word_dropout": 0.0}
    words = zoo.TEXT_NETWORKS["text_cnn"](2, vocabulary, dimension=4, filters=3, **still)
    trunks = {}
    for each in data.inputs:
        built = words
        if isinstance(each, Table):
            built = named_after(rows(each, 0, {}), [each.name], ["y"])
        prepared = each.prepare(built)
        (y,) = prepared.outputs
        trunks[each.name] = trunk_of(named_after(prepared, [each.name], [y.name]))
    return with_heads(joined(trunks), {task.name: task.size for task in data.tasks}, 0, hidden)


def test_numbers_beside_a_text_are_mixed_before_the_network_and_the_text_within():
    data = data_of("text", "row")
    network, batch = network_for(data), Batches(data, RECIPE).batch(0, 0)
    answers = with_blending(network, ["text"]).run(batch.inputs)["label"]
    # The last layer is linear, so that with the same rows its answers are as mixed as the texts.
    text, row, share = batch.inputs["text"], batch.inputs["row"], batch.inputs[SHARE][:, None]
    own = network.run({"text": text, "row": row})["label"]
    partner = network.run({"text": text[batch.inputs[OTHER]], "row": row})["label"]
    np.testing.assert_allclose(answers, own * share + partner * (1 - share), rtol=1e-5, atol=1e-6)
    assert not np.allclose(answers, own, atol=1e-4)


@pytest.mark.parametrize(
    ("framework", "precision"), [(TESTED[0], "float32"), *((name, "bfloat16") for name in TESTED)]
)
def test_training_goes_on_blended_batches_and_is_validated_on_texts_as_they_are(
    framework, precision
):
    data = data_of("text", "row", tasks=("label", "height"))
    network, batch = network_for(data, hidden=4), Batches(data, RECIPE).batch(0, 0)
    trains = find_framework(framework)
    trainer = trainer_for(trains, network, data, RECIPE, Settings(precision=precision))
    taken = {name: batch.inputs[name] for name in ("text", "row")}
    answers = trainer.evaluate(unmixed(data, RECIPE, taken))
    expected, near = network.run(taken), 1e-4 if precision == "float32" else 0.1
    for name in expected:
        np.testing.assert_allclose(answers[name], expected[name], rtol=near, atol=near)
    losses = [float(trainer.step(batch, 0.01, step)) for step in (1, 2, 3, 4)]
    if precision == "float32":
        # A batch that was cut short, as a race of settings cuts it, is one too.
        losses.append(float(trainer.step(batch.first(5), 0.01, 5)))
    assert losses[3] < losses[0] and np.isfinite(losses).all()
    assert trainer.weights().keys() == network.weights.keys()


@pytest.mark.parametrize("framework", [name for name in TESTED if name != "pytorch"])
def test_frameworks_learn_alike_from_blended_texts(framework):
    data = data_of("text")
    network = network_for(data)

    def history(name):
        trained = train(network, data, RECIPE, Settings(), name)
        assert [value.name for value in trained.network.inputs] == ["text"]
        return [(row["loss"], row["validation_loss"]) for row in trained.history]

    np.testing.assert_allclose(history(framework), history("pytorch"), rtol=2e-4)


def test_a_teacher_is_asked_about_the_blended_texts():
    data = data_of("text", "row")
    teacher, batch = network_for(data), Batches(data, RECIPE).batch(0, 0)
    teaching = distillation(teacher, data, RECIPE, "pytorch", Settings())
    taught = teaching.teach(batch, teacher.run)
    said = taught_targets(data.tasks, with_blending(teacher, ["text"]).run(batch.inputs))
    for name, expected in said.items():
        np.testing.assert_allclose(taught.targets[name], expected, rtol=1e-4, atol=1e-5)


def test_without_mixing_nothing_is_rewritten():
    data = data_of("text")
    taken = {"text": COLUMNS["text"]}
    assert unmixed(data, replace(RECIPE, mixup=None), taken) is taken
    assert unmixed(data_of("row"), RECIPE, taken) is taken
    network = network_for(data)
    assert training_form(network, data, replace(RECIPE, mixup=None)) is network
    assert len(training_form(network, data, RECIPE).inputs) == 3


def test_what_is_no_row_where_other_inputs_come_in_is_refused():
    build = Builder("crossing")
    words = build.input("words", np.float32, ("n", "w", 4))
    other = build.input("other", np.float32, ("n", 1, 4))
    build.output(build.add("Add", [build.add("Relu", [words]), other]), "y")
    with pytest.raises(UsageError, match=r"of 'words' before other inputs come in: .* \[n, f\]"):
        with_blending(build.network(), ["words"])
