"""A line of a converted network, and the rules that give what stands in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allotrope.conversion.core.source import Expression, flat


@dataclass(frozen=True)
class Several:
    """An expression that gives the first `count` outputs of its node at once."""

    value: Expression
    count: int


@dataclass(frozen=True)
class Statement:
    """`targets = value`, for each block of the list `over` where one is named.

    That of a length only stays where something uses it.

    Where there are `parameters` it is a function: the target is its name, `body` its lines and the
    value what it returns.
    """

    targets: tuple[str, ...]
    value: Expression
    is_length: bool = False
    over: str = ""
    parameters: tuple[str, ...] | None = None
    body: tuple[Statement, ...] = ()

    @property
    def text(self) -> str:
        """Everything that is read in it, on one line."""
        return " ".join([*(one.text for one in self.body), flat(self.value)])


Rule = Callable[[Any], "Expression | list[Expression] | Several"]
"""What computes the first output of a site's node, or its outputs one by one, or several at once.
"""
