"""Texts: words and n-grams are found and hashed by nodes, the same whole numbers everywhere."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from allotrope.errors import UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.text import hash_tables
from allotrope.inputs.text.hash_tables import BUCKETS
from allotrope.inputs.text.raw_bytes import (
    byte_counts,
    rounded_up,
    rows_of,
    text_of,
    usual_length,
)
from allotrope.inputs.text.text_input import Text
from allotrope.network.build import Builder
from allotrope.runtimes import runtime

TEXTS = [
    "How far is it from Denver to Aspen ?",
    "HOW FAR is it\tfrom denver, to  Aspen?",
    "",
    "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
    "don't stop; it's 3.5 % of 1,000",
    "日本語のテキスト 😀😀👍 東京",
    "Straße, naïve café — Größe",
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 4,
]


X = Text(name="x", longest=200)


def hashed(outputs, text=X):
    """The nodes alone: buckets of words, and of all terms."""
    builder = Builder("passing")
    for name in outputs:
        taken = builder.input(name, np.int32, ("n", name[0]))
        builder.output(builder.add("Identity", [taken]), f"{name}.out")
    return text.prepare(builder.network())


def words_of(data: bytes) -> list[bytes]:
    """The words of a text, a byte after the other."""
    goes_on, joins = hash_tables.goes_on(), hash_tables.joins()
    words, last = [], 0
    for byte in data:
        if goes_on[byte] and joins[last]:
            words[-1] += bytes([byte])
        elif hash_tables.starts_words()[byte]:
            words.append(bytes([byte]))
        last = byte
    return words


def word_bucket(word: bytes) -> int:
    before, own, behind = hash_tables.triple_numbers().tolist()
    total = 0
    for place, byte in enumerate(word):
        triple = own[byte]
        if place:
            triple += before[word[place - 1]]
        if place + 1 < len(word):
            triple += behind[word[place + 1]]
        total += int(hash_tables.triple_hashes()[triple % hash_tables.TRIPLES])
    return total % BUCKETS


def terms_of(data: bytes) -> set[int]:
    """The buckets of all terms of a text, by plain loops."""
    words = [word_bucket(word) for word in words_of(data)]
    pairs = [(a + 3 * b) % BUCKETS for a, b in pairwise(words)]
    numbers = hash_tables.place_numbers().tolist()
    grams = [
        sum(numbers[place][byte] for place, byte in enumerate(data[start : start + order]))
        % BUCKETS
        for order in hash_tables.ORDERS
        for start in range(len(data) - order + 1)
    ]
    return {*words, *pairs, *grams} - {0}


def test_words_are_runs_of_letters_single_signs_and_single_characters_of_the_east():
    assert words_of(b"it's 3.5!") == [b"it", b"'", b"s", b"3", b".", b"5", b"!"]
    assert [word.decode() for word in words_of("東京 😀👍".encode())] == ["東", "京", "😀", "👍"]
    assert [word.decode() for word in words_of("naïve Größe".encode())] == ["naïve", "Größe"]


def test_every_framework_finds_the_terms_that_plain_loops_find(framework):
    x = rows_of(TEXTS, 200)
    terms = hashed(["words", "grams"]).run({"x": x}, framework)
    for row, text in enumerate(TEXTS):
        words = [word_bucket(word) for word in words_of(text.encode())]
        there = terms["words.out"][row]
        assert there[there > 0].tolist() == [word for word in words if word]
        assert set(terms["grams.out"][row].tolist()) - {0} == terms_of(text.encode())


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_runtimes_find_the_same_terms_in_short_and_very_long_texts(name, tmp_path):
    network = hashed(["words", "grams"])
    network.save(tmp_path / "hash.onnx")
    session = runtime(name).open(tmp_path / "hash.onnx", "float32", 1)
    long = ["word " * 20_000, "日本" * 16_000, "x" * 100_000, "!" * 100_000]
    one_by_one = [rows_of([text], length) for text, length in zip(TEXTS, range(9, 17), strict=True)]
    for x in (rows_of(TEXTS, 200), rows_of(TEXTS, 5), rows_of(long, 100_000), *one_by_one):
        expected, terms = network.run({"x": x}), session.run({"x": x})
        assert all(np.array_equal(terms[each], expected[each]) for each in expected)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("the unprecedented circumstances notwithstanding, everybody understood ", 6),
        ("How far away from Denver is Aspen by train, and who goes ? ", 4),
        ("日本語のテキストを読む", 3),
        ("a b c d e f g ", 2),
        ("?!", 1),
    ],
)
def test_there_is_room_for_all_words_of_texts_such_as_those_learned_from(sentence, expected):
    texts = [sentence * count for count in (1, 4, 20)]
    text = Text.of("x", texts)
    assert text.bytes_a_word == expected
    words = hashed(["words"], text).run({"x": text.column(texts)})["words.out"]
    for row, each in zip(words, texts, strict=True):
        assert np.count_nonzero(row) == len(words_of(each.encode()))


def test_one_odd_text_among_thousands_makes_no_room():
    texts = ["unprecedented circumstances notwithstanding"] * 2_000
    assert Text.of("x", [*texts, "?" * 200]).bytes_a_word == Text.of("x", texts).bytes_a_word == 6


def test_zeros_behind_a_text_and_large_letters_change_nothing():
    network = hashed(["words", "grams"])
    short, long = (network.run({"x": rows_of(TEXTS[:1], length)}) for length in (40, 400))
    capital = network.run({"x": rows_of([TEXTS[0].upper()], 40)})
    for name, buckets in short.items():
        longer = long[name]
        assert sorted(buckets[buckets > 0].tolist()) == sorted(longer[longer > 0].tolist())
        assert np.array_equal(buckets, capital[name])
    assert word_bucket(b"listen") != word_bucket(b"silent")


def test_a_network_that_takes_no_terms_is_refused():
    builder = Builder("passing")
    taken = builder.input("pixels", np.float32, ("n", 3))
    builder.output(builder.add("Identity", [taken]), "y")
    with pytest.raises(UsageError, match=r"takes 'words' or 'grams'.*takes pixels"):
        Text(name="x", longest=16).prepare(builder.network())


def test_texts_become_rows_of_bytes_and_back():
    rows = rows_of(["né\0a", "", "\ud800"], 8)
    assert [text_of(row) for row in rows] == ["né a", "", "?"]
    assert text_of(rows_of(["日本"], 4)[0]) == "日\ufffd"
    assert usual_length(np.full(3, 17)) == 32
    # A few that are far longer than all others do not make every row as long.
    assert usual_length(np.array([300] * 400 + [1_000_000])) == 304


def test_an_example_is_read_and_shown():
    text = Text.of("review", TEXTS)
    assert text.show(text.read("so  good\nso bad")).text == "so good so bad"
    assert text.show(text.read("")).text == ""
    assert len(text.show(text.read("long " * 100)).text) == 241
    x = rows_of(["a" * 40, "b"], 16)
    cut = Text(name="review", longest=16).described(x)
    assert "1 is longer than 16" in cut or "1 are longer than 16" in cut


def test_words_are_left_out_masked_and_swapped():
    text = Text(name="x", longest=40)
    x = rows_of(["one two three four five six", "alone", ""], 40)

    def changed(**strength):
        rng = np.random.default_rng(0)
        return [text_of(row) for row in text.augment(x, rng, Augmentation(**strength))]

    assert changed() == [text_of(row) for row in x]
    assert changed(masked=1.0) == ["_ _ _ _ _ _", "_", ""]
    assert changed(left_out=1.0) == ["one", "alone", ""]
    swapped = changed(swapped=0.5)
    assert swapped[0] != text_of(x[0])
    assert sorted(swapped[0].split()) == sorted(text_of(x[0]).split())
    fewer = changed(left_out=0.4)[0].split()
    assert fewer == [word for word in text_of(x[0]).split() if word in fewer]
    assert len(fewer) < 6


def test_texts_are_cut_to_one_of_few_lengths():
    assert byte_counts(rows_of(["", "a", "a b", "a" * 9], 9)).tolist() == [0, 1, 3, 9]
    lengths = rounded_up(np.array([0, 1, 32, 33, 49, 70, 97, 200]), 200)
    assert lengths.tolist() == [48, 48, 48, 48, 72, 72, 112, 200]
    assert rounded_up(np.array([0, 16]), 16).tolist() == [16, 16]
    text = Text(name="x", longest=200)
    x = rows_of(["a" * 40, "b"], 200)
    assert text.cut(x).shape == (2, 48)
    assert [text_of(row) for row in text.cut(x)] == ["a" * 40, "b"]
