"""The command line: help, exit codes, messages without tracebacks, JSON as the last line."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from allotrope import cli
from allotrope.errors import DataError
from allotrope.progress import display


class Measured:
    """A result as verbs give it."""

    def __init__(self, json: Any, exit_code: int = 0):
        self.json, self.exit_code = json, exit_code

    def __str__(self) -> str:
        return "a table"


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Puts a function in the place of `bench`."""

    def put(function: Callable[..., Any]) -> None:
        module = types.ModuleType("planted")
        module.planted = function
        monkeypatch.setitem(sys.modules, "planted", module)
        monkeypatch.setitem(cli.VERBS, "bench", ("planted:planted", "A planted verb."))

    return put


def bench(
    file: str, *, rounds: int = 3, max_size: str | float | None = None, quiet: bool = False
) -> Measured:
    """Measure a file.

    Example: allotrope bench model.onnx

    Args:
        file: the file to measure.
        rounds: how often.
    """
    if file == "missing":
        raise DataError(f"{file}: no such file.")
    if file == "stop":
        raise KeyboardInterrupt("What was made is in runs/x-1")
    with display(quiet) as show:
        show.say("working")
    return Measured(
        {"file": file, "rounds": rounds, "max_size": max_size, "bad": float("nan")},
        exit_code=3 if file == "slow" else 0,
    )


def test_a_verb_is_a_call_of_its_function(verb, capsys):
    verb(bench)
    assert cli.main(["bench", "model.onnx", "--rounds", "5", "--max-size", "1MB"]) == 0
    assert capsys.readouterr().out == "working\na table\n"


def test_json_is_the_last_line_and_nothing_else_is_printed(verb, capsys):
    verb(bench)
    assert cli.main(["bench", "slow", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "file": "slow",
        "rounds": 3,
        "max_size": None,
        "bad": None,
    }


def test_an_error_is_a_plain_message(verb, capsys):
    verb(bench)
    assert cli.main(["bench", "missing"]) == 1
    assert capsys.readouterr() == ("", "allotrope: missing: no such file.\n")
    assert cli.main(["bench", "missing", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "error": {"kind": "DataError", "message": "missing: no such file."}
    }


def test_ctrl_c_says_what_was_saved(verb, capsys):
    verb(bench)
    assert cli.main(["bench", "stop"]) == 130
    assert capsys.readouterr() == ("", "Stopped. What was made is in runs/x-1\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benhc", "x"], "unknown command 'benhc'. Did you mean 'bench'?"),
        (["bench", "x", "--ronds", "5"], "Did you mean --rounds?"),
        (["bench", "x", "--rounds", "many"], 'unable to convert "many" into int'),
        (["bench"], "--file"),
        (["bench", "x", "y"], "y"),
        (["--jsn"], "--jsn"),
        (["bench", "x", "--rounds"], "--rounds"),
    ],
)
def test_wrong_usage(verb, capsys, arguments: list[str], message: str):
    verb(bench)
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("name", sorted(cli.VERBS))
def test_every_verb_has_help_with_an_example_and_json(capsys, name: str):
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert (
        f"Example: allotrope {name} " in text.replace("\n", " ")
        or f"Example: allotrope {name}\n" in text
    )
    assert "--json" in text


def test_help_lists_every_verb(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in cli.VERBS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "0.1.0\n"
