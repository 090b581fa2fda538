"""The submodules, parameters and constants of a class that is written, by their dotted paths."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from allotrope.conversion.core.source import (
    Expression,
    Group,
    identifier,
    listing,
    literal,
    mapping,
)
from allotrope.network.network import Network

PATH = re.compile(r"(?:[A-Za-z_]\w*|\d+)(?:\.(?:[A-Za-z_]\w*|\d+))*", re.ASCII)
MARK = re.compile("«([^»]+)»")
SHOWN = 8
"""Constants of at most so many numbers stand in the source; larger ones in the file of weights."""


class NoForm(Exception):
    """A node that has no ordinary form in the target, and why."""


@dataclass
class Branch:
    """A place in the tree of modules: what stands there, and what lies below it.

    If it is a block, its own class makes what lies below.
    """

    made: Expression | None = None
    is_block: bool = False
    children: dict[str, Branch] = field(default_factory=dict)

    @property
    def is_list(self) -> bool:
        """Whether its children are numbered from 0 on."""
        return list(self.children) == [str(number) for number in range(len(self.children))]


class Layers:
    """Everything that a model holds.

    Paths stand in expressions as «path» until the tree is complete, see `resolved`.
    """

    target: ClassVar[str]
    reserved: ClassVar[frozenset[str]]
    containers: ClassVar[tuple[str, str, str]]
    """What makes a list of modules, a dict of modules and an empty module."""
    value_of: ClassVar[str] = ""
    """What stands after a parameter to get its value."""
    numbered: ClassVar[tuple[str, tuple[str, ...], str]]
    """How a module whose name is a number is declared at the top (a call and its first arguments),
    and how it is reached."""

    def __init__(self, network: Network, apart: frozenset[str] = frozenset()) -> None:
        """`apart` are weights that no layer may hold: several nodes use them in different ways."""
        self.network, self.apart = network, apart
        self.contested: set[str] = set()
        """Weights that a node asked for and a layer holds in a form that is no use to it."""
        self.root = Branch()
        self.arrays: dict[str, np.ndarray] = {}
        self.frozen: list[str] = []
        self.plain: list[tuple[str, str, Expression]] = []
        self._homes: dict[str, str] = {}
        self._forms: dict[str, str | None] = {}
        self._shared: dict[tuple[Any, ...], str] = {}
        self._placed: list[tuple[Branch, str]] = []

    def mark(self) -> tuple[Any, ...]:
        """What `rewind` goes back to."""
        tables = (self.arrays, self.frozen, self.plain, self._homes, self._forms, self._shared)
        return len(self._placed), *(copy.copy(table) for table in tables)

    def rewind(self, mark: tuple[Any, ...]) -> None:
        """Everything as it was at the mark."""
        count, self.arrays, self.frozen, self.plain, self._homes, self._forms, self._shared = mark
        while len(self._placed) > count:
            branch, name = self._placed.pop()
            del branch.children[name]

    # --- what rules ask for

    def are_free(self, names: Sequence[str]) -> bool:
        """Whether no layer or parameter holds any of these arrays yet."""
        return not any(name in self._homes or name in self.apart for name in names)

    def layer(
        self,
        node_name: str,
        made: Expression,
        arrays: Mapping[str, tuple[str, np.ndarray]],
        originals: Mapping[str, np.ndarray],
        state: Sequence[str] = (),
    ) -> str:
        """A new submodule, or the same again where its making and all its arrays are the same.

        `arrays` are (name in the network, array in the module's form) by attribute, `originals` the
        arrays as the network has them, by name, `state` the attributes that do not learn.
        """
        key: tuple[Any, ...] = (str(made), node_name)
        if arrays:
            names = sorted((attribute, name) for attribute, (name, _) in arrays.items())
            key = (str(made), *names)
        if key in self._shared:
            return self._shared[key]
        parts = self._path(
            node_name, [(attribute, name) for attribute, (name, _) in arrays.items()]
        )
        self._place(parts).made = made
        path = ".".join(parts)
        for attribute, (name, array) in arrays.items():
            home = f"{path}.{attribute}"
            self.arrays[home] = array
            if name:
                self._homes[name] = home
                self._forms[name] = _form(array, originals.get(name, array))
                if attribute not in state and name not in self.network.trainable:
                    self.frozen.append(home)
        self._shared[key] = f"«{path}»"
        return self._shared[key]

    def parameter(self, name: str, array: np.ndarray, *, trainable: bool) -> str:
        """A weight by itself, as an operator that is no layer uses it."""
        if name not in self._homes:
            words = self._words(name)
            # A number alone is no name that Python takes.
            if len(words) == 1 and words[0].isdigit():
                words = (f"weight_{words[0]}",)
            parts = self._unused(words)
            home = ".".join(parts)
            self._homes[name] = home
            self.arrays[home] = array
            self._declare(parts, self.parameter_made(array, trainable))
        # A layer may hold it transposed: then it is read back in the file's form.
        form = self._forms.get(name, "")
        if form is None:
            self.contested.add(name)
            raise NoForm(f"weight '{name}' is shared with a layer that holds it in another order")
        return f"«{self._homes[name]}»{self.value_of}{form}"

    def _declare(self, parts: tuple[str, ...], made: Expression) -> None:
        if len(parts) == 1 and not parts[0].isdigit():
            self._place(parts).made = made
        else:
            self._place(parts[:-1])
            self.plain.append((".".join(parts), f"«{'.'.join(parts)}» = ", made))

    def constant(self, name: str, array: np.ndarray) -> str:
        """A constant: a number stands where it is used, an array has a name."""
        return self.number(array) or self.buffer(name, array)

    def number(self, array: np.ndarray) -> str | None:
        """A constant of one number as it is written; None for others."""
        if array.size == 1:
            return literal(array.reshape(-1)[0])
        return None

    def buffer(self, name: str, array: np.ndarray) -> str:
        """A constant by name."""
        key = f"\0constant {name}"
        if key not in self._homes:
            parts = self._unused((identifier(name, self.reserved),))
            self._homes[key] = parts[0]
            if array.size > SHOWN:
                self.arrays[parts[0]] = array
            self.plain.append((parts[0], *self.buffer_declared(parts[0], array)))
        return f"«{self._homes[key]}»"

    # --- what a target says

    def parameter_made(self, array: np.ndarray, trainable: bool) -> Expression:
        """What makes a parameter of the array's shape."""
        raise NotImplementedError

    def buffer_declared(self, name: str, array: np.ndarray) -> tuple[str, Expression]:
        """What declares a constant: what stands before the expression, and the expression."""
        raise NotImplementedError

    # --- paths

    def _path(self, node_name: str, arrays: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """What a layer's arrays, by (attribute, name), are called after, or else the node's name.

        It is the path before `.weight`, or before the names of all.
        """
        # Layers of exporters call their arrays a.b.weight and a.b.bias: a.b is the layer.
        stems = {name.rpartition(".")[0] for _, name in arrays}
        for attribute, name in arrays:
            stem, _, last = name.rpartition(".")
            if stem and PATH.fullmatch(name) and (last in (attribute, "weight") or len(stems) == 1):
                return self._unused(self._words(stem))
        return self._unused((identifier(node_name, self.reserved),))

    def _words(self, name: str) -> tuple[str, ...]:
        if not PATH.fullmatch(name):
            return (identifier(name, self.reserved),)
        return tuple(map(self._word, name.split(".")))

    def _word(self, part: str) -> str:
        """A part of a path: numbers are places in a list."""
        if part.isdigit():
            return part
        return identifier(part, self.reserved)

    def _unused(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The path, or it with the first number that makes it new."""
        *above, last = parts
        number, name = 1, last
        while self._is_taken((*above, name)):
            number += 1
            name = f"{last}_{number}"
        return (*above, name)

    def _is_taken(self, parts: tuple[str, ...]) -> bool:
        branch, path = self._find(parts), ".".join(parts)
        return (branch is not None and (branch.made is not None or bool(branch.children))) or any(
            path == home for home, *_ in self.plain
        )

    def _find(self, parts: tuple[str, ...]) -> Branch | None:
        branch: Branch | None = self.root
        for part in parts:
            if branch is None:
                break
            branch = branch.children.get(part)
        return branch

    def _place(self, parts: tuple[str, ...]) -> Branch:
        branch = self.root
        for part in parts:
            if part not in branch.children:
                branch.children[part] = Branch()
                self._placed.append((branch, part))
            branch = branch.children[part]
        return branch

    # --- source

    def resolved(self, expression: Expression, above: str = "") -> Expression:
        """The expression with paths as they are written, in the class of the module at `above`."""
        if isinstance(expression, str):
            return self._resolved(expression, above)
        parts = tuple((before, self.resolved(part, above)) for before, part in expression.parts)
        return Group(self._resolved(expression.opening, above), parts, expression.closing)

    def _resolved(self, text: str, above: str = "") -> str:
        return MARK.sub(lambda mark: self.access(mark.group(1), above), text)

    def access(self, path: str, above: str = "") -> str:
        """How a module, parameter or constant is reached from the module at `above`."""
        source, branch = "self", self.at(above)
        for part in path.removeprefix(f"{above}.").split("."):
            if not part.isdigit():
                source += f".{part}"
            elif source == "self":
                source = self.numbered[2].format(part)
            else:
                if branch.is_list:
                    source += f"[{part}]"
                else:
                    source += f'["{part}"]'
            branch = branch.children.get(part, Branch())
        return source

    def at(self, path: str) -> Branch:
        """What is at a path; the root for the empty one."""
        if path:
            return self._place(tuple(path.split(".")))
        return self.root

    def containers_with_numbers(self, path: str = "") -> Iterator[str]:
        """The paths of containers that are called by a number and have named modules only.

        In order, the outer before the inner.
        """
        for name, branch in self.at(path).children.items():
            if path:
                own = f"{path}.{name}"
            else:
                own = name
            has_parameters = any(home.startswith(f"{own}.") for home, *_ in self.plain)
            named = branch.children and not any(child.isdigit() for child in branch.children)
            if path and name.isdigit() and branch.made is None and named and not has_parameters:
                yield own
            yield from self.containers_with_numbers(own)

    def declarations(self, root: Branch | None = None) -> Iterator[tuple[str, Expression]]:
        """What `__init__` assigns, in order: (`self.conv1 = `, expression)."""
        for name, branch in (root or self.root).children.items():
            if name.isdigit():
                opening, first, _ = self.numbered
                yield (
                    "",
                    Group(
                        opening,
                        (
                            *(("", part) for part in first),
                            ("", f'"{name}"'),
                            ("", self._made(branch)),
                        ),
                        ")",
                    ),
                )
            else:
                yield f"self.{name} = ", self._made(branch)
            yield from self._below_layers(name, branch)
        if root is None:
            for _, before, made in self.plain:
                yield self._resolved(before), made

    def _made(self, branch: Branch) -> Expression:
        if branch.made is not None:
            return branch.made
        several, named, empty = self.containers
        if not branch.children:
            return empty
        if branch.is_list:
            return Group(several, (("", listing(map(self._made, branch.children.values()))),), ")")
        return Group(
            named,
            (("", mapping((name, self._made(child)) for name, child in branch.children.items())),),
            ")",
        )

    def _below_layers(self, path: str, branch: Branch) -> Iterator[tuple[str, Expression]]:
        """Submodules of what is itself a layer."""
        # A block's own class makes what lies below it.
        if branch.is_block:
            return
        for name, child in branch.children.items():
            if branch.made is not None:
                yield f"{self.access(f'{path}.{name}')} = ", self._made(child)
            yield from self._below_layers(f"{path}.{name}", child)


def _form(array: np.ndarray, original: np.ndarray) -> str | None:
    """What turns the array of a layer into the network's; None where nothing short does."""
    if np.array_equal(array, original):
        return ""
    if original.ndim == 2 and np.array_equal(array, original.T):
        return ".T"
    if np.array_equal(array.reshape(-1), original.reshape(-1)):
        return f".reshape{literal(original.shape)}"
    return None
