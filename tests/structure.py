"""What the code looks like, measured: imports, cycles, lengths, words.

`test_structure.py` holds it to its bars.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath

Function = ast.FunctionDef | ast.AsyncFunctionDef

SAYS_NOTHING = frozenset({"both", "found", "given", "kept"})
"""Names that leave open what they hold."""

OF_ONE_KIND = re.compile(r"image|picture|pixel|softmax|accuracy", re.IGNORECASE)
"""Words of one kind of input or task, which have no place where every kind passes through."""

COMMENT = re.compile(r"(?:^\s*|\s\s)(#.*)")
"""A comment, on a line of its own or after code."""

PRAGMA = re.compile(r"#\s*(noqa|type:|fmt:|pragma)")
"""Comments that speak to a tool."""


@functools.cache
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a tree, which several rules look at."""
    return tuple(ast.walk(tree))


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported anywhere below the node."""
    for node in walked(tree):
        yield from imported_by(node)


def imported_by(node: ast.AST) -> Iterator[str]:
    """The modules that this one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module


def imports_when_loaded(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported as soon as the file is.

    Those in functions and for types alone are not.
    """
    for node in tree.body:
        yield from imported_by(node)


def imports_when_run(tree: ast.Module, modules: Collection[str]) -> set[str]:
    """Those of `modules` that are imported in the file or its functions, not for types alone."""
    needed = set()
    for node in walk_without_types(tree):
        if isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            needed.update(name if name in modules else node.module for name in whole)
        elif isinstance(node, ast.Import):
            needed.update(imported_by(node))
    return needed & set(modules)


def walk_without_types(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from walk_without_types(child)


def cycles(imports: Mapping[str, Collection[str]]) -> list[set[str]]:
    """The groups of modules of which each imports, by way of others, all of its group."""
    reached = {module: reachable(module, imports) for module in imports}
    groups: list[set[str]] = []
    for module, others in reached.items():
        if module in others and not any(module in group for group in groups):
            groups.append({other for other in others if module in reached[other]})
    return groups


def reachable(module: str, imports: Mapping[str, Collection[str]]) -> set[str]:
    """What a module imports, directly and by way of others; itself only if the way leads back."""
    reached: set[str] = set()
    ahead = list(imports[module])
    while ahead:
        other = ahead.pop()
        if other not in reached:
            reached.add(other)
            ahead.extend(imports[other])
    return reached


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method below the node."""
    return (node for node in walked(tree) if isinstance(node, Function))


def body_lines(node: Function) -> int:
    """The lines of a function below its signature and docstring.

    These are long if a verb has many options.
    """
    body = node.body
    if ast.get_docstring(node) is not None:
        body = body[1:]
    if not body:
        return 0
    return (node.end_lineno or 0) - body[0].lineno + 1


def long_functions(tree: ast.AST, most: int) -> list[str]:
    """The functions of more than `most` lines."""
    return [node.name for node in functions(tree) if body_lines(node) > most]


def long_lines(text: str, most: int = 100) -> int:
    """How many lines have more characters than `most`."""
    return sum(len(line) > most for line in text.splitlines())


def of_one_kind(text: str) -> list[int]:
    """The lines, from 1, that speak of one kind of input or task."""
    return [number for number, line in enumerate(text.splitlines(), 1) if OF_ONE_KIND.search(line)]


def conditional_expressions(tree: ast.AST) -> list[ast.IfExp]:
    """Every `a if b else c` below the node."""
    return [node for node in walked(tree) if isinstance(node, ast.IfExp)]


def nested_conditionals(tree: ast.AST) -> list[int]:
    """The lines of conditional expressions with another inside."""
    return [
        node.lineno
        for node in conditional_expressions(tree)
        if len(conditional_expressions(node)) > 1
    ]


def code_and_comments(text: str, tree: ast.AST) -> tuple[int, int]:
    """How many lines hold code, docstrings not counted, and how many hold a comment for people."""
    documented, quoted = lines_of_strings(tree)
    code = comments = 0
    for number, line in enumerate(text.splitlines(), 1):
        if number in documented or not line.strip():
            continue
        comment = COMMENT.search(line)
        if number not in quoted and comment and not PRAGMA.match(comment[1]):
            comments += 1
        if not line.lstrip().startswith("#"):
            code += 1
    return code, comments


def lines_of_strings(tree: ast.AST) -> tuple[set[int], set[int]]:
    """The lines of strings that document something, and of others with line breaks.

    What documents stands alone.
    """
    documented: set[int] = set()
    quoted: set[int] = set()
    for node in walked(tree):
        if isinstance(node, ast.Expr) and is_text(node.value):
            documented.update(range(node.lineno, (node.end_lineno or 0) + 1))
        elif is_text(node) and node.lineno != node.end_lineno:
            quoted.update(range(node.lineno, (node.end_lineno or 0) + 1))
    return documented, quoted


def is_text(node: ast.AST) -> bool:
    """Whether it is a string, with values in it or not."""
    if isinstance(node, ast.JoinedStr):
        return True
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def names_that_say_nothing(tree: ast.AST) -> list[int]:
    """The lines that bind `found` and its like as a name, a parameter or an attribute."""
    lines = []
    for node in walked(tree):
        if isinstance(node, ast.arg) and node.arg in SAYS_NOTHING:
            lines.append(node.lineno)
        is_bound = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if is_bound and node.id in SAYS_NOTHING:
            lines.append(node.lineno)
    return lines


def patches(tree: ast.AST) -> list[int]:
    """The lines that set an attribute of something else, as pytest's monkeypatch does."""
    attributes = [node for node in walked(tree) if isinstance(node, ast.Attribute)]
    return [node.lineno for node in attributes if node.attr == "setattr"]


def twice(
    names: Mapping[str, Collection[str]], mirrors: Collection[Collection[str]]
) -> dict[str, set[str]]:
    """The names (of files or classes) that stand in several files which do not mirror each other.

    `names` gives the files of each name. `mirrors` are groups of folders, with `*` for any, whose
    files may have the same names, once a folder.
    """
    return {name: set(files) for name, files in names.items() if not mirrored(files, mirrors)}


def mirrored(files: Collection[str], mirrors: Collection[Collection[str]]) -> bool:
    """Whether it is one file, or each lies in another folder of one group."""
    folders = {str(PurePosixPath(file).parent) for file in files}
    if len(files) == 1:
        return True
    return len(folders) == len(files) and any(all_in(folders, group) for group in mirrors)


def all_in(folders: Collection[str], group: Collection[str]) -> bool:
    """Whether each folder is one of the group's."""
    return all(any(fnmatch(folder, pattern) for pattern in group) for folder in folders)


def classes_by_name(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """The files in which a class of each name is defined."""
    places: dict[str, set[str]] = defaultdict(set)
    for file, tree in trees.items():
        for node in walked(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].add(file)
    return places


def files_by_name(files: Collection[str]) -> dict[str, set[str]]:
    """The files of each file name; `__init__` is the folder."""
    places: dict[str, set[str]] = defaultdict(set)
    for file in files:
        name = PurePosixPath(file).name
        if name != "__init__.py":
            places[name].add(file)
    return places
