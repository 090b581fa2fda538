"""The free lengths of a file's inputs: as the user or the file says, else as usual, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from allotrope.errors import UsageError
from allotrope.inputs.guessed import TAKEN, usual_sides
from allotrope.measure.declared import Declared
from allotrope.measure.random_inputs import parse_lengths
from allotrope.network.graph import Value

TOKENS = 128
"""Length of a row of ids whose length is free."""


@dataclass(frozen=True)
class Lengths:
    """Every free length but the batch, by name, and a line for each way in which one was found."""

    by_name: Mapping[str, int]
    lines: tuple[str, ...]

    def fixed(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """The values with these lengths in the place of their names; the batch stays free."""
        return tuple(
            replace(
                v,
                shape=tuple(
                    self.by_name.get(n, n) if isinstance(n, str) else n for n in v.shape or ()
                ),
            )
            for v in values
        )


def resolved(file: Declared, dimensions: Sequence[str]) -> Lengths:
    """A length for every name.

    Raises: UsageError that lists those for which there is none, with the option that gives them.
    """
    said = parse_lengths(dimensions, file.inputs)
    known, lines = dict(said), []
    free = [name for name in _free(file.inputs) if name not in said]
    for lengths, why in (
        (
            {name: file.lengths[name] for name in free if name in file.lengths},
            "by the weights that they meet",
        ),
        (usual_sides(file.inputs, {**file.lengths, **known}), TAKEN),
        (_rows_of_ids(file.inputs), f"rows of ids, taken as {TOKENS} long"),
    ):
        open_names = [name for name in free if name not in known]
        new = {name: length for name, length in lengths.items() if name in open_names}
        known |= new
        if new:
            lines.append(
                f"free lengths {_listed(new)}: {why}; others with --dimensions {_listed(new)}"
            )
    known |= {name: total for name in free if name not in known and (total := _sum(name, known))}
    missing = [name for name in free if name not in known]
    if missing:
        raise UsageError(
            f"the lengths {', '.join(missing)} are free, and what they should be cannot be told "
            "from the file. "
            f"Say them: --dimensions {','.join(f'{name}=16' for name in missing)}"
        )
    if said:
        lines.insert(0, f"free lengths {_listed(said)}: as --dimensions says")
    return Lengths(known, tuple(lines))


def _listed(lengths: Mapping[str, int]) -> str:
    return ",".join(f"{name}={length}" for name, length in lengths.items())


def _free(inputs: Sequence[Value]) -> list[str]:
    """The names of free lengths.

    A first axis is the batch, unless its name is that of another axis somewhere too.
    """
    inner = [n for value in inputs for n in (value.shape or ())[1:] if isinstance(n, str)]
    return list(dict.fromkeys(inner))


def _rows_of_ids(inputs: Sequence[Value]) -> dict[str, int]:
    """The second axis of integers [n, t], where no state of a past adds to it."""
    rows = {
        str(v.shape[1])
        for v in inputs
        if v.dtype.kind in "iu" and v.shape and len(v.shape) == 2 and isinstance(v.shape[1], str)
    }
    others = {n for v in inputs for n in (v.shape or ())[1:] if isinstance(n, str)} - rows
    return {} if others or len(rows) != 1 else {rows.pop(): TOKENS}


def _sum(name: str, known: Mapping[str, int]) -> int:
    """The length that a name such as `past + 1` stands for; 0 where a part of it is not known."""
    parts = [part.strip() for part in name.split("+")]
    lengths = [int(part) if part.isdecimal() else known.get(part, 0) for part in parts]
    return sum(lengths) if len(parts) > 1 and all(lengths) else 0
