"""The table of operators: what each means, written once over the primitives of a framework."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator's meaning.

    `function(p, *inputs, **attributes)`: `p` are the primitives, absent optional inputs are None,
    and attributes have ONNX's defaults. `host` are the positions of inputs that steer shapes and
    therefore arrive as NumPy arrays, `known` those of inputs that arrive so where their values are
    known beforehand, else as the others do. A function with a keyword `context` is told about its
    node and whether the network is training (see `interpret.Context`). `attributes` leads from
    ONNX's names to the function's, which have a `_` after them where the name is taken. Subgraphs
    arrive as functions of their inputs; an operator that has them gets its own inputs as they come,
    host values or arrays.
    """

    name: str
    function: Callable[..., Any]
    host: frozenset[int]
    known: frozenset[int]
    all_host: bool
    takes_context: bool
    attributes: Mapping[str, str]

    def on_host(self, position: int) -> bool:
        """Whether the input at this position arrives as a NumPy array."""
        return self.all_host or position in self.host


OPERATORS: dict[str, Operator] = {}


def operator(
    name: str,
    *,
    host: Iterable[str] = (),
    known: Iterable[str] = (),
    domain: str = "",
    attributes_of: Callable[..., Any] | None = None,
) -> Callable[[Function], Function]:
    """Enter a function into the table under its ONNX name.

    `host` names the parameters that must be known as NumPy arrays.

    `known` names those that arrive as NumPy arrays where that is what they are.
    `attributes_of` is another operator's function, whose attributes this one takes too.
    """

    def enter(function: Function) -> Function:
        parameters = _parameters(function)
        positional = [
            q.name
            for q in parameters
            if q.kind in (q.POSITIONAL_ONLY, q.POSITIONAL_OR_KEYWORD, q.VAR_POSITIONAL)
        ]
        if attributes_of is not None:
            parameters += _parameters(attributes_of)
        keywords = {
            # An underscore at the end keeps a name from hiding what the function uses, such as p.
            q.name.rstrip("_"): q.name
            for q in parameters
            if q.kind is q.KEYWORD_ONLY and q.name != "context"
        }
        OPERATORS[qualified(domain, name)] = Operator(
            name=name,
            function=function,
            host=frozenset(positional.index(h) for h in host if h != "*"),
            known=frozenset(map(positional.index, known)),
            all_host="*" in host,
            takes_context=any(q.name == "context" for q in parameters),
            attributes=keywords,
        )
        return function

    return enter


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """All but the first, which takes the primitives."""
    return list(inspect.signature(function).parameters.values())[1:]


def qualified(domain: str, name: str) -> str:
    """The key of an operator: its name, with the domain before it where that is not ONNX's own."""
    if domain in ("", "ai.onnx"):
        return name
    return f"{domain}::{name}"
