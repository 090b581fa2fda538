"""The race of networks for texts: who takes part, who wins, and that there is time for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope import read
from allotrope.architectures.choose import choose
from allotrope.architectures.text_networks import MANY, contenders_for
from allotrope.config import Settings
from allotrope.data import SPLITS, Data, Examples
from allotrope.inputs.text.text_input import Text
from allotrope.progress import Progress
from allotrope.verbs.pipeline.network_race import Share, raced

ONE_THREAD = Settings(threads=1)
WORDS = ("the film was a story of two friends at the sea", "great fine lovely", "awful dull poor")


@pytest.fixture(scope="module")
def data():
    """Reviews that the order of two words decides: not good, or good not; a bag cannot tell."""
    rng = np.random.default_rng(0)
    texts, labels = [], []
    for row in range(240):
        words = list(rng.choice(WORDS[0].split(), 6))
        at = rng.integers(0, 5)
        words[at : at + 2] = ("not", "good") if row % 2 else ("good", "not")
        texts.append(" ".join(words))
        labels.append("no" if row % 2 else "yes")
    return read({"text": texts, "label": labels}, target="label", input="text=text")


def build_with(data, spoiled=""):
    """Builds networks that know nothing yet; the spoiled one does not learn either."""

    def build(name):
        overrides = {"batch_size": 20, "augmentation": "none", "learning_rate": 0.03}
        choice = choose(data, name, overrides, epochs=30)
        head = {key: x for key, x in choice.network.weights.items() if key.startswith("head")}
        blank = choice.network.with_weights({key: np.zeros_like(x) for key, x in head.items()})
        rate = 0.0 if name == spoiled else 0.03
        return replace(choice, network=blank, recipe=replace(choice.recipe, learning_rate=rate))

    return build


def test_few_networks_suit_texts_alone(data):
    assert contenders_for(data, "auto") == ("text_cnn", "gru")
    assert contenders_for(data, "lstm") == ("lstm",)
    rows = np.zeros((MANY, 32), np.uint8)
    text = Text(name="text", longest=32)
    splits = dict.fromkeys(SPLITS, Examples({"text": rows}))
    many = Data("many", (text,), data.tasks, splits)
    assert contenders_for(many, "auto") == ("text_cnn", "gru", "transformer")
    long = replace(many, inputs=(Text(name="text", longest=4096),))
    assert contenders_for(long, "auto") == ("auto",)
    beside = replace(many, inputs=(text, Text(name="title", longest=32)))
    assert contenders_for(beside, "auto") == ("auto",)


@pytest.mark.parametrize("spoiled", ["text_cnn", "gru"])
def test_who_answers_better_wins_and_begins_anew(data, spoiled):
    build = build_with(data, spoiled)
    choice = raced(("text_cnn", "gru"), build, data, "pytorch", ONE_THREAD, Progress())
    (winner,) = {"text_cnn", "gru"} - {spoiled}
    assert choice.name == winner
    assert choice.recipe == build(winner).recipe  # the whole time is before it
    assert choice.reasons[0].startswith(f"{winner} won a race of networks")
    assert f"{spoiled} " in choice.reasons[0] and "--network NAME" in choice.reasons[0]
    assert not any("was asked for" in reason for reason in choice.reasons)
    before = build(winner).network.weights
    assert all(np.array_equal(x, before[name]) for name, x in choice.network.weights.items())


def test_no_race_without_time_or_rivals(data):
    def build(name):
        return choose(data, name, {"batch_size": 20}, epochs=2)

    choice = raced(("text_cnn", "gru"), build, data, "pytorch", ONE_THREAD, Progress())
    said = "text_cnn, because the time is too short for a race of text_cnn, gru. --network NAME"
    assert choice.name == "text_cnn" and choice.reasons[0].startswith(said)
    alone = raced(("gru",), build_with(data), data, "pytorch", ONE_THREAD, Progress())
    assert alone.name == "gru" and "race" not in alone.reasons[0]
    recipe = build("gru").recipe
    shares = [(None, 3.0, None), (30.0, 9.0, None), (100.0, 20.0, Share(10.0, 20.0))]
    shares += [(None, 20.0, Share(None, 2.0)), (None, None, None)]
    for budget, epochs, expected in shares:
        assert Share.of(replace(recipe, budget=budget, epochs=epochs)) == expected
