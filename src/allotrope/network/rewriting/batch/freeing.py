"""Frees a batch length that an exporter baked in, where examples stay apart.

`following.py` and the rules say for every node where the examples go, and rewrite what spells
their number out; `tried.py` then runs both networks. Where any step is not covered, or the
answers differ, the network stays as it was, and a line says which node is the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import allotrope.network.rewriting.batch.rules
import allotrope.network.rewriting.batch.rules_lookup
import allotrope.network.rewriting.batch.rules_products
import allotrope.network.rewriting.batch.rules_shaping  # noqa: F401 - they fill the table
from allotrope.errors import ModelError
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.following import Following
from allotrope.network.rewriting.batch.inside import baked_inside
from allotrope.network.rewriting.batch.known import Known, known_values
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.tried import tried
from allotrope.network.rewriting.batch.writing import freed_graph

_READINGS = 32
"""How many combinations of readings are followed at most."""
_FREE_LENGTHS = ((64, 96), (7, 11), (224, 256))
"""Pairs of values that free lengths are tried with: tables end early, and strides take much."""
_NAMED = 5
_UNSOUND = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a rule, which takes its node to be sound, raises for one whose axes or targets are not."""

Inputs = Mapping[str, Placement]


def free_batch(network: Network, report: Callable[[str], None] = lambda line: None) -> Network:
    """The network for any number of examples; itself if it is so, cannot be, or has no weights."""
    if not network.weights:
        return network
    reasons: list[tuple[int, str]] = []
    baked = baked_inside(network) or network
    for batch, inputs in _hypotheses(baked):
        freed = _freed(baked, batch, inputs, reasons)
        if freed is not None:
            report(_line(freed, batch, inputs))
            return freed.network
    if reasons:
        batch = next(batch for batch, _ in _hypotheses(baked))
        _, why = max(reasons, key=lambda reason: reason[0])
        report(f"repair: the batch of {batch} stays fixed: {why}")
    return network


@dataclass(frozen=True)
class Freed:
    """A network for any number of examples, the nodes that spelled the batch out, and its trial."""

    network: Network
    changed: tuple[str, ...]
    trial: str


def _line(freed: Freed, batch: int, inputs: Inputs) -> str:
    names = freed.changed[:_NAMED]
    more = f" and {len(freed.changed) - len(names)} more" if len(freed.changed) > len(names) else ""
    spelled = f", which {', '.join(names)}{more} spelled out" if names else ""
    where = f"the batch of {batch} that was fixed in {', '.join(sorted(inputs))}"
    return f"repair: {where} is free{spelled}; {freed.trial}"


def _hypotheses(network: Network) -> Iterator[tuple[int, Inputs]]:
    """Batches that may be baked in, and where they are in the inputs."""
    shapes = {value.name: value.shape for value in network.inputs if value.shape}
    first = {name for name, shape in shapes.items() if shape[0] == 1}
    second = {name for name, shape in shapes.items() if len(shape) == 3 and shape[1] == 1}
    recurrent = any(node.operator in ("LSTM", "GRU", "RNN") for node in network.graph.nodes)
    if any(len(shapes[name] or ()) >= 2 for name in first):
        either = [name for name in shapes if name in first | second]
        yield 1, {name: Placement(0 if name in first else 1) for name in either}
        if first & second:  # such as a first state [1, 1, h] of a recurrent layer
            yield 1, {name: Placement(1 if name in second else 0) for name in either}
        return
    several = _several(network)
    if several is not None:
        yield several, dict.fromkeys(shapes, Placement(0))
    if recurrent and second:
        yield 1, dict.fromkeys(second, Placement(1))


def _several(network: Network) -> int | None:
    """A batch of more than one, if all inputs begin with it, and an output as well."""
    shapes = [value.shape or () for value in network.inputs]
    lengths = {shape[0] for shape in shapes if len(shape) >= 2}
    answered = {value.shape[0] for value in network.outputs if value.shape}
    if len(lengths) != 1 or any(len(shape) < 2 for shape in shapes):
        return None
    (length,) = lengths
    return length if isinstance(length, int) and length > 1 and length in answered else None


def _freed(
    network: Network, batch: int, inputs: Inputs, reasons: list[tuple[int, str]]
) -> Freed | None:
    """The freed network; None, and reasons more, if there is none."""
    static = all(isinstance(one, int) for value in network.inputs for one in value.shape or ())
    for lengths in [(1,)] if static else _FREE_LENGTHS:
        try:
            known = known_values(network, lengths)
        except ModelError as error:
            reasons.append((-1, str(error)))
            continue
        freed = _read(network, batch, inputs, known, lengths[0], reasons)
        if freed is not None:
            return freed
    return None


def _read(
    network: Network,
    batch: int,
    inputs: Inputs,
    known: Known,
    free: int,
    reasons: list[tuple[int, str]],
) -> Freed | None:
    """The same by the first combination of readings that holds; `free` is what is known for."""
    choices: list[int] | None = []
    for _ in range(_READINGS):
        following = Following(network, batch, inputs, known, choices or [])
        try:
            return _finished(network, following, inputs, free)
        except Mixes as reason:
            reasons.append((len(following.nodes), str(reason)))
        choices = _next(choices or [], following.readings)
        if choices is None:
            break
    return None


def _next(choices: list[int], readings: list[int]) -> list[int] | None:
    """The next combination: the last choice that can be changed is."""
    # Counted like a number whose last digit moves first: what is read early decides what follows.
    padded = (choices + [0] * len(readings))[: len(readings)]
    for place in reversed(range(len(readings))):
        if padded[place] + 1 < readings[place]:
            return [*padded[:place], padded[place] + 1]
    return None


def _finished(network: Network, following: Following, inputs: Inputs, free: int) -> Freed:
    for node in network.graph.nodes:
        try:
            following.follow(node)
        except Mixes as reason:
            raise Mixes(f"{node}: {reason}") from reason
        except _UNSOUND as error:
            where = f"{node}: its axes or lengths contradict each other"
            raise Mixes(f"{where} ({error})") from error
    graph = freed_graph(network, following, inputs)
    freed = network.changed(graph=graph)
    outputs = {
        value.name: place for value in network.outputs if (place := following.place(value.name))
    }
    trial = tried(network, freed, following.batch, inputs, outputs, free)
    return Freed(freed, tuple(following.changed), trial)
