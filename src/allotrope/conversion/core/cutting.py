"""Definitions cut out of Allotrope's own source: places, needs, and text under other names."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

Place = tuple[str, str]
"""A module of Allotrope, and a name that stands at its top."""
PACKAGE = "allotrope"


@dataclass(frozen=True)
class Import:
    """A name that a module imports: `module.name` of Allotrope or of another package.

    No name if it is the module itself.
    """

    module: str
    name: str | None
    alias: str

    @property
    def top(self) -> str:
        """The package."""
        return self.module.split(".")[0]

    @property
    def is_own(self) -> bool:
        """Whether it comes from Allotrope."""
        return self.top == PACKAGE


@dataclass(frozen=True)
class GlobalUse:
    """A global name in a definition: the node that says it, and what is local around it."""

    node: ast.expr
    name: str
    local: frozenset[str]


@dataclass
class Source:
    """A module's text and what stands at its top, by name."""

    module: str
    text: str
    statements: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return self.text.splitlines()

    def docstring_after(self, statement: ast.stmt) -> ast.stmt | None:
        """The string below an assignment that says what it is."""
        body = ast.parse(self.text).body
        following = [node for node in body if node.lineno > (statement.end_lineno or 0)]
        is_text = (
            bool(following)
            and isinstance(following[0], ast.Expr)
            and isinstance(following[0].value, ast.Constant)
        )
        if is_text and isinstance(statement, (ast.Assign, ast.AnnAssign)):
            return following[0]
        return None


@functools.cache
def source(module: str) -> Source:
    """A module of Allotrope, read as text and not imported."""
    # Found and not imported: an import would load the framework of the target.
    specification = find_spec(module)
    assert specification is not None and specification.origin is not None
    text = Path(specification.origin).read_text(encoding="utf-8")
    read = Source(module, text)
    for statement in ast.parse(text).body:
        for name in _defined(statement):
            read.statements[name] = statement
        for one in _imported(statement):
            read.imports[one.alias] = one
    return read


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


def _imported(statement: ast.stmt) -> Iterator[Import]:
    """What a statement imports; what functions import is local to them."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (
                Import(one.name, None, one.asname or one.name.split(".")[0]) for one in node.names
            )
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            for one in node.names:
                alias, inner = one.asname or one.name, f"{node.module}.{one.name}"
                if _is_own_module(inner):
                    yield Import(inner, None, alias)
                else:
                    yield Import(node.module, one.name, alias)


@functools.cache
def _is_own_module(name: str) -> bool:
    """Whether a dotted name is a module of Allotrope, and not something in one."""
    parent = name.rpartition(".")[0]
    if parent.split(".")[0] != PACKAGE:
        return False
    package = find_spec(parent)
    if package is None or package.submodule_search_locations is None:
        return False
    return find_spec(name) is not None


def global_uses(node: ast.AST, local: frozenset[str] = frozenset()) -> Iterator[GlobalUse]:
    """The names below a node that are not local to a function around them."""
    if isinstance(node, ast.Name):
        if node.id not in local:
            yield GlobalUse(node, node.id, local)
    elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
        yield from _uses_in_function(node, local)
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        inner = local | {
            n.id for one in node.generators for n in ast.walk(one.target) if isinstance(n, ast.Name)
        }
        for child in ast.iter_child_nodes(node):
            yield from global_uses(child, inner)
    else:
        for child in ast.iter_child_nodes(node):
            yield from global_uses(child, local)


def _uses_in_function(
    node: ast.FunctionDef | ast.Lambda, local: frozenset[str]
) -> Iterator[GlobalUse]:
    arguments = node.args
    outside: list[ast.AST] = [
        *arguments.defaults,
        *(d for d in arguments.kw_defaults if d is not None),
    ]
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]
    outside += [one.annotation for one in every if one.annotation is not None]
    body: list[ast.AST]
    if isinstance(node, ast.FunctionDef):
        body = [*node.body]
        outside += [*node.decorator_list, *filter(None, [node.returns])]
    else:
        body = [node.body]
    # Defaults, annotations and decorators are read where the function is defined.
    for child in outside:
        yield from global_uses(child, local)
    inner = local | {one.arg for one in every} | {name for child in body for name in _bound(child)}
    for child in body:
        yield from global_uses(child, inner)


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement of a function makes local to it."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (one.asname or one.name.split(".")[0] for one in node.names)
    if isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def text_of(
    module: Source, node: ast.stmt, names: Mapping[tuple[int, int], tuple[int, str]]
) -> list[str]:
    """The lines of a statement, its decorators included, with other texts at some places.

    `names` are the end column and the new text by (line, column), columns counted in bytes as `ast`
    does.
    """
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    lines = []
    for number in range(first, (node.end_lineno or node.lineno) + 1):
        line = module.lines[number - 1].encode()
        places = sorted(
            (column, end, new) for (at, column), (end, new) in names.items() if at == number
        )
        # From the end of the line, so that the columns of what is left stay right.
        for column, end, new in reversed(places):
            line = line[:column] + new.encode() + line[end:]
        lines.append(line.decode())
    return lines
