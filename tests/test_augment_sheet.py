"""`augment`: a sheet of what training would see, and what may change a label."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from allotrope.cli import main
from allotrope.config import Recipe
from allotrope.data.batches import Batches
from allotrope.errors import UsageError
from allotrope.verbs.augment import augment


def test_digits_are_drawn_and_a_flip_is_pointed_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sheet = augment("digits", preset="heavy", examples=3, variants=2, flip=True, quiet=True)
    assert sheet.json["sheet"] == "digits-heavy.png" and len(sheet.json["examples"]) == 3
    assert "--flip was asked for: mirrored, an example may mean something else" in str(sheet)
    with Image.open("digits-heavy.png") as drawn:
        assert drawn.width > 3 * 96 and drawn.height > 3 * 96
    again = augment("digits", preset="heavy", examples=3, variants=2, quiet=True)
    assert again.json["sheet"] == "digits-heavy-2.png"
    assert "are not mirrored in training" in str(again)


def test_turns_that_reach_far_are_pointed_out(tmp_path):
    out = tmp_path / "sheet.png"
    sheet = augment("digits", preset="trivialaugment", examples=2, variants=1, out=out, quiet=True)
    assert out.exists() and "turns reach 135 degrees" in str(sheet)
    with pytest.raises(UsageError, match="is there already"):
        augment("digits", out=out, quiet=True)


def test_rows_and_texts_are_lines(tmp_path):
    random = np.random.default_rng(0)
    rows = random.integers(10, 99, (60, 2))
    table = "a,b,kind\n" + "\n".join(f"{a},{b},{'xy'[a % 2]}" for a, b in rows)
    (tmp_path / "rows.csv").write_text(table)
    out = tmp_path / "rows.txt"
    augment(tmp_path / "rows.csv", preset="swap-noise", target="kind", out=out, quiet=True)
    lines = out.read_text().splitlines()
    assert lines[1].startswith("  as it is") and lines[2].startswith("  epoch 1")
    words = ["red", "green", "blue", "warm", "cold", "soft"]
    texts = "text,label\n" + "\n".join(
        f"{' '.join(random.choice(words, 9))} and so on,{['no', 'yes'][row % 2]}"
        for row in range(60)
    )
    (tmp_path / "texts.csv").write_text(texts)
    out, source = tmp_path / "texts.txt", tmp_path / "texts.csv"
    augment(source, preset="heavy", target="label", variants=3, out=out, quiet=True)
    first, *others = (line.split(maxsplit=2)[-1] for line in out.read_text().splitlines()[1:5])
    assert any(other != first for other in others)


def test_the_command_prints_json_and_refuses_an_unknown_name(tmp_path, capsys):
    out = str(tmp_path / "sheet.png")
    assert main(["augment", "digits", "--out", out, "--examples", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["sheet"] == out
    assert main(["augment", "digits", "--preset", "randaugmnt", "--quiet"]) == 2
    assert "Did you mean 'randaugment'" in capsys.readouterr().err


def test_a_training_sees_policies_as_a_function_of_seed_epoch_and_step(digits):
    batches = Batches(digits, Recipe(augmentation="randaugment", batch_size=32, seed=3))
    again = Batches(digits, Recipe(augmentation="randaugment", batch_size=32, seed=3))
    (name,) = (each.name for each in digits.inputs)
    first = batches.batch(1, 2).inputs[name]
    np.testing.assert_array_equal(first, again.batch(1, 2).inputs[name])
    assert (first != batches.batch(2, 2).inputs[name]).any()
