"""Control flow: subgraphs arrive as functions.

Conditions and trip counts are host values, so that everything is unrolled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.operators.axes import axis_of
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator

Body = Callable[..., list[Any]]


@operator("If", host=("condition",))
def if_(p: Any, condition: np.ndarray, *, then_branch: Body, else_branch: Body) -> tuple[Any, ...]:
    """The outputs of one branch; the other is not computed."""
    if _truth(condition):
        return tuple(then_branch())
    return tuple(else_branch())


@operator("Loop", host=("count", "condition"))
def loop(
    p: Any,
    count: np.ndarray | None = None,
    condition: np.ndarray | None = None,
    *states: Any,
    body: Body,
    context: Any,
) -> tuple[Any, ...]:
    """body(i, condition, *states) -> (condition, *states, *results), while i < count and it holds.

    Gives the last states, and each result stacked over the iterations.
    """
    if count is None:
        limit = math.inf
    else:
        limit = int(np.asarray(count).reshape(()))
    going, i, steps = condition is None or _truth(condition), 0, []
    outputs, results = list(states), context.outputs - len(states)
    while going and i < limit:
        condition, *outputs = body(
            np.asarray(i, np.int64), np.asarray(True), *outputs[: len(states)]
        )
        # What the body gives beyond its states is collected, one row a round.
        steps.append(outputs[len(states) :])
        for row in steps[-1]:
            # A hostile file loops to fill the memory: the whole is measured while it grows.
            room_for((len(steps), *_shape(p, row)), _dtype(p, row))
        if not isinstance(condition, np.ndarray):
            condition = p.to_host(condition)
        going, i = _truth(condition), i + 1
    # ONNX gives an array of length 0 here, but of what shape beyond that nobody can tell.
    if results > 0 and not steps:
        raise UnsupportedError(
            "there is no iteration, and therefore no shape of what it would give."
        )
    return *outputs[: len(states)], *(_stacked(p, column) for column in zip(*steps, strict=True))


def _shape(p: Any, value: Any) -> Sequence[int]:
    if isinstance(value, np.ndarray):
        return value.shape
    return p.shape(value)


def _dtype(p: Any, value: Any) -> np.dtype:
    if isinstance(value, np.ndarray):
        return value.dtype
    return p.dtype(value)


def _truth(condition: np.ndarray) -> bool:
    return bool(np.asarray(condition).reshape(()))


def _stacked(p: Any, values: Sequence[Any]) -> Any:
    """Values of the same shape along a new first axis; host values stay on the host."""
    if all(isinstance(v, np.ndarray) for v in values):
        return np.stack(values)
    arrays = [_array(p, v) for v in values]
    return p.concatenate([p.reshape(a, (1, *p.shape(a))) for a in arrays], 0)


def _array(p: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return p.constant(value)
    return value


@operator("Scan")
def scan(
    p: Any,
    *values: Any,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None = None,
    scan_input_directions: Sequence[int] | None = None,
    scan_output_axes: Sequence[int] | None = None,
    scan_output_directions: Sequence[int] | None = None,
) -> tuple[Any, ...]:
    """body(*states, *slices) -> (*states, *results) along an axis of each scanned input.

    Gives the last states, and each result stacked.
    """
    arrays = [_array(p, v) for v in values]
    count = len(arrays) - num_scan_inputs

    def step(states: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = [_array(p, y) for y in body(*states, *slices)]
        return outputs[:count], outputs[count:]

    axes = scan_input_axes or [0] * num_scan_inputs
    backward = scan_input_directions or [0] * num_scan_inputs
    inputs = [
        _turned(p, _moved(p, x, axis, 0), b)
        for x, axis, b in zip(arrays[count:], axes, backward, strict=True)
    ]
    lengths = {p.shape(x)[0] for x in inputs}
    if len(lengths) > 1:
        raise ModelError(f"what is scanned together differs in length: {sorted(lengths)}.")
    states, results = p.scan(step, arrays[:count], inputs, p.shape(inputs[0])[0])
    axes = scan_output_axes or [0] * len(results)
    backward = scan_output_directions or [0] * len(results)
    return *states, *(
        _moved(p, _turned(p, y, b), 0, axis)
        for y, axis, b in zip(results, axes, backward, strict=True)
    )


def _moved(p: Any, x: Any, source: int, target: int) -> Any:
    """x with one axis at another place."""
    rank = len(p.shape(x))
    start = axis_of(source, rank)
    order = [i for i in range(rank) if i != start]
    # The axis is taken out of the order first, so that its target counts in the order without it.
    order.insert(axis_of(target, rank), start)
    if order == list(range(rank)):
        return x
    return p.transpose(x, order)


def _turned(p: Any, x: Any, backward: int) -> Any:
    if backward:
        return p.flip(x, (0,))
    return x


@operator("OptionalHasElement")
def optional_has_element(p: Any, x: Any = None) -> np.ndarray:
    """Whether there is a value."""
    return np.asarray(x is not None)


@operator("OptionalGetElement")
def optional_get_element(p: Any, x: Any) -> Any:
    """The value itself: only what is there can be given here."""
    return x
