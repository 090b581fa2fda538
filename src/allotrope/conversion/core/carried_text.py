"""`operators.py` of a written folder: what is carried along, as one file that needs nothing of Allotrope."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from itertools import dropwhile

from allotrope.conversion.core.carried import STANDALONE, Carried, ancestors
from allotrope.conversion.core.cutting import Import, Place, source, text_of
from allotrope.conversion.core.entries import Piece

HEAD = '''"""Operators of ONNX that have no ordinary form in {target}, spelled out: {operators}.

Each is called with arrays and its attributes; `p` in its function, the primitives, are left out.
"""

from __future__ import annotations
'''


class Written:
    """The text, and under which name each operator stands in it."""

    def __init__(self, target: str, carried: Carried) -> None:
        self._carried = carried
        self._same: dict[Place, Place] = {}
        self._names = self._allocated()
        self.functions = {key: self._names[piece.module.module, piece.name] for key, piece in carried.roots.items()}
        names = ", ".join(key for key in carried.roots)
        head = HEAD.format(target=target, operators=names).splitlines()
        body = list(dropwhile("".__eq__, self._body()))
        gap = [""] if body[0].startswith(("class ", "def ", "@")) else []
        self.text = "\n".join([*head, "", *self._imports(), *gap, *body]) + "\n"

    def _order(self) -> list[str]:
        """The modules, each after those that it imports."""
        done: list[str] = []
        seen: set[str] = set()

        def visit(module: str) -> None:
            if module in seen or not module.startswith("allotrope."):
                return
            seen.add(module)
            for one in source(module).imports.values():
                visit(one.module)
            done.append(module)

        for module in (self._carried.leaf[0], STANDALONE, *sorted(place[0] for place in self._carried.pieces)):
            visit(module)
        return done

    def _places(self) -> Iterator[Place]:
        """Everything that is written, in order."""
        places = {*self._carried.pieces, *self._carried.classes}
        for module in self._order():
            inside = [place for place in places if place[0] == module]
            yield from sorted(inside, key=self._line)

    def _line(self, place: Place) -> int:
        """Where it stands; what a root is assigned to stands at the end."""
        statement = source(place[0]).statements.get(place[1])
        return sys.maxsize if statement is None else statement.lineno

    def _allocated(self) -> dict[Place, str]:
        """A name for each, its own where that is free."""
        taken = {one.alias: ("", one.alias) for need in self._carried.every_need() for one in need.imports}
        names: dict[Place, str] = {}
        roots = [(piece.module.module, piece.name) for piece in self._carried.roots.values()]
        for place in [*roots, *(place for place in self._places() if place not in roots)]:
            module, name = place
            twin = taken.get(name)
            if twin is not None and self._is_same(place, twin):
                self._same[place] = twin
                names[place] = name
                continue
            while name in taken:
                name = _longer(name, module.rpartition(".")[2])
            taken[name], names[place] = place, name
        return names

    def _is_same(self, place: Place, other: Place) -> bool:
        """Whether both are assignments that say the same, as of a type's other name."""
        pieces = [self._carried.pieces.get(one) for one in (place, other)]
        texts = [ast.unparse(piece.node) if piece and isinstance(piece.node, ast.Assign) else None for piece in pieces]
        return texts[0] is not None and texts[0] == texts[1]

    def _imports(self) -> Iterator[str]:
        found = {one for need in self._carried.every_need() for one in need.imports}
        groups = [[one for one in found if (one.module.split(".")[0] in sys.stdlib_module_names) is standard] for standard in (True, False)]
        for group in filter(None, groups):
            yield from _import_lines(group)
            yield ""

    def _body(self) -> Iterator[str]:
        before: ast.stmt | None = None
        for place in self._places():
            if place in self._same:
                continue
            node = self._carried.pieces[place].node if place in self._carried.pieces else source(place[0]).statements[place[1]]
            is_large = isinstance(node, (ast.FunctionDef, ast.ClassDef)) or isinstance(before, (ast.FunctionDef, ast.ClassDef))
            yield from ["", ""] if is_large else []
            yield from self._class(place) if place in self._carried.classes else self._definition(place)
            before = node

    def _definition(self, place: Place) -> list[str]:
        if place == (STANDALONE, "ARRAYS"):
            lines = [f"ARRAYS = {self._names[self._carried.leaf]}()"]
        else:
            lines = self._text(self._carried.pieces[place], self._carried.needs[place].places)
        piece = self._carried.pieces[place]
        note = piece.text.docstring_after(piece.node)
        return lines if note is None else [*lines, *text_of(piece.text, note, {})]

    def _text(self, piece: Piece, places: dict[tuple[int, int], tuple[int, Place | str]]) -> list[str]:
        """The lines of a piece, with the names that its definitions have here."""
        edits = {}
        for at, (end, found) in places.items():
            edits[at] = (end, found if isinstance(found, str) else self._names[found])
        name = self._names.get((piece.module.module, piece.name))
        node = piece.node
        if name is not None and isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.col_offset == 0:
            start = len("class ") if isinstance(node, ast.ClassDef) else len("def ")
            edits[node.lineno, start] = (start + len(piece.name), name)
        return text_of(piece.text, node, edits)

    def _class(self, place: Place) -> Iterator[str]:
        """A class of primitives with those of its members that are used."""
        node = source(place[0]).statements[place[1]]
        assert isinstance(node, ast.ClassDef)
        bases = ", ".join(self._bases(place))
        yield f"class {self._names[place]}({bases}):" if bases else f"class {self._names[place]}:"
        yield from text_of(source(place[0]), node.body[0], {})
        members = sorted((piece for (owner, _), piece in self._carried.members.items() if owner == place), key=lambda one: one.node.lineno)
        before: ast.stmt = node.body[0]
        for piece in members:
            yield from [""] if isinstance(piece.node, ast.FunctionDef) or not isinstance(before, ast.Assign) else []
            yield from self._text(piece, self._places_in(place, piece.name))
            before = piece.node

    def _places_in(self, owner: Place, member: str) -> dict[tuple[int, int], tuple[int, Place | str]]:
        found = self._carried.needs_of_members
        return next(need.places for (place, name), need in found.items() if place == owner and name.rpartition(".")[2] == member)

    def _bases(self, place: Place) -> list[str]:
        """The classes that are written among those that it inherits from, without those that come by way of others."""
        family = next(family for family in self._carried.families.values() if place in family)
        above = [one for one in family[family.index(place) + 1 :] if one in self._carried.classes and self._inherits(place, one)]
        direct = [one for one in above if not any(self._inherits(other, one) for other in above if other != one)]
        return [self._names[one] for one in direct]

    def _inherits(self, place: Place, other: Place) -> bool:
        return other in ancestors(place)


def _longer(name: str, module: str) -> str:
    """The name with its module's in front, as in `_control_array` and `SequencesSequence`."""
    bare = name.lstrip("_")
    start = name[: len(name) - len(bare)]
    return f"{start}{module.title().replace('_', '')}{bare}" if bare[:1].isupper() else f"{start}{module}_{bare}"


def _import_lines(imports: Sequence[Import]) -> list[str]:
    whole = sorted({(one.module, one.alias) for one in imports if one.name is None})
    lines = [f"import {module}" + ("" if alias == module.split(".")[0] else f" as {alias}") for module, alias in whole]
    modules = sorted({one.module for one in imports if one.name is not None})
    for module in modules:
        names = sorted({(one.name or "", one.alias) for one in imports if one.module == module and one.name is not None}, key=_kind)
        lines.append(f"from {module} import " + ", ".join(name if name == alias else f"{name} as {alias}" for name, alias in names))
    return lines


def _kind(pair: tuple[str, str]) -> tuple[int, str]:
    """Constants come before classes and these before the rest, as ruff sorts them."""
    name = pair[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name
