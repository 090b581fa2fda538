"""Texts as ids of tokens for a network that takes such: the same in every framework."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.architectures.continued import own_columns
from allotrope.config import DataOptions, FineTuning, Recipe, Repair
from allotrope.data import Batches, read_data
from allotrope.delivery.finished import finished
from allotrope.frameworks import framework as find_framework
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.text.tokens.token_changes import changed_tokens
from allotrope.inputs.text.tokens.token_ids import ids_of, opened
from allotrope.training.loop import train
from allotrope.verbs.network_file import read_source
from small_bert import TEXTS, bert_folder, byte_pairs, wordpiece
from test_fit_texts import lines
from tested import TESTED

STRANGE = ["", "   ", "日本語 dull 😀", "[PAD] [MASK] a", "zero\0byte", "great " * 500, "\ud800x"]


def texts(count=60):
    pairs = [line.split(" ", 1) for line in lines(count, 3).splitlines()]
    return {"text": [text for _, text in pairs], "label": [label for label, _ in pairs]}


def further(file, source, framework="reference", **asked):
    """The data as a network's file takes it, and the network made ready for it."""
    network = read_source(file, Repair())
    options = network.sized(DataOptions(**asked))
    data = network.suited(read_data(source, options), FineTuning())
    return data, network.tuning(data, FineTuning(), framework, 0)


@pytest.mark.parametrize("made", [wordpiece, byte_pairs])
def test_ids_are_those_of_the_tokenizer_with_its_special_tokens(made, tmp_path):
    tokenizer = made()
    data, _ = further(bert_folder(tmp_path, tokenizer), texts())
    (tokens,) = data.inputs
    (column,) = tokens.columns({"new": STRANGE}).values()
    tokenizer.enable_truncation(tokens.longest)
    for text, row in zip(STRANGE, column, strict=True):
        plain = text.replace("\0", " ").replace("\ud800", "?")
        assert row[row >= 0].tolist() == tokenizer.encode(plain).ids
    assert column.dtype == np.int32 and column.shape[1] == tokens.longest == 48


def test_padding_and_masks_are_nodes_and_change_no_answer(framework, tmp_path):
    file = bert_folder(tmp_path)
    data, tuning = further(file, texts())
    network, rows = tuning.ready.network, data.test["text"][:6]
    padded = np.pad(rows, ((0, 0), (0, 9)), constant_values=-1)
    answers = [network.run({"text": x}, framework=framework)["label"] for x in (rows, padded)]
    np.testing.assert_allclose(answers[0], answers[1], atol=2e-5)
    # As the file itself answers to the tokenizer's own ids and masks.
    length = int((rows[0] >= 0).sum())
    inputs = {
        "input_ids": rows[:1, :length].astype(np.int64),
        "attention_mask": np.ones((1, length), np.int64),
        "token_type_ids": np.zeros((1, length), np.int64),
    }
    (expected,) = read_source(file, Repair()).network.run(inputs).values()
    np.testing.assert_allclose(answers[0][:1], expected, atol=2e-5)


@pytest.mark.parametrize("name", TESTED)
def test_each_framework_trains_it_further(name, tmp_path):
    data, tuning = further(bert_folder(tmp_path, byte_pairs()), texts(240))
    recipe = Recipe("adamw", 0.02, batch_size=20, epochs=8, augmentation="none")
    settings = find_framework(name).settings()[0]
    trained = train(tuning.ready.network, data, recipe, settings, name)
    assert trained.best["validation_accuracy"] > 0.75
    before, after = tuning.ready.network.weights, trained.network.weights
    changed = [part for part in before if not np.array_equal(before[part], after[part])]
    assert "bert.embeddings.word_embeddings.weight" in changed


def test_batches_of_like_lengths_are_cut(tmp_path):
    source = texts(200)
    source["text"] = [text[: 5 + 4 * (row % 20)] for row, text in enumerate(source["text"])]
    data, _ = further(bert_folder(tmp_path), source)
    batches = Batches(data, Recipe(batch_size=16, augmentation="none"))
    widths = {batch.inputs["text"].shape[1] for batch in batches.epoch(0)}
    assert len(widths) > 1 and max(widths) <= data.train["text"].shape[1]


def test_a_network_of_one_length_or_without_a_mask_has_all_texts_filled_up(tmp_path):
    fixed, free = (tmp_path / name for name in ("fixed", "free"))
    fixed.mkdir()
    free.mkdir()
    data, tuning = further(bert_folder(fixed, length=24), texts())
    assert data.inputs[0].fixed and data.train["text"].shape[1] == 24
    assert tuning.ready.network.inputs[0].shape == ("n", 24)
    data, tuning = further(bert_folder(free, masked=False), texts(), max_tokens=20)
    assert data.inputs[0].fixed and data.train["text"].shape[1] == 20
    assert any("more padding" in note for note in tuning.notes)


def test_what_is_guessed_is_said_with_the_option_that_overrules_it(tmp_path):
    file = bert_folder(tmp_path, wordpiece())
    _, tuning = further(file, texts())
    said = " ".join(tuning.notes)
    for part in (
        "ids=input_ids,mask=attention_mask,types=token_type_ids, by their names: --token-inputs",
        "WordPiece, 115 tokens; [CLS] before and [SEP] behind each text",
        "filled up with [PAD] (0): --padding-token",
        "cut to 48 tokens, as the network computes no longer ones: --max-tokens",
    ):
        assert part in said
    data, tuning = further(file, texts(), max_tokens=7, padding_token="[MASK]")
    assert data.inputs[0].longest == 7 and data.inputs[0].padding == 4
    assert "cut to 7 tokens, as asked for" in " ".join(tuning.notes)
    tokenizer = wordpiece()
    tokenizer.enable_truncation(9, direction="left")
    tokenizer.enable_padding(pad_id=2, pad_token="[CLS]")
    data, _ = further(bert_folder(tmp_path, tokenizer), texts())
    (tokens,) = data.inputs
    assert (tokens.longest, tokens.padding) == (9, 2)
    (row,) = tokens.columns({"new": ["dull dull dull dull dull dull dull fine great"]})["new"]
    assert row.tolist()[-3:] == [*wordpiece().encode("fine great").ids[1:3], 3]


def test_it_goes_on_from_what_was_delivered(tmp_path):
    data, tuning = further(bert_folder(tmp_path), texts())
    whole = finished(tuning.ready.network, data.inputs, data.tasks)
    whole.save(tmp_path / "model.onnx")
    (own,) = own_columns(read_source(tmp_path / "model.onnx", Repair()).network)[0]
    again, second = further(tmp_path / "model.onnx", {"words": texts()["text"], **texts()})
    assert own.facts() == data.inputs[0].facts() == again.inputs[0].facts()
    x = {"text": again.test["text"][:4]}
    logits = second.ready.network.run(x)["label"]
    np.testing.assert_allclose(data.tasks[0].answers(logits), whole.run(x)["label"], atol=1e-5)


def test_tokens_are_left_out_masked_and_swapped_between_the_special_ones(tmp_path):
    tokenizer = wordpiece()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    facts = {"longest": 40, "padding": 0}
    rows = ids_of(opened(tmp_path / "tokenizer.json", 40), TEXTS, facts)
    x = np.full((len(TEXTS), 40), -1, np.int32)
    for row, ids in zip(x, rows, strict=True):
        row[: len(ids)] = ids
    before, rng = x.copy(), np.random.default_rng(1)
    masked = changed_tokens(x, (0, 1, 2, 3, 4), 4, rng, Augmentation(masked=0.5))
    assert np.array_equal(masked >= 0, x >= 0) and (masked == 4).any()
    assert (masked[:, 0] == 2).all()
    fewer = changed_tokens(x, (0, 1, 2, 3, 4), 4, rng, Augmentation(left_out=1.0, swapped=0.2))
    assert ((fewer >= 0).sum(1) == 3).all()
    assert (fewer[:, 2] == 3).all() and np.array_equal(x, before)
    assert changed_tokens(x, (), None, rng, Augmentation()) is x
