"""What lies among pictures and is none of the data, and names in every encoding."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest

from allotrope.data.encodings import shown
from picture_folders import TWO, error_of, read, tree


@pytest.mark.parametrize("record", ['{"schema": 1, "status": "done"}', "{broken"])
@pytest.mark.parametrize("place", ["runs/photos-1", "elsewhere/my name", "photos-1", "cat/kept"])
def test_run_folders_are_left_out_wherever_they_lie(tmp_path, place, record):
    run = tree(tmp_path, "cat", "dog", f"{place}/pictures") / place
    (run / "run.json").write_text(record)
    (run / "lock").touch()
    counts, notes = read(tmp_path)
    assert counts == {"train": TWO}
    assert f"left out: '{place}' (made by allotrope)" in notes


def test_what_is_left_of_a_run_is_left_out_too(tmp_path):
    pictures = tree(tmp_path, "cat", "dog") / "runs" / "photos-1" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "mistake-00.png").touch()
    assert read(tmp_path)[0] == {"train": TWO}


def test_a_run_json_of_another_program_is_no_run(tmp_path):
    (tree(tmp_path, "cat", "dog") / "dog" / "run.json").write_text(json.dumps({"status": "done"}))
    assert read(tmp_path)[0] == {"train": TWO}


def test_a_python_environment_is_left_out(tmp_path):
    (tree(tmp_path, "cat", "dog", "venv/lib/matplotlib") / "venv" / "pyvenv.cfg").touch()
    counts, notes = read(tmp_path)
    assert counts == {"train": TWO} and "'venv' (a Python environment)" in notes


def test_loops_of_links_end_and_endless_folders_are_refused(tmp_path):
    (tree(tmp_path, "cat", "dog") / "cat" / "loop").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert read(tmp_path)[0] == {"train": TWO}
    deep = tmp_path / "deep" / "/".join("x" * 40)
    tree(tmp_path, deep.relative_to(tmp_path).as_posix())
    assert "deep in each other" in error_of(tmp_path)


def test_names_in_every_encoding_stay_apart(tmp_path):
    for name in (b"caf\xe9", b"caf\xe8", "käse".encode(), "日本".encode()):
        tree(tmp_path, os.fsdecode(name))
    assert read(tmp_path)[0] == {"train": {"café": 4, "cafè": 4, "käse": 4, "日本": 4}}
    assert shown(tmp_path / os.fsdecode(b"caf\xe9"), tmp_path) == "café"


def test_accents_are_composed_alike_and_near_names_are_said(tmp_path):
    apple = "äpfel"
    counts, _ = read(
        tree(
            tmp_path,
            f"train/{apple}",
            "train/b",
            f"test/{unicodedata.normalize('NFD', apple)}",
            "test/b",
        )
    )
    assert counts["train"] == counts["test"]
    _, notes = read(tree(tmp_path / "more", "Cat", "cat", "dog"))
    assert "differ in case or spaces only: 'Cat'/'cat'" in notes
