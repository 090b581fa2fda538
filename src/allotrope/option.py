"""An option of a command: declared once, with what it takes and what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes, in words and as a test."""

    words: str
    holds: Callable[[float], bool]


ABOVE_0 = Range("more than 0", lambda value: value > 0)
FROM_0 = Range("0 or more", lambda value: value >= 0)
FROM_2 = Range("2 or more", lambda value: value >= 2)
BELOW_1 = Range("at least 0 and below 1", lambda value: 0 <= value < 1)
BETWEEN_0_1 = Range("above 0 and below 1", lambda value: 0 < value < 1)


@dataclass(frozen=True)
class Option:
    """A keyword argument `name` of a verb's function, and `--name` of its command.

    `range`, `choices` and `parse` say what it takes; None, which means "not asked for", is always
    taken. `several`: it takes any number of such values, words also with commas between them.
    `recipe`: it replaces the field of that name in the recipe. `for_file`: it is about a network
    from an ONNX file, `of_zoo` about one of allotrope.networks. `default` is for an option of one
    kind of input, which no verb's signature spells out. `noun` is what messages call one of its
    choices, if not its name.
    """

    name: str
    help: str
    range: Range | None = None
    choices: Sequence[str] = ()
    parse: Callable[[Any], Any] | None = None
    several: bool = False
    recipe: bool = False
    for_file: bool = False
    of_zoo: bool = False
    default: Any = None
    noun: str = ""

    @property
    def flag(self) -> str:
        """How the command line calls it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def described(self) -> str:
        """The help, with the numbers that it takes."""
        if self.range is None:
            return self.help
        return f"{self.help} [{self.range.words}]"

    def out_of_range(self, value: Any) -> str | None:
        """What is wrong with a number, or with some of several, in words."""
        wrong = [one for one in self.parts(value) if self.range and not self.range.holds(one)]
        if self.range is None or not wrong:
            return None
        return f"{self.name} is {', '.join(map(str, wrong))}, expected {self.range.words}"

    def misread(self, value: Any) -> str | None:
        """What is wrong with a word or a text, as a sentence."""
        noun = self.noun or self.name.replace("_", " ")
        for one in self.parts(value):
            if self.choices and one not in self.choices:
                return str(unknown_name(noun, str(one), self.choices))
            try:
                if self.parse is not None:
                    self.parse(one)
            except UsageError as error:
                return str(error)
        return None

    def parts(self, value: Any) -> list[Any]:
        """The values that were asked for, one by one; none for None."""
        if value is None:
            return []
        if not self.several:
            return [value]
        if isinstance(value, (str, int, float)):
            value = [value]
        return [part for one in value for part in _between_commas(one)]


def _between_commas(value: Any) -> list[Any]:
    if not isinstance(value, str):
        return [value]
    return [part.strip() for part in value.split(",") if part.strip()]


def check_values(options: Iterable[Option], values: Mapping[str, Any]) -> None:
    """Raises one UsageError for all values that their options do not take."""
    by_name = {option.name: option for option in options}
    asked = [(by_name[name], value) for name, value in values.items() if name in by_name]
    # All problems at once, so that a command is corrected once: numbers first, as one sentence.
    numbers = [problem for option, value in asked if (problem := option.out_of_range(value))]
    sentences = [problem for option, value in asked if (problem := option.misread(value))]
    if numbers:
        sentences.insert(0, "; ".join(numbers) + ".")
    if sentences:
        raise UsageError(" ".join(sentences))
