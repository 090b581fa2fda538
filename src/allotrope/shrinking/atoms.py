"""Places that go together: every place of an axis has an atom, and atoms are united."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Reason:
    """Why places stay: the operator and node that need them, or the name of an input or output."""

    operator: str
    node: str
    why: str

    def __str__(self) -> str:
        return f"{self.operator} '{self.node}': {self.why}"


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a value, the atom of each of its places.

    `at` is what the value is at a place whose atom is removed, if all weights of the atom are 0;
    None if that is not one number.
    """

    atoms: np.ndarray
    at: float | None = None

    def __len__(self) -> int:
        return len(self.atoms)


class Atoms:
    """Sets of places that can only be removed together, some of them frozen, with the reason.

    A union-find: each atom has a parent, and the last of a line stands for the set.
    """

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._reasons: dict[int, Reason] = {}

    def __len__(self) -> int:
        """How many atoms there are."""
        return len(self._parents)

    def fresh(self, count: int, reason: Reason | None = None) -> np.ndarray:
        """New atoms, each a set of its own; with a reason they are frozen."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        atoms = np.arange(start, start + count)
        if reason is not None:
            self._reasons.update(dict.fromkeys(atoms.tolist(), reason))
        return atoms

    def roots(self, atoms: np.ndarray) -> np.ndarray:
        """What stands for the set of each atom, in the shape of `atoms`."""
        distinct, places = np.unique(atoms, return_inverse=True)
        roots = np.array([self._root(atom) for atom in distinct.tolist()], np.int64)
        return roots[places.reshape(np.shape(atoms))]

    def unite(self, first: np.ndarray, second: np.ndarray) -> None:
        """Each atom of the one goes with that of the other; the arrays are broadcast."""
        pairs = np.stack(np.broadcast_arrays(first, second)).reshape(2, -1)
        for one, other in np.unique(pairs, axis=1).T.tolist():
            self._unite(self._root(one), self._root(other))

    def freeze(self, atoms: np.ndarray, reason: Reason) -> None:
        """These stay, and so does what goes with them; the first reason counts."""
        for atom in np.unique(atoms).tolist():
            self._reasons.setdefault(self._root(atom), reason)

    def frozen(self, atoms: np.ndarray) -> np.ndarray:
        """Which of them stay, in the shape of `atoms`."""
        roots = self.roots(atoms)
        return np.isin(roots, list(self._reasons))

    def reason(self, atom: int) -> Reason | None:
        """Why an atom stays; None if it may go."""
        return self._reasons.get(self._root(atom))

    def _root(self, atom: int) -> int:
        parents = self._parents
        while parents[atom] != atom:
            # Each step halves the way for those that ask later.
            parents[atom] = parents[parents[atom]]
            atom = parents[atom]
        return atom

    def _unite(self, one: int, other: int) -> None:
        if one == other:
            return
        # The oldest stands for the set, so that the same network always gives the same numbers.
        one, other = min(one, other), max(one, other)
        self._parents[other] = one
        reason = self._reasons.pop(other, None)
        if reason is not None:
            self._reasons.setdefault(one, reason)
