"""Options are declared once: signature, help and table agree, for every verb."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from inspect import Parameter
from typing import TypedDict, Unpack

import pytest

from allotrope import cli
from allotrope.errors import UsageError
from allotrope.option import ABOVE_0, Option, check_values
from allotrope.verbs.bench import BENCH, bench
from allotrope.verbs.check import check
from allotrope.verbs.check_options import CHECK
from allotrope.verbs.compare import compare
from allotrope.verbs.convert import CONVERT, convert
from allotrope.verbs.declaring import takes
from allotrope.verbs.fit import fit
from allotrope.verbs.offered import COMPARE, FIT, SHRINK
from allotrope.verbs.predict import PREDICT, predict
from allotrope.verbs.report import REPORT, report
from allotrope.verbs.request import defaults
from allotrope.verbs.shrink import shrink

TABLES = {
    fit: FIT,
    compare: COMPARE,
    check: CHECK,
    bench: BENCH,
    predict: PREDICT,
    convert: CONVERT,
    report: REPORT,
    shrink: SHRINK,
}


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
    optional = {
        name: value for name, value in defaults(function).items() if value is not Parameter.empty
    }
    check_values(TABLES[function], optional)
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


def test_several_values_are_held_to_the_range_and_the_choices_one_by_one():
    sizes = Option("sizes", "How large.", range=ABOVE_0, several=True)
    ways = Option("ways", "One or two.", choices=("one", "two"), several=True, noun="way to go")
    assert sizes.parts(None) == [] and sizes.parts(3) == [3] and sizes.parts((3, 4)) == [3, 4]
    assert ways.parts("one, two") == ways.parts(["one,", "two"]) == ["one", "two"]
    check_values([sizes, ways], {"sizes": [1, 2], "ways": ["one", "two,one"]})
    with pytest.raises(UsageError) as caught:
        check_values([sizes, ways], {"sizes": [1, 0, -2], "ways": ["one,tow"]})
    assert str(caught.value).startswith(
        "sizes is 0, -2, expected more than 0. unknown way to go 'tow'. Did you mean"
    )


def test_one_word_with_a_comma_is_no_two_words():
    with pytest.raises(UsageError, match="unknown way 'one,two'"):
        check_values([Option("way", "One or two.", choices=("one", "two"))], {"way": "one,two"})


def test_help_says_which_numbers_are_taken():
    assert Option("wide", "How wide.", range=ABOVE_0).described == "How wide. [more than 0]"
    assert Option("wide", "How wide.").described == "How wide."
