"""Repeated parts of a network as classes of their own, such as `layer1.0` and `layer1.1`.

A block is a numbered container of modules whose lines stand together, take one value and give one.
Blocks whose classes would be word for word the same share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from allotrope.conversion.core.layers import MARK, Layers
from allotrope.conversion.core.source import Expression, Group, flat, identifier, spread
from allotrope.conversion.core.statement import Statement
from allotrope.conversion.core.variables import LETTERS

ACTIVATION = re.compile(
    r"(?:F|torch|jax\.nn|jnp)\.(?:\w*elu6?|silu|mish|tanh|sigmoid|hard\w+)\((\w+)(?:, [^()]*)?\)"
)
WORD = re.compile(r"(?<![.\w])[A-Za-z_]\w*(?![\w=])")
"""A variable, or a name that no variable has."""


@dataclass(frozen=True)
class Block:
    """Lines `start` to `stop` (not included) of the container `path`: one variable in, one out."""

    path: str
    start: int
    stop: int
    taken: str
    made: str


@dataclass
class BlockClass:
    """The lines below a class's docstring, and the containers that are of it."""

    name: str
    lines: list[str]
    paths: list[str] = field(default_factory=list)

    def source(self, base: str) -> list[str]:
        """The class with its docstring."""
        shown = ", ".join(self.paths[:6])
        if len(self.paths) > 6:
            shown += ", …"
        return [f"class {self.name}({base}):", f'    """{shown}."""', "", *self.lines, "", ""]


def with_blocks(
    statements: Sequence[Statement], outputs: str, layers: Layers, style: BlockStyle
) -> tuple[list[Statement], list[BlockClass]]:
    """The statements with a call in place of each block, and the classes.

    `layers` then make the blocks by their classes.
    """
    # A function that is written between lines may read any variable: then nothing is cut out.
    has_functions = any(statement.parameters is not None for statement in statements)
    blocks: list[Block] = []
    if not has_functions:
        blocks = list(_blocks(statements, outputs, layers))
    classes: dict[str, BlockClass] = {}
    shorter, position = list[Statement](), 0
    for block in blocks:
        lines = list(style.lines(block, statements, layers))
        text = "\n".join(lines)
        # Blocks with the same lines, once their variables are named alike, are of one class.
        if text not in classes:
            names = {one.name for one in classes.values()}
            classes[text] = BlockClass(_class_name(block.path, names), lines)
        classes[text].paths.append(block.path)
        branch = layers.at(block.path)
        branch.made, branch.is_block = f"{classes[text].name}({style.argument})", True
        call = Group(f"«{block.path}»(", (("", block.taken),), ")")
        shorter += [*statements[position : block.start], Statement((block.made,), call)]
        position = block.stop
    return _looped([*shorter, *statements[position:]], layers), list(classes.values())


def _class_name(path: str, taken: set[str]) -> str:
    """`Layer1Block0` for `layer1.0`."""
    above, _, number = path.rpartition(".")
    return identifier(
        "".join(part.capitalize() for part in re.split(r"[._]", above)) + f"Block{number}", taken
    )


def _looped(statements: Sequence[Statement], layers: Layers) -> list[Statement]:
    """A loop in place of calls of all modules of a list, one on the result of the other."""
    shorter: list[Statement] = []
    position = 0
    while position < len(statements):
        called = re.fullmatch(r"«([^»]+)\.0»\((\w+)\)", statements[position].text)
        count = 0
        if called:
            count = len(layers.at(called[1]).children)
        wanted = []
        if called:
            wanted = [
                ((called[2],), f"«{called[1]}.{number}»({called[2]})") for number in range(count)
            ]
        if (
            count > 1
            and [(one.targets, flat(one.value)) for one in statements[position : position + count]]
            == wanted
            and called
        ):
            shorter.append(Statement((called[2],), f"block({called[2]})", over=f"«{called[1]}»"))
            position += count
        else:
            shorter.append(statements[position])
            position += 1
    return shorter


def written(statement: Statement, layers: Any, indent: int = 8) -> Iterator[str]:
    """The lines of a statement of the whole network's function."""
    if statement.parameters is not None:
        yield from _function(statement, layers, indent)
        return
    if statement.over:
        yield f"{' ' * indent}for block in {layers.resolved(statement.over)}:"
        indent += 4
    yield from spread(
        f"{', '.join(statement.targets)} = ", layers.resolved(statement.value), indent
    )


def all_written(statements: Sequence[Statement], layers: Any) -> Iterator[str]:
    """The lines of statements, with one empty line where functions follow each other."""
    before = ""
    for line in (line for statement in statements for line in written(statement, layers)):
        if line or before:
            yield line
        before = line


def _function(statement: Statement, layers: Any, indent: int) -> Iterator[str]:
    """A subgraph's function, between empty lines."""
    space = " " * indent
    yield ""
    yield f"{space}def {statement.targets[0]}({', '.join(statement.parameters or ())}):"
    for inner in statement.body:
        yield from written(inner, layers, indent + 4)
    yield from spread("return ", layers.resolved(statement.value), indent + 4)
    yield ""


@dataclass(frozen=True)
class BlockStyle:
    """How a target writes a class: what `__init__` takes and begins with, the head of the call."""

    argument: str
    initialize: tuple[str, ...]
    call: str

    def lines(self, block: Block, statements: Sequence[Statement], layers: Layers) -> Iterator[str]:
        """`__init__` and the call of a block's class, its variables renamed in their order."""
        names = _renamed(block, statements)
        yield from self.initialize
        for before, made in layers.declarations(layers.at(block.path)):
            yield from spread(before, made, 8)
        yield ""
        yield self.call.format(names[block.taken])
        for statement in statements[block.start : block.stop]:
            targets = ", ".join(_rename(target, names) for target in statement.targets)
            value = layers.resolved(_renamed_in(statement.value, names), block.path)
            yield from spread(f"{targets} = ", value, 8)
        yield f"        return {names[block.made]}"


def _blocks(statements: Sequence[Statement], outputs: str, layers: Layers) -> Iterator[Block]:
    """The blocks in order, the outermost of those that lie in each other."""
    marks = [set(MARK.findall(statement.text)) for statement in statements]
    done = 0
    for path in layers.containers_with_numbers():
        own = [
            i for i, paths in enumerate(marks) if any(one.startswith(f"{path}.") for one in paths)
        ]
        if len(own) < 2 or own[0] < done:
            continue
        alone = all(
            one.startswith(f"{path}.") for i in range(own[0], own[-1] + 1) for one in marks[i]
        )
        block = None
        if alone:
            block = _closed(path, own[0], own[-1] + 1, statements, marks, outputs)
        if block is not None:
            yield block
            done = block.stop


def _closed(
    path: str,
    start: int,
    stop: int,
    statements: Sequence[Statement],
    marks: Sequence[set[str]],
    outputs: str,
) -> Block | None:
    """The block, lengthened by lines without modules until it gives one value.

    The sum with what it took and an activation of its value belong to it as well.
    """
    while (
        len(_used_after(start, stop, statements, outputs)) > 1
        and stop < len(statements)
        and not marks[stop]
    ):
        stop += 1
    # A call of a class takes one value and gives one.
    taken, made = _taken(start, stop, statements), _used_after(start, stop, statements, outputs)
    if len(taken) != 1 or len(made) != 1:
        return None
    if stop < len(statements) and not marks[stop] and taken | made <= _reads(statements[stop]):
        stop += 1
        made = _used_after(start, stop, statements, outputs)
        if len(made) != 1:
            return None
    if stop < len(statements):
        activation = ACTIVATION.fullmatch(flat(statements[stop].value))
        after = _used_after(start, stop + 1, statements, outputs)
        if activation and activation.group(1) in made and len(after) == 1:
            return Block(path, start, stop + 1, *taken, *after)
    return Block(path, start, stop, *taken, *made)


def _words(text: str) -> list[str]:
    return WORD.findall(text)


def _variables(statements: Sequence[Statement]) -> set[str]:
    return {
        word for statement in statements for target in statement.targets for word in _words(target)
    }


def _reads(statement: Statement) -> set[str]:
    return set(_words(MARK.sub("", statement.text)))


def _taken(start: int, stop: int, statements: Sequence[Statement]) -> set[str]:
    """What the lines use and did not make: earlier variables, and the function's own arguments."""
    made: set[str] = set()
    taken: set[str] = set()
    # The words of a line are names of functions too; only variables are taken from outside.
    known = _variables(statements[:start]) | set(LETTERS)
    for statement in statements[start:stop]:
        taken |= (_reads(statement) & known) - made
        made |= _variables([statement])
    return taken


def _used_after(start: int, stop: int, statements: Sequence[Statement], outputs: str) -> set[str]:
    """What the lines made that is used after them."""
    made, used = _variables(statements[start:stop]), set()
    for statement in statements[stop:]:
        used |= _reads(statement) & made
        # From here on the variable holds something else.
        made -= _variables([statement])
    return used | (made & set(_words(outputs)))


def _renamed(block: Block, statements: Sequence[Statement]) -> dict[str, str]:
    """New names for the block's variables, in the order in which they appear."""
    names = {block.taken: LETTERS[0]}
    own = _variables(statements[block.start : block.stop])
    for statement in statements[block.start : block.stop]:
        for word in (
            *_words(MARK.sub("", statement.text)),
            *(word for target in statement.targets for word in _words(target)),
        ):
            if word in own and word not in names:
                names[word] = _letter(len(names))
    return names


def _letter(number: int) -> str:
    """A short name for each number: letters, then letters with a digit."""
    rounds, place = divmod(number, len(LETTERS))
    return LETTERS[place] + str(rounds or "")


def _rename(text: str, names: Mapping[str, str]) -> str:
    """The text with other variables; paths stay."""
    # Split so, every second part is a path.
    parts = re.split(r"(«[^»]*»)", text)
    parts[::2] = [WORD.sub(lambda word: names.get(word[0], word[0]), part) for part in parts[::2]]
    return "".join(parts)


def _renamed_in(expression: Expression, names: Mapping[str, str]) -> Expression:
    if isinstance(expression, str):
        return _rename(expression, names)
    parts = tuple((before, _renamed_in(part, names)) for before, part in expression.parts)
    return replace(expression, opening=_rename(expression.opening, names), parts=parts)
