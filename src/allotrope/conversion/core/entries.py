"""Where the source of each operator stands: a decorated function, or what enters one."""

from __future__ import annotations

import ast
import functools
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass

import allotrope.operators
from allotrope.conversion.core.cutting import Source, source
from allotrope.conversion.core.source import identifier
from allotrope.operators.operator_table import qualified


@dataclass(frozen=True)
class Piece:
    """A statement that is cut out: its text, and the module in which its names are looked up."""

    name: str
    module: Source
    text: Source
    node: ast.stmt


def cut_from(module: str, name: str) -> Piece:
    """What stands at the top of a module under this name."""
    text = source(module)
    return Piece(name, text, text, text.statements[name])


@functools.cache
def entries() -> dict[str, Piece]:
    """By the operator's key in the table, what defines it."""
    modules = [
        f"{allotrope.operators.__name__}.{module.name}"
        for module in pkgutil.iter_modules(allotrope.operators.__path__)
    ]
    entering = [text for text in map(source, modules) if "operator" in text.imports]
    return {key: piece for module in entering for key, piece in _entries_of(module)}


def _entries_of(module: Source) -> Iterator[tuple[str, Piece]]:
    for statement in ast.parse(module.text).body:
        if isinstance(statement, ast.FunctionDef):
            for entered in filter(None, map(_entered, statement.decorator_list)):
                yield entered, Piece(statement.name, module, module, statement)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            key = _entered(statement.value) or _entered(statement.value.func)
            if key is not None:
                text = ast.get_source_segment(module.text, statement.value)
                yield key, _assigned(module, key, text or "")
        elif isinstance(statement, ast.For) and isinstance(statement.body[0], ast.Expr):
            yield from _entered_in_loop(module, statement)


def _entered(node: ast.AST) -> str | None:
    """The key that a call `operator("Name", …)` or `_enter("Name", …)` makes.

    None for other nodes.
    """
    if not (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("operator", "_enter")
    ):
        return None
    name = None
    if node.args:
        name = node.args[0]
    domain = next(
        (
            k.value.value
            for k in node.keywords
            if k.arg == "domain" and isinstance(k.value, ast.Constant)
        ),
        "",
    )
    if isinstance(name, ast.Constant):
        return qualified(str(domain), str(name.value))
    return None


def _entered_in_loop(module: Source, loop: ast.For) -> Iterator[tuple[str, Piece]]:
    """The operators of `for name, primitive in {…}.items(): enter(name, primitive)`."""
    table = next(node for node in ast.walk(loop.iter) if isinstance(node, ast.Dict))
    call = None
    if isinstance(loop.body[0], ast.Expr):
        call = loop.body[0].value
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    for name, primitive in ast.literal_eval(table).items():
        yield name, _assigned(module, name, f'{call.func.id}("{name}", "{primitive}")')


def _assigned(module: Source, key: str, expression: str) -> Piece:
    """`reduce_sum = …` for the operator ReduceSum."""
    name = identifier(
        re.sub(
            r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key.replace("NaN", "Nan")
        ).lower()
    )
    text = Source(module.module, f"{name} = {expression}")
    return Piece(name, module, text, ast.parse(text.text).body[0])
