"""`operators.py` of a written folder: what is carried along, as one file without Allotrope."""

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


LARGE = (ast.FunctionDef, ast.ClassDef)
"""What stands apart from other lines."""


class Written:
    """The text, and under which name each operator stands in it."""

    def __init__(self, target: str, carried: Carried) -> None:
        self._carried = carried
        self._same: dict[Place, Place] = {}
        self._names = self._allocated()
        self.functions = {
            key: self._names[piece.module.module, piece.name]
            for key, piece in carried.roots.items()
        }
        names = ", ".join(key for key in carried.roots)
        head = HEAD.format(target=target, operators=names).splitlines()
        body = list(dropwhile("".__eq__, self._body()))
        gap = []
        if body[0].startswith(("class ", "def ", "@")):
            gap = [""]
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

        for module in (
            self._carried.leaf[0],
            STANDALONE,
            *sorted(place[0] for place in self._carried.pieces),
        ):
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
        if statement is None:
            return sys.maxsize
        return statement.lineno

    def _allocated(self) -> dict[Place, str]:
        """A name for each, its own where that is free."""
        taken = {
            one.alias: ("", one.alias)
            for need in self._carried.every_need()
            for one in need.imports
        }
        names: dict[Place, str] = {}
        roots = [(piece.module.module, piece.name) for piece in self._carried.roots.values()]
        # Roots come first, so that operators keep their names and others give way.
        for place in [*roots, *(place for place in self._places() if place not in roots)]:
            module, name = place
            # Two modules often have the same alias of a type: that is written once.
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
        text = self._assigned(place)
        return text is not None and text == self._assigned(other)

    def _assigned(self, place: Place) -> str | None:
        """An assignment as text; None if it is something else."""
        piece = self._carried.pieces.get(place)
        if piece is None or not isinstance(piece.node, ast.Assign):
            return None
        return ast.unparse(piece.node)

    def _imports(self) -> Iterator[str]:
        imports = {one for need in self._carried.every_need() for one in need.imports}
        standard = [one for one in imports if one.top in sys.stdlib_module_names]
        others = [one for one in imports if one.top not in sys.stdlib_module_names]
        for group in filter(None, (standard, others)):
            yield from _import_lines(group)
            yield ""

    def _body(self) -> Iterator[str]:
        before: ast.stmt | None = None
        for place in self._places():
            if place in self._same:
                continue
            if place in self._carried.pieces:
                node = self._carried.pieces[place].node
            else:
                node = source(place[0]).statements[place[1]]
            if isinstance(node, LARGE) or isinstance(before, LARGE):
                yield from ["", ""]
            if place in self._carried.classes:
                yield from self._class(place)
            else:
                yield from self._definition(place)
            before = node

    def _definition(self, place: Place) -> list[str]:
        if place == (STANDALONE, "ARRAYS"):
            lines = [f"ARRAYS = {self._names[self._carried.leaf]}()"]
        else:
            lines = self._text(self._carried.pieces[place], self._carried.needs[place].places)
        piece = self._carried.pieces[place]
        note = piece.text.docstring_after(piece.node)
        if note is None:
            return lines
        return [*lines, *text_of(piece.text, note, {})]

    def _text(
        self, piece: Piece, places: dict[tuple[int, int], tuple[int, Place | str]]
    ) -> list[str]:
        """The lines of a piece, with the names that its definitions have here."""
        edits = {}
        for at, (end, meant) in places.items():
            name = meant
            if not isinstance(meant, str):
                name = self._names[meant]
            edits[at] = (end, str(name))
        own = self._names.get((piece.module.module, piece.name))
        node = piece.node
        if own is not None and isinstance(node, LARGE) and node.col_offset == 0:
            start = len("def ")
            if isinstance(node, ast.ClassDef):
                start = len("class ")
            edits[node.lineno, start] = (start + len(piece.name), own)
        return text_of(piece.text, node, edits)

    def _class(self, place: Place) -> Iterator[str]:
        """A class of primitives with those of its members that are used."""
        node = source(place[0]).statements[place[1]]
        assert isinstance(node, ast.ClassDef)
        header = self._names[place]
        bases = ", ".join(self._bases(place))
        if bases:
            header += f"({bases})"
        yield f"class {header}:"
        yield from text_of(source(place[0]), node.body[0], {})
        members = sorted(
            (piece for (owner, _), piece in self._carried.members.items() if owner == place),
            key=lambda one: one.node.lineno,
        )
        before: ast.stmt = node.body[0]
        for piece in members:
            # Assignments stand together, all else apart.
            if isinstance(piece.node, ast.FunctionDef) or not isinstance(before, ast.Assign):
                yield ""
            yield from self._text(piece, self._places_in(place, piece.name))
            before = piece.node

    def _places_in(
        self, owner: Place, member: str
    ) -> dict[tuple[int, int], tuple[int, Place | str]]:
        return next(
            need.places
            for (place, name), need in self._carried.needs_of_members.items()
            if place == owner and name.rpartition(".")[2] == member
        )

    def _bases(self, place: Place) -> list[str]:
        """The written classes that it inherits from, without those that come by way of others."""
        family = next(family for family in self._carried.families.values() if place in family)
        above = [
            one
            for one in family[family.index(place) + 1 :]
            if one in self._carried.classes and self._inherits(place, one)
        ]
        direct = [
            one
            for one in above
            if not any(self._inherits(other, one) for other in above if other != one)
        ]
        return [self._names[one] for one in direct]

    def _inherits(self, place: Place, other: Place) -> bool:
        return other in ancestors(place)


def _longer(name: str, module: str) -> str:
    """The name with its module's in front, as in `_control_array` and `SequencesSequence`."""
    bare = name.lstrip("_")
    start = name[: len(name) - len(bare)]
    if bare[:1].isupper():
        return f"{start}{module.title().replace('_', '')}{bare}"
    return f"{start}{module}_{bare}"


def _import_lines(imports: Sequence[Import]) -> list[str]:
    whole = sorted({(one.module, one.alias) for one in imports if one.name is None})
    lines = [f"import {_renamed(module, module.split('.')[0], alias)}" for module, alias in whole]
    modules = sorted({one.module for one in imports if one.name is not None})
    for module in modules:
        names = sorted(
            {
                (one.name or "", one.alias)
                for one in imports
                if one.module == module and one.name is not None
            },
            key=_kind,
        )
        shown = ", ".join(_renamed(name, name, alias) for name, alias in names)
        lines.append(f"from {module} import {shown}")
    return lines


def _renamed(imported: str, usual: str, alias: str) -> str:
    """What is imported, with its other name if it has one."""
    if alias == usual:
        return imported
    return f"{imported} as {alias}"


def _kind(pair: tuple[str, str]) -> tuple[int, str]:
    """Constants come before classes and these before the rest, as ruff sorts them."""
    name = pair[0]
    if name.isupper() and len(name) > 1:
        return 0, name
    if name[:1].isupper():
        return 1, name
    return 2, name
