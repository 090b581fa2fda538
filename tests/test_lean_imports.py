"""Packages that an import is not to find, and the processes in which that is sound."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from allotrope.lean_imports import hidden, own_process


def test_hidden_packages_are_not_imported_until_the_end_of_the_block(tmp_path, monkeypatch):
    (tmp_path / "hidden_later.py").write_text("")
    (tmp_path / "hidden_before.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    before = importlib.import_module("hidden_before")
    with hidden("hidden_before", "hidden_later", "not_installed"):
        for name in ("hidden_before", "hidden_later"):
            with pytest.raises(ModuleNotFoundError, match=name):
                importlib.import_module(name)
    assert importlib.import_module("hidden_before") is before
    assert importlib.import_module("hidden_later").__name__ == "hidden_later"
    assert "not_installed" not in sys.modules


def test_hidden_packages_come_back_after_an_error():
    with pytest.raises(ValueError, match="planned"), hidden("json"):
        raise ValueError("planned")
    assert importlib.import_module("json").dumps(1) == "1"


@pytest.mark.parametrize(
    ("program", "file", "expected"),
    [
        ("allotrope.measure.race.racer", "racer.py", True),
        ("allotrope.cli", "cli.py", True),
        (None, "/usr/bin/allotrope", True),
        ("pytest.__main__", "__main__.py", False),
        ("allotropes.cli", "cli.py", False),
        (None, "/home/user/train.py", False),
        (None, None, False),
    ],
)
def test_programs_of_allotrope_are_told_from_those_of_users(program, file, expected):
    main = ModuleType("__main__")
    main.__spec__ = None if program is None else ModuleSpec(program, None)
    main.__file__ = file
    assert own_process(main) is expected


def test_these_tests_are_a_users_program():
    assert not own_process()
