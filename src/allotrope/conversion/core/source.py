"""Python source: literals, identifiers, and expressions spread over lines as `ruff format` would.

Nothing of a file reaches the source unless it went through `identifier`, `literal` or `printable`.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDTH = 88
"""Characters in a line, as in Black's and ruff's defaults."""


@dataclass(frozen=True)
class Group:
    """Parts between brackets, each with what stands before it, such as `bias=`."""

    opening: str
    parts: tuple[tuple[str, Expression], ...]
    closing: str


Expression = str | Group


def call(function: str, *arguments: Any, **keywords: Any) -> Group:
    """A call.

    Arguments that are no expressions become literals, keywords that are None are left out.
    """
    positional = [("", _expression(argument)) for argument in arguments]
    named = [
        (f"{name}=", _expression(value)) for name, value in keywords.items() if value is not None
    ]
    return Group(f"{function}(", (*positional, *named), ")")


def listing(parts: Iterable[Expression]) -> Group:
    """A list."""
    return Group("[", tuple(("", part) for part in parts), "]")


def mapping(parts: Iterable[tuple[str, Expression]]) -> Group:
    """A dict with strings for keys."""
    return Group("{", tuple((f'"{key}": ', part) for key, part in parts), "}")


def _expression(value: Any) -> Expression:
    if isinstance(value, (str, Group)):
        return value
    return literal(value)


def literal(value: Any) -> str:
    """A number, truth value, None, or a tuple or list of them.

    a float32 with the fewest digits that tell it apart.
    """
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inner}]"
        if len(value) == 1:
            return f"({inner},)"
        return f"({inner})"
    if isinstance(value, np.ndarray):
        return literal(value.tolist())
    if isinstance(value, (float, np.floating)):
        return _float(float(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value)


def _float(value: float) -> str:
    if not np.isfinite(value):
        return f'float("{value}")'
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    if float(narrow) == value:
        return repr(shortest(value))
    return repr(value)


def shortest(value: float) -> float:
    """An attribute's float32 as the number that was meant: 0.9 instead of 0.8999999761581421.

    The largest float32 stays what it is: the number with the fewest digits that is nearest to it
    lies beyond it.
    """
    narrow = np.float32(value)
    meant = float(str(narrow))
    if float(narrow) == value and abs(meant) <= float(np.finfo(np.float32).max):
        return meant
    return value


def quoted(text: str) -> str:
    """A string literal of printable text."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', "'") + '"'


def printable(text: str) -> str:
    """The text on one line, in plain characters, for comments and names that are shown."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:200].strip()


def identifier(text: str, taken: Container[str] = ()) -> str:
    """A Python name made of the text, that is no keyword and not among `taken`."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit():
        name = f"_{name}"
    while keyword.iskeyword(name) or name in taken or hasattr(builtins, name):
        name += "_"
    return name


def flat(expression: Expression) -> str:
    """The expression on one line."""
    if isinstance(expression, str):
        return expression
    return (
        expression.opening
        + ", ".join(before + flat(part) for before, part in expression.parts)
        + expression.closing
    )


def spread(before: str, expression: Expression, indent: int = 0, after: str = "") -> list[str]:
    """Lines of `before`, the expression and `after`: one, if it fits.

    Else three if its parts fit in one, else a line a part.
    """
    space = " " * indent
    line = space + before + flat(expression) + after
    if len(line) <= WIDTH or isinstance(expression, str) or not expression.parts:
        return [line]
    first, last = space + before + expression.opening, space + expression.closing + after
    inner = space + "    " + ", ".join(prefix + flat(part) for prefix, part in expression.parts)
    # As ruff formats it: short arguments on one line, elements of a list one a line.
    if len(inner) <= WIDTH and not first.endswith(("[", "{")):
        return [first, inner, last]
    comma = ","
    if _is_collection_alone(expression):
        comma = ""
    return [
        first,
        *(
            line
            for prefix, part in expression.parts
            for line in spread(prefix, part, indent + 4, comma)
        ),
        last,
    ]


def _is_collection_alone(expression: Group) -> bool:
    """A call with nothing but a list or dict has no comma after it."""
    (before, part), *others = expression.parts
    return not others and not before and isinstance(part, Group) and part.opening in ("[", "{")
