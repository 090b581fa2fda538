"""Options are declared once: signature, help and table agree, for every verb."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import TypedDict, Unpack

import pytest

from allotrope import cli
from allotrope.errors import UsageError
from allotrope.option import ABOVE_0, Option, check_values
from allotrope.verbs.compare import compare
from allotrope.verbs.declaring import takes
from allotrope.verbs.fit import fit
from allotrope.verbs.offered import COMPARE, FIT
from allotrope.verbs.options import defaults

TABLES = {fit: FIT, compare: COMPARE}


def described(function):
    """The names below "Args:" in a docstring."""
    arguments = inspect.getdoc(function).partition("Args:\n")[2].partition("\n\n")[0]
    return re.findall(r"(?m)^    (\w+): \S", arguments)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_argument_is_described_once_and_in_order(verb):
    module, _, name = cli.VERBS[verb][0].partition(":")
    function = getattr(import_module(module), name)
    assert described(function) == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("function", TABLES)
def test_a_table_has_each_option_of_its_verb_and_no_other(function):
    names = [option.name for option in TABLES[function]]
    assert sorted(names) == sorted(inspect.signature(function).parameters)


@pytest.mark.parametrize("function", TABLES)
def test_defaults_are_taken_and_choices_are_named(function):
    check_values(TABLES[function], defaults(function))
    for option in TABLES[function]:
        assert all(choice in option.help for choice in option.choices), option.name
        assert option.help.endswith("."), option.name


class Hidden(TypedDict, total=False):
    deep: int | None


@takes([Option("wide", "How wide.", range=ABOVE_0), Option("deep", "How deep.", default=3)])
def made(wide: int, **of_inputs: Unpack[Hidden]) -> tuple[int, dict]:
    """Make it.

    Raises: UsageError never.
    """
    return wide, dict(of_inputs)


def test_what_a_kind_of_input_adds_is_spelled_out():
    assert (
        str(inspect.signature(made))
        == "(wide: 'int', *, deep: int | None = 3) -> 'tuple[int, dict]'"
    )
    assert described(made) == ["wide", "deep"]
    assert inspect.getdoc(made).endswith("Raises: UsageError never.")
    assert made(2) == (2, {"deep": 3})
    assert made(2, deep=None) == (2, {"deep": None})
    with pytest.raises(TypeError, match="deap"):
        made(2, deap=4)


def test_an_argument_without_a_declaration_is_refused():
    with pytest.raises(ValueError, match="made: no Option is declared for deep"):
        takes([Option("wide", "How wide.")])(made.__wrapped__)


def test_all_problems_come_in_one_message():
    options = [
        Option("wide", "How wide.", range=ABOVE_0),
        Option("deep", "How deep.", range=ABOVE_0),
        Option("how", "One or two.", choices=("one", "two")),
    ]
    with pytest.raises(UsageError) as caught:
        check_values(options, {"wide": 0, "deep": -1, "how": "tow"})
    assert str(caught.value).startswith(
        "wide is 0, expected more than 0; deep is -1, expected more than 0. unknown how 'tow'. "
        "Did you mean"
    )
