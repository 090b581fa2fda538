"""Lengths and kinds of values that a network can take, found by trying, and said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allotrope.errors import AllotropeError, ModelError, UsageError
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.oracle import values
from allotrope.measure.agreement.probe import moving_values
from allotrope.measure.kinds import check_kind, described
from allotrope.measure.random_inputs import batch_names
from allotrope.measure.roles import Role, roles
from allotrope.network.hidden_rows import hidden_rows
from allotrope.network.network import Network

LENGTHS = (6, 4, 8, 2, 16, 32, 64, 128, 224, 256, 512, 1)
"""Lengths that are tried where the usual one does not fit.

The first are a past of 3 with a present of 3 or 1; 1 comes last, for it fits wherever arrays are
broadcast.
"""

MASKS = ("mask", "padding", "1", "0")
"""What a mask may be instead of what its name and use say."""


@dataclass(frozen=True)
class Fitted:
    """A computation that runs, what its nodes give, and the rows of attention that see nothing."""

    computation: Computation
    values: Mapping[str, np.ndarray]
    hidden: Mapping[str, int]


def fitted(
    computation: Computation,
    asked: Mapping[str, str],
    free: Sequence[str],
    say: Callable[[str], None],
) -> Fitted:
    """The computation with kinds of inputs: those `asked`, and what roles say of the others.

    Where it cannot run, other lengths of the dimensions `free` are tried; where masks hide whole
    rows, or nothing finite comes out, other kinds. What was taken for what is said.

    Raises: UsageError where no lengths fit, and for a kind that is asked for an input that is not
    there.
    """
    _check_asked(computation.network, asked)
    best = _running(computation, asked, free)
    if best.computation.lengths != computation.lengths:
        say(_lengths_line(computation.lengths, best.computation.lengths))
    recognized = _roles(best.computation)
    best = _improved(best, recognized, asked)
    for name, kind in best.computation.kinds.items():
        if name not in asked:
            say(_line(name, kind, recognized.get(name)))
    for name, count in best.hidden.items():
        say(
            f"{count} rows of '{name}' see nothing: slopes are left out, which rounding hides there"
        )
    return best


def alone(fit: Fitted) -> Fitted | None:
    """The same with a batch of 1; None if the batch is not free, is 1, or does not fit."""
    computation = fit.computation
    names = batch_names(computation.declared.inputs)
    if computation.batch == 1 or not names:
        return None
    lengths = {**computation.lengths, **{name: 1 for name in names if name}}
    one = _otherwise(computation, batch=1, lengths=lengths)
    before, after = _roles(computation), _roles(one)
    kinds = {
        name: after[name].kind if name in before and before[name].kind == kind else kind
        for name, kind in computation.kinds.items()
    }
    try:
        return _run(_otherwise(one, kinds=kinds))
    except (ModelError, UsageError, ValueError, IndexError):
        return None


def _check_asked(network: Network, asked: Mapping[str, str]) -> None:
    names = [value.name for value in network.inputs]
    for name, kind in asked.items():
        if name not in names:
            raise UsageError(f"'{name}' is no input. There are: {', '.join(names) or 'none'}.")
        check_kind(kind)


def _roles(computation: Computation) -> dict[str, Role]:
    return roles(computation.declared, computation.lengths)


def _running(computation: Computation, asked: Mapping[str, str], free: Sequence[str]) -> Fitted:
    """The computation with the first lengths with which it runs. Raises: UsageError."""
    reason: Exception | None = None
    for lengths in _lengths(computation.lengths, free):
        tried = _otherwise(computation, lengths=lengths)
        kinds = {name: role.kind for name, role in _roles(tried).items()} | dict(asked)
        try:
            return _run(_otherwise(tried, kinds=kinds))
        except (ModelError, UsageError, ValueError, IndexError) as error:
            reason = reason or error
    assert reason is not None
    raise _misfit(computation, reason) from reason


def _otherwise(computation: Computation, **changes: Any) -> Computation:
    """The computation with other inputs, of the network that was read from its file already."""
    other = replace(computation, **changes)
    other.__dict__["declared"] = computation.declared
    return other


def _run(computation: Computation) -> Fitted:
    computed = values(computation.network, moving_values(computation.network), computation.inputs())
    return Fitted(computation, computed, hidden_rows(computation.network, computed))


def _lengths(usual: Mapping[str, int], free: Sequence[str]) -> Iterator[dict[str, int]]:
    """The usual lengths, then those with one that differs, then those with all alike."""
    yield dict(usual)
    for length in LENGTHS if free else ():
        yield from ({**usual, name: length} for name in free if usual[name] != length)
    for length in LENGTHS if len(free) > 1 else ():
        yield {**usual, **dict.fromkeys(free, length)}


def _misfit(computation: Computation, reason: Exception) -> AllotropeError:
    try:
        shapes = {name: list(array.shape) for name, array in computation.inputs().items()}
    except AllotropeError as error:
        return error
    text = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    return UsageError(
        f"the reference cannot compute the network with inputs of the shapes {text}: {reason} "
        "Where lengths are free, say which it takes with --dimensions (such as height=64) "
        "and --batch; "
        "what values inputs get, with --values (such as ids=0..99)."
    )


def _improved(best: Fitted, recognized: Mapping[str, Role], asked: Mapping[str, str]) -> Fitted:
    """Other kinds for one input after the other, while something is hidden or not finite."""
    for value in best.computation.declared.inputs:
        for kind in _others(value.dtype, recognized.get(value.name)):
            if not any(_faults(best)) or value.name in asked:
                break
            kinds = {**best.computation.kinds, value.name: kind}
            tried = _otherwise(best.computation, kinds=kinds)
            try:
                other = _run(tried)
            except (ModelError, UsageError, ValueError, IndexError):
                continue
            best = min(best, other, key=_faults)
    return best


def _others(dtype: np.dtype, role: Role | None) -> Sequence[str]:
    """The kinds that an input may have instead."""
    if role is not None and role.what.startswith("a mask"):
        if dtype.kind == "f":
            return *MASKS, "added-mask"
        return MASKS
    if role is None and dtype.kind == "f":
        return ("uniform",)
    return ()


def _faults(run: Fitted) -> tuple[int, int]:
    """How many elements of the outputs are not finite, and how many rows see nothing."""
    floats = [run.values.get(value.name) for value in run.computation.network.outputs]
    wrong = sum(
        int((~np.isfinite(y)).sum()) for y in floats if y is not None and y.dtype.kind == "f"
    )
    return wrong, sum(run.hidden.values())


def _line(name: str, kind: str, role: Role | None) -> str:
    if role is None:
        taken = f"{described(kind)}: with others nothing finite comes out"
    elif role.kind == kind:
        taken = f"{role.what}, for {role.because}: {described(kind)}"
    else:
        taken = f"{role.what}: {described(kind)}, for other values hide whole rows"
    return f"input '{name}' is {taken} (another: --values {name}=...)"


def _lengths_line(usual: Mapping[str, int], lengths: Mapping[str, int]) -> str:
    moved = {name: length for name, length in lengths.items() if usual[name] != length}
    text = ", ".join(f"{name or 'unnamed'} is {length}" for name, length in moved.items())
    was = ", ".join(str(usual[name]) for name in moved)
    return f"lengths: {text}, because {was} does not fit (another: --dimensions)"
