"""What operators need to be called without Allotrope: functions, primitives, and all they use."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from allotrope.conversion.core import standalone
from allotrope.conversion.core.cutting import Import, Place, global_uses, source
from allotrope.conversion.core.entries import Piece, cut_from, entries

STANDALONE = standalone.__name__
REFERENCE: Place = ("allotrope.frameworks.reference.primitives", "ReferencePrimitives")
PRIMITIVES: dict[str, Place] = {
    "pytorch": ("allotrope.frameworks.pytorch.primitives", "PyTorchPrimitives"),
    "tensorflow": ("allotrope.frameworks.tensorflow.primitives", "TensorFlowPrimitives"),
    "keras": ("allotrope.frameworks.tensorflow.primitives", "TensorFlowPrimitives"),
    "jax": ("allotrope.frameworks.jax.primitives", "JaxPrimitives"),
}
"""The primitives that each target's operators are computed with; Keras's are those of its engine
TensorFlow."""
INSTEAD: dict[Place, Place | Import | str] = {
    ("allotrope.operators.operator_table", "operator"): (STANDALONE, "operator"),
    ("allotrope.operators.memory", "room_for"): (STANDALONE, "room_for"),
    ("allotrope.frameworks.tensorflow.importing", "tf"): Import("tensorflow", None, "tf"),
    ("allotrope.errors", "DataError"): "ValueError",
    ("allotrope.errors", "ModelError"): "ValueError",
    ("allotrope.errors", "UsageError"): "ValueError",
    ("allotrope.errors", "UnsupportedError"): "NotImplementedError",
}
"""What takes the place of things that are Allotrope's own."""
ASKED = ("constant", "to_host", "differentiated", "beside")
"""What `standalone` asks of a framework's primitives."""


@dataclass
class Needs:
    """What a piece of source uses: other definitions, imports, and primitives.

    These are of `p` and `self`, NumPy's, and of a base class.
    """

    places: dict[tuple[int, int], tuple[int, Place | str]] = field(default_factory=dict)
    imports: set[Import] = field(default_factory=set)
    primitives: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    host: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)

    @property
    def definitions(self) -> set[Place]:
        """Definitions of Allotrope's."""
        return {place for _, place in self.places.values() if not isinstance(place, str)}


def resolved(module: str, name: str) -> Place | Import | str | None:
    """What a global name of a module stands for; None for a builtin.

    It is a definition of Allotrope's, an import, or another text.
    """
    here = source(module)
    # What measures memory or enters a table has another meaning in a folder by itself.
    if (module, name) in INSTEAD:
        return INSTEAD[module, name]
    if name in here.statements:
        return module, name
    imported = here.imports.get(name)
    if imported is None or not imported.is_own or imported.name is None:
        return imported
    return resolved(imported.module, imported.name)


def needs_of(piece: Piece) -> Needs:
    """Everything that a piece uses, by the places at which it says so."""
    needs, module = Needs(), piece.module.module
    attributes = {
        id(node.value): node for node in ast.walk(piece.node) if isinstance(node, ast.Attribute)
    }
    for use in global_uses(piece.node):
        node: ast.expr = use.node
        meant = resolved(module, use.name)
        # Of a module of ours, the name is behind the dot.
        if isinstance(meant, Import) and meant.is_own:
            node = attributes[id(use.node)]
            meant = resolved(meant.module, attributes[id(use.node)].attr)
        if isinstance(meant, Import):
            needs.imports.add(meant)
        elif meant is not None:
            needs.places[node.lineno, node.col_offset] = (node.end_col_offset or 0, meant)
    for inner in ast.walk(piece.node):
        if isinstance(inner, ast.Attribute):
            _note_primitive(inner, needs)
        elif (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Name)
            and _looks_up(module, inner.func.id)
        ):
            named = {
                str(one.value)
                for one in inner.args
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
            # Operators are told of primitives of the framework by name, all else of NumPy's.
            if ".operators." in module:
                needs.primitives.update(named)
            else:
                needs.host.update(named)
    return needs


def _note_primitive(node: ast.Attribute, needs: Needs) -> None:
    owner = node.value
    if isinstance(owner, ast.Name):
        {"p": needs.primitives, "self": needs.own, "_HOST": needs.host}.get(owner.id, set()).add(
            node.attr
        )
    elif (
        isinstance(owner, ast.Call)
        and isinstance(owner.func, ast.Name)
        and owner.func.id == "super"
    ):
        needs.inherited.add(node.attr)


@functools.cache
def _looks_up(module: str, name: str) -> bool:
    """Whether a function gets primitives by names that it is given, itself or in what it calls."""
    return any(_asks_by_name(place) for place in _called_from(module, name))


def _called_from(module: str, name: str) -> set[Place]:
    """A function of ours and all that it calls, directly or not."""
    reached: set[Place] = set()
    open_calls = [(module, name)]
    while open_calls:
        place = resolved(*open_calls.pop())
        if not isinstance(place, tuple) or place in reached:
            continue
        reached.add(place)
        open_calls += [(place[0], called) for called in _calls_in(place)]
    return reached


def _asks_by_name(place: Place) -> bool:
    return "getattr" in _calls_in(place)


@functools.cache
def _calls_in(place: Place) -> frozenset[str]:
    """The names of the functions that a definition calls."""
    calls = (
        node
        for node in ast.walk(source(place[0]).statements[place[1]])
        if isinstance(node, ast.Call)
    )
    return frozenset(call.func.id for call in calls if isinstance(call.func, ast.Name))


def companions(place: Place) -> Iterator[Place]:
    """Functions that a definition is told of as their decorator, as its gradient by `@x.defjvp`."""
    module, name = place
    for other, statement in source(module).statements.items():
        decorators = []
        if isinstance(statement, ast.FunctionDef):
            decorators = statement.decorator_list
        owners = [one.value for one in decorators if isinstance(one, ast.Attribute)]
        if any(isinstance(owner, ast.Name) and owner.id == name for owner in owners):
            yield module, other


class Carried:
    """What the operators by these keys need in one target.

    `hosted` are those that NumPy may have to compute too.
    """

    def __init__(self, target: str, operators: frozenset[str], hosted: frozenset[str]) -> None:
        self.leaf = PRIMITIVES[target]
        self.roots = {key: entries()[key] for key in sorted(operators)}
        self.pieces: dict[Place, Piece] = {}
        self.needs: dict[Place, Needs] = {}
        self.members: dict[tuple[Place, str], Piece] = {}
        self.classes: set[Place] = {self.leaf, REFERENCE}
        self.families = {leaf: ancestors(leaf) for leaf in (self.leaf, REFERENCE)}
        self._starts = {key: self._root(key) for key in self.roots}
        for name in ("operator", "array", "HOST", "ARRAYS"):
            self._add((STANDALONE, name))
        primitives = {key: self._primitives_of(self._starts[key]) for key in self.roots}
        # Of both classes only what is asked for, and what this asks for in turn.
        for name in {*ASKED, "__init__"}.union(*primitives.values()):
            self._member(self.leaf, name)
        for name in {"__init__"}.union(*(primitives[key] for key in self.roots if key in hosted)):
            self._member(REFERENCE, name)

    def _root(self, key: str) -> Place:
        piece = self.roots[key]
        place = piece.module.module, piece.name
        self._add(place, piece)
        return place

    def _add(self, place: Place, piece: Piece | None = None) -> None:
        """A definition and all that it uses."""
        if any(place in family for family in self.families.values()):
            self.classes.add(place)
            return
        if place in self.needs:
            return
        self.pieces[place] = piece or cut_from(*place)
        needs = self.needs[place] = needs_of(self.pieces[place])
        self._follow(needs)
        for companion in companions(place):
            self._add(companion)

    def _follow(self, needs: Needs) -> None:
        for place in sorted(needs.definitions):
            self._add(place)
        for name in sorted(needs.host):
            self._member(REFERENCE, name)

    def _primitives_of(self, place: Place, seen: set[Place] | None = None) -> set[str]:
        """The primitives that an operator and what it calls use."""
        if seen is None:
            seen = set()
        if place in seen or place not in self.needs:
            return set()
        seen.add(place)
        needs = self.needs[place]
        return needs.primitives.union(
            *(self._primitives_of(other, seen) for other in needs.definitions)
        )

    def _member(self, leaf: Place, name: str, after: Place | None = None) -> None:
        """A primitive as a class has it, or as the next one has it in the order of inheritance."""
        family = self.families[leaf]
        if after:
            family = family[family.index(after) + 1 :]
        for place in family:
            node = _member_of(place, name)
            if node is not None:
                break
        else:
            return
        self.classes.add(place)
        key = (place, f"{leaf[1]}.{name}")
        # Functions use each other in circles: each is followed once.
        if key in self.needs_of_members:
            return
        piece = self.members[place, name] = Piece(name, source(place[0]), source(place[0]), node)
        needs = self.needs_of_members[key] = needs_of(piece)
        self._follow(needs)
        for other in sorted(needs.own | needs.primitives):
            self._member(leaf, other)
        for other in sorted(needs.inherited):
            self._member(leaf, other, place)

    @functools.cached_property
    def needs_of_members(self) -> dict[tuple[Place, str], Needs]:
        """What each member uses, by its class and the name that it is asked by."""
        return {}

    def every_need(self) -> Iterator[Needs]:
        """Of all pieces and members."""
        yield from self.needs.values()
        yield from self.needs_of_members.values()


def ancestors(leaf: Place) -> tuple[Place, ...]:
    """A class and those of ours that it inherits from, in the order in which Python asks them."""
    # Python itself works out the order of inheritance, on classes without anything in them.
    stand_in = _stand_in(leaf)
    return tuple(one.place for one in stand_in.__mro__ if hasattr(one, "place"))


@functools.cache
def _stand_in(place: Place) -> Any:
    """A class that inherits as the one at a place does, made without importing it."""
    node = source(place[0]).statements[place[1]]
    assert isinstance(node, ast.ClassDef)
    bases = (resolved(place[0], base.id) for base in node.bases if isinstance(base, ast.Name))
    return type(
        place[1],
        tuple(_stand_in(base) for base in bases if isinstance(base, tuple)),
        {"place": place},
    )


@functools.cache
def _members(place: Place) -> dict[str, ast.stmt]:
    node = source(place[0]).statements[place[1]]
    assert isinstance(node, ast.ClassDef)
    members: dict[str, ast.stmt] = {}
    for member in node.body:
        if isinstance(member, ast.FunctionDef):
            members[member.name] = member
        elif isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name):
            members[member.targets[0].id] = member
    return members


def _member_of(place: Place, name: str) -> ast.stmt | None:
    """What a class itself has under a name, unless it is only declared there."""
    node = _members(place).get(name)
    is_abstract = isinstance(node, ast.FunctionDef) and any(
        "abstract" in ast.dump(one) for one in node.decorator_list
    )
    if is_abstract:
        return None
    return node
