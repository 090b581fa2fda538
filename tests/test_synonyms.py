"""Words of training texts that give way to synonyms from a user's file."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import DataOptions, Recipe
from allotrope.data import Batches, read_data
from allotrope.data.synonyms_file import read_groups
from allotrope.errors import DataError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.text.raw_bytes import rows_of, text_of
from allotrope.inputs.text.synonyms import Synonyms
from allotrope.inputs.text.tokens.token_changes import changed_tokens
from allotrope.inputs.text.word_changes import changed
from allotrope.verbs.fit import fit
from allotrope.verbs.request import defaults, fit_options
from small_bert import bert_folder
from test_fit_texts import lines
from test_tokens import further, texts

GROUPS = [("film", "movie", "motion picture"), ("great", "superb"), ("New York", "NYC")]


def with_all(text, rate=1.0, seed=0):
    x = rows_of([text], 200)
    strength = Augmentation(synonym_rate=rate)
    made = changed(x, np.random.default_rng(seed), strength, Synonyms.of(GROUPS))
    return text_of(made[0])


def test_a_word_gives_way_to_one_that_means_the_same():
    seen = {with_all("a film", seed=seed) for seed in range(20)}
    assert seen == {"a movie", "a motion picture"}
    assert with_all("the motion picture and NYC") in (
        "the film and NEW YORK",
        "the movie and NEW YORK",
    )
    assert with_all("a film", rate=0.0) == "a film"
    assert with_all("nothing here, 日本語 😀") == "nothing here, 日本語 😀"


def test_signs_around_a_word_and_large_letters_stay():
    assert with_all('"Great!" he said. GREAT; (great)') == '"Superb!" he said. SUPERB; (superb)'
    assert with_all("in New York, great.") == "in NYC, superb."
    # A sign between the words of a phrase parts them.
    assert with_all("New, York") == "New, York"


def test_about_the_rate_of_the_words_is_replaced():
    words = with_all(" ".join(["great"] * 33), rate=0.3, seed=4).split()
    assert 3 <= words.count("superb") <= 17


def test_batches_stay_a_function_of_seed_epoch_and_step(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text("film,movie\nsuperb,lovely,great\ndull,poor\n")
    (tmp_path / "train.txt").write_text(lines(80, 1))
    data = read_data(tmp_path / "train.txt", DataOptions(synonyms=file))
    recipe = Recipe(batch_size=16, augmentation="none", synonym_rate=0.5)
    plain = Recipe(batch_size=16, augmentation="none", synonym_rate=0.0)
    whole = [Batches(data, each).batch(2, 1).inputs["text"] for each in (recipe, recipe, plain)]
    assert np.array_equal(whole[0], whole[1])
    assert [text_of(row) for row in whole[0]] != [text_of(row) for row in whole[2]]
    (line,) = (line for line in data.lines if "synonyms" in line)
    assert "3 groups of words in 'words.csv'; 6 of the 7 single words stand" in line
    assert sorted(data.inputs[0].facts()) == ["bytes_a_word", "kind", "longest", "name"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_commas_tabs_remarks_and_encodings(encoding, tmp_path):
    file = tmp_path / "words.txt"
    text = "# a remark\n\nfilm, movie ,motion  picture\r\nschön\thübsch\nschön,SCHÖN,fein\n"
    file.write_bytes(text.encode(encoding))
    notes: list[str] = []
    groups = read_groups(file, notes)
    assert groups == [
        ("film", "movie", "motion picture"),
        ("schön", "hübsch"),
        ("schön", "SCHÖN", "fein"),
    ]
    assert any("cp1252" in note for note in notes) == (encoding == "cp1252")


def test_all_bad_lines_in_one_message(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("film,movie\nalone\ngreat,,superb\ndull,Dull\n")
    with pytest.raises(DataError) as caught:
        read_groups(file, [])
    said = str(caught.value)
    for part in (
        "line 2 has one word: 'alone'",
        "line 3 has an empty word: 'great,,superb'",
        "line 4 has one word: 'dull,Dull'",
        "Expected a line for each group of words",
    ):
        assert part in said
    file.write_text("\n".join(["alone"] * 50))
    with pytest.raises(DataError, match=r"and 42 more lines"):
        read_groups(file, [])
    file.write_text("# nothing\n")
    with pytest.raises(DataError, match=r"holds no words"):
        read_groups(file, [])
    with pytest.raises(DataError, match=r"--synonyms .*gone.txt: there is no such file"):
        read_groups(tmp_path / "gone.txt", [])
    file.write_bytes(b"a,b\0\n")
    with pytest.raises(DataError, match=r"zero bytes"):
        read_groups(file, [])


def test_without_a_text_of_words_they_are_refused(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("film,movie\n")
    numbers = {"x": np.random.default_rng(0).normal(size=60), "y": [0, 1] * 30}
    with pytest.raises(UsageError, match=r"there are none: 'table' \(table\)"):
        read_data(numbers, DataOptions(synonyms=file))
    with pytest.raises(UsageError, match=r"--synonyms .*'text' \(tokens\)"):
        further(bert_folder(tmp_path), texts(), synonyms=file)


def test_fit_takes_both_options(tmp_path):
    file = tmp_path / "words.txt"
    asked = {"data": "x.csv", "synonyms": str(file), "synonym_rate": 0.3}
    options = fit_options({**defaults(fit), **asked})
    assert options.data.synonyms == file and options.recipe == {"synonym_rate": 0.3}
    with pytest.raises(UsageError, match=r"synonym_rate is 1.5, expected at least 0 and below 1"):
        fit_options({**defaults(fit), **asked, "synonym_rate": 1.5})


def test_words_of_other_texts_come_in_and_letters_go_wrong():
    x = rows_of(["one two three four " * 8, "eins zwei drei vier " * 8, "a"], 400)
    more, wrong = Augmentation(inserted=0.3), Augmentation(misspelled=0.5)
    first, again = (changed(x, np.random.default_rng(5), more) for _ in range(2))
    assert np.array_equal(first, again)
    words = text_of(first[0]).split()
    assert 34 < len(words) < 52 and {"eins", "zwei", "drei", "vier"} & set(words)
    assert [word for word in words if word in ("one", "two", "three", "four")][:1] == ["one"]
    spelled = text_of(changed(x, np.random.default_rng(5), wrong)[0]).split()
    assert (
        len(spelled) == 32 and 8 <= sum(a != b for a, b in zip(spelled, TIMES, strict=True)) <= 24
    )
    ids = np.array([[1, 5, 6, 7, 2, -1, -1], [1, 8, 9, 2, -1, -1, -1]], np.int32)
    made = changed_tokens(ids, {1, 2}, None, np.random.default_rng(0), Augmentation(inserted=1.0))
    assert made[:, 0].tolist() == [1, 1] and set(made[made > 2].tolist()) <= {5, 6, 7, 8, 9}
    assert (made >= 0).sum(axis=1).tolist() == [7, 6]


TIMES = ["one", "two", "three", "four"] * 8
