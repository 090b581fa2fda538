"""Networks and tokenizers that do not belong together, or are none: what is said of each."""

from __future__ import annotations

import json

import numpy as np
import pytest

from allotrope.delivery.finished import finished
from allotrope.errors import ModelError, UnsupportedError, UsageError
from allotrope.network.build import Builder
from small_bert import bert_folder, byte_pairs, wordpiece
from test_tokens import further, texts


def changed(folder, change):
    """bert.onnx, and beside it a tokenizer of which something was changed."""
    file = bert_folder(folder)
    beside = folder / "tokenizer.json"
    whole = json.loads(beside.read_text())
    change(whole)
    beside.write_text(json.dumps(whole))
    return file


def without_padding(whole):
    whole["added_tokens"] = [one for one in whole["added_tokens"] if one["content"] != "[PAD]"]
    del whole["model"]["vocab"]["[PAD]"]
    whole["model"]["vocab"]["filler"] = 0


def padding_far_out(whole):
    whole["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 999,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }


def id_far_out(whole):
    whole["model"]["vocab"]["outlandish"] = 5000


def other_types(whole):
    for part in whole["post_processor"]["single"]:
        next(iter(part.values()))["type_id"] = 2


def cut_to(length):
    def change(whole):
        whole["truncation"] = {
            "max_length": length,
            "stride": 0,
            "strategy": "LongestFirst",
            "direction": "Right",
        }

    return change


def without_unknown(whole):
    del whole["model"]["vocab"]["[UNK]"]
    whole["model"]["unk_token"] = "[NONE]"
    whole["added_tokens"] = [one for one in whole["added_tokens"] if one["content"] != "[UNK]"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (without_unknown, ModelError, r"tokenizer.json: cannot make tokens of a text: "),
        (cut_to(2), ModelError, r"cuts texts to 2 tokens; .* takes 3 at the least.*--max-tokens"),
        (
            without_padding,
            UsageError,
            r"no padding token; expected one of \[PAD\].*--padding-token",
        ),
        (padding_far_out, ModelError, r"pads with id 999, and the network knows ids from 0 to 114"),
        (id_far_out, ModelError, r"ids up to 5,000.*a table of 115 rows.*published with the netw"),
        (other_types, UnsupportedError, r"numbers the parts of a single text otherwise than by 0"),
    ],
)
def test_a_tokenizer_that_does_not_match(change, error, said, tmp_path):
    source = texts()
    source["text"][5] = "unheard 日本語 of"
    with pytest.raises(error, match=said):
        further(changed(tmp_path, change), source)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b'{"model": {"vocab"', r"is no JSON, or was cut short \(18 B\)"),
        (b"\xff\xfe\x00a", r"is no JSON"),
        (b"[PAD]\n[UNK]\n", r"is no JSON, or was cut short"),
        (b'{"lower": true}', r"is no tokenizer: it holds an object with 'lower', and no 'model'"),
        (b"[1, 2]", r"is no tokenizer: it holds a list, and no 'model'"),
        (b'{"model": {"type": "none"}}', r"holds no tokenizer: "),
        (b"[" * 200_000, r"is no JSON, or was cut short"),
    ],
)
def test_a_file_that_is_no_tokenizer(content, said, tmp_path):
    file = bert_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelError, match=rf"tokenizer.json: {said}.*Expected tokenizer.json as"):
        further(file, texts())


def test_a_tokenizer_that_is_not_there(tmp_path):
    file = bert_folder(tmp_path)
    with pytest.raises(UsageError, match=r"--tokenizer .*other.json: there is no such file"):
        further(file, texts(), tokenizer=tmp_path / "other.json")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"takes ids of tokens \('input_ids'\).*--tokenizer FILE"):
        further(file, texts())


def test_the_tokenizer_of_another_network(tmp_path):
    file = bert_folder(tmp_path)
    byte_pairs().save(str(tmp_path / "other.json"))
    with pytest.raises(ModelError, match=r"other.json: has ids up to 319, and.*table of 115 rows"):
        further(file, texts(), tokenizer=tmp_path / "other.json")
    # One that knows far fewer tokens fits, and is wondered at.
    file = bert_folder(tmp_path, more=400)
    _, tuning = further(file, texts())
    assert "knows 515 tokens, and tokenizer.json has 115" in " ".join(tuning.notes)


def test_options_that_the_network_cannot_follow(tmp_path):
    file = bert_folder(tmp_path)
    for asked, said in (
        ({"max_tokens": 49}, r"--max-tokens is 49, and the network computes texts of 48"),
        ({"max_tokens": 2}, r"a text takes 3 at the least"),
        ({"padding_token": "[NONE]"}, r"--padding-token \[NONE\]: .* has no such token"),
        ({"padding_token": "4711"}, r"an id from 0 to 114"),
        ({"token_inputs": "ids=a,mask=attention_mask"}, r"there is no input 'a'"),
        ({"token_inputs": "mask=attention_mask"}, r"no input is said to take ids"),
        ({"token_inputs": "ids=input_ids,x=y"}, r"'x' is no role; there is no input 'y'"),
        ({"token_inputs": "ids=input_ids"}, r"'token_type_ids' int64 .* too, which no column"),
    ):
        with pytest.raises(UsageError, match=said):
            further(file, texts(), **asked)
    file = bert_folder(tmp_path, length=24)
    with pytest.raises(UsageError, match=r"--max-tokens is 12, and the network takes 24 only"):
        further(file, texts(), max_tokens=12)


def test_a_network_that_takes_no_tokens(tmp_path):
    build = Builder("numbers")
    build.input("row", np.float32, ("n", 2))
    build.output(build.add("Relu", ["row"]), "y")
    build.network().save(tmp_path / "numbers.onnx")
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UsageError, match=r"--max-tokens: no input of the network is seen to take"):
        further(tmp_path / "numbers.onnx", {"row": np.eye(2), "y": [0, 1]}, max_tokens=4)


def test_data_without_a_text_or_with_several(tmp_path):
    file, source = bert_folder(tmp_path), texts()
    numbers = {"x": np.random.default_rng(0).normal(size=60), "label": source["label"]}
    with pytest.raises(UsageError, match=r"takes 'input_ids'.*--input NAME=text says which"):
        further(file, numbers)
    two = {"first": source["text"], "second": source["text"][::-1], "label": source["label"]}
    with pytest.raises(UsageError, match=r"tokens of one text, and data has 'first', 'second'"):
        further(file, two)


def test_a_tokenizer_without_words_gives_a_token_for_an_empty_text(tmp_path):
    tokenizer = byte_pairs()
    whole = json.loads(tokenizer.to_str())
    whole["post_processor"] = None
    file = bert_folder(tmp_path, tokenizer)
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    data, tuning = further(file, texts())
    assert "nothing put around a text" in " ".join(tuning.notes)
    (column,) = data.inputs[0].columns({"new": ["", "dull"]}).values()
    assert column[0].tolist()[:2] == [1, -1]


def test_a_tokenizer_that_allows_texts_of_any_length_is_not_followed(tmp_path):
    file = changed(tmp_path, cut_to(10**15))
    data, tuning = further(file, texts())
    assert data.inputs[0].longest == 48
    _, tuning = further(file, texts(), max_tokens=20)
    assert "cut to 20 tokens, as asked for" in " ".join(tuning.notes)
    with pytest.raises(UsageError, match=r"--max-tokens is 1000000000000, .* texts of 48 at the m"):
        further(file, texts(), max_tokens=10**12)


def test_what_was_delivered_is_not_given_another_tokenizer(tmp_path):
    data, tuning = further(bert_folder(tmp_path), texts())
    file = tmp_path / "model.onnx"
    finished(tuning.ready.network, data.inputs, data.tasks).save(file)
    byte_pairs().save(str(tmp_path / "other.json"))
    with pytest.raises(ModelError, match=r"other.json: has ids up to 319, .* table of 115 rows"):
        further(file, texts(), tokenizer=tmp_path / "other.json")
    for asked, said in (
        ({"padding_token": "[PAD]"}, r"--padding-token: the network has that inside"),
        ({"max_tokens": 49}, r"--max-tokens is 49, and the network takes 48 at the most"),
    ):
        with pytest.raises(UsageError, match=said):
            further(file, texts(), **asked)
    assert further(file, texts(), max_tokens=12)[0].inputs[0].longest == 12
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"'text'\), and its tokenizer.json is gone from"):
        further(file, texts())
