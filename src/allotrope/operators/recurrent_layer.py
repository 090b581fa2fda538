"""What recurrent layers have in common: directions, lengths, states, checks.

Letters: t steps, n in the batch, c input channels, h hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.indexing import backward_in_time
from allotrope.operators.shaping import narrow

Run = Callable[[int, Any, list[Any]], tuple[Any, list[Any]]]
"""One direction over x [t, n, c] from states [n, h]: y [t, n, h] and the last states."""


_BACKWARD = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction of a layer goes back in time."""


def layer(
    p: Any, run: Run, x: Any, lengths: Any, states: list[Any], direction: str, layout: int
) -> tuple[Any, ...]:
    """Every direction of a layer: y [t, directions, n, h] and states [directions, n, h].

    With `layout` the batch comes first, as ONNX defines it.
    """
    if layout:
        x, states = p.transpose(x, (1, 0, 2)), [p.transpose(s, (1, 0, 2)) for s in states]
    results = []
    for d, backward in enumerate(_BACKWARD[direction]):
        own_states = [part(p, s, d) for s in states]
        if backward:
            y, last = run(d, backward_in_time(p, x, lengths), own_states)
            y = backward_in_time(p, y, lengths)
        else:
            y, last = run(d, x, own_states)
        results.append((y, *last))
    # By direction so far; by result from here on.
    ys, *lasts = zip(*results, strict=True)
    if layout:
        stacked = [stack(p, [p.transpose(y, (1, 0, 2)) for y in ys], 2)]
        return *stacked, *(stack(p, last, 1) for last in lasts)
    return stack(p, ys, 1), *(stack(p, last, 0) for last in lasts)


def check_shapes(p: Any, gates: int, layout: int, x: Any, w: Any, r: Any, **others: Any) -> None:
    """Raises: ModelError naming every array whose shape is not that of its place.

    Kernels that trust shapes read beyond them.
    """
    if [len(p.shape(array)) for array in (x, w, r)] != [3, 3, 3]:
        raise ModelError("X, W and R must each have three axes.")
    _, n, c = p.shape(x)
    directions, _, h = p.shape(r)
    state = directions, n, h
    if layout:
        n = p.shape(x)[0]
        state = n, directions, h
    expected = {
        "W": (directions, gates * h, c),
        "R": (directions, gates * h, h),
        "B": (directions, 2 * gates * h),
        "sequence_lens": (n,),
        "initial_h": state,
        "initial_c": state,
        "P": (directions, 3 * h),
    }
    shapes = {
        name: tuple(p.shape(a)) for name, a in {"W": w, "R": r, **others}.items() if a is not None
    }
    wrong = [
        f"{name} is {list(shape)}, not {list(expected[name])}"
        for name, shape in shapes.items()
        if shape != expected[name]
    ]
    if wrong:
        raise ModelError(
            f"shapes that do not fit X {list(p.shape(x))} and a hidden size of {h}: "
            f"{'; '.join(wrong)}."
        )


def part(p: Any, x: Any, d: int) -> Any:
    """x[d]."""
    return p.reshape(narrow(p, x, 0, d, d + 1), p.shape(x)[1:])


def stack(p: Any, arrays: Sequence[Any], axis: int) -> Any:
    """Arrays along a new axis."""
    shape = list(p.shape(arrays[0]))
    parts = [p.reshape(a, (*shape[:axis], 1, *shape[axis:])) for a in arrays]
    if len(parts) == 1:
        return parts[0]
    return p.concatenate(parts, axis)


def first_state(p: Any, state: Any, x: Any, r: Any, layout: int) -> Any:
    """The state that a layer begins with: zeros for R [directions, gates * h, h] by default."""
    if state is not None:
        return state
    directions, _, h = p.shape(r)
    if layout:
        return p.full((p.shape(x)[0], directions, h), 0, p.dtype(x))
    return p.full((directions, p.shape(x)[1], h), 0, p.dtype(x))


def weights_of(p: Any, d: int, w: Any, r: Any, b: Any) -> tuple[Any, Any, Any]:
    """W [gates * h, c], R [gates * h, h] and B [2 * gates * h] of one direction.

    B is 0 where it is left out.
    """
    if b is None:
        bias = p.full((2 * p.shape(w)[1],), 0, p.dtype(w))
    else:
        bias = part(p, b, d)
    return part(p, w, d), part(p, r, d), bias


def ended(p: Any, y: Any, state: Any, lengths: Any) -> tuple[Any, Any]:
    """What came of a kernel that knows no lengths [n], as if each sequence had ended at its own.

    y [t, n, h] is 0 from there on; the last hidden states [n, h] are those of each sequence's last
    step, or `state` [n, h] if it has none.
    """
    t, n, h = p.shape(y)
    ends = p.cast(lengths, np.dtype(np.int64))
    alive = p.less(p.constant(np.arange(t)[:, None]), p.reshape(ends, (1, n)))
    # The first state stands before all steps, so that a length is the place of the last state.
    rows = p.reshape(p.concatenate((p.reshape(state, (1, n, h)), y), 0), ((t + 1) * n, h))
    places = p.add(p.multiply(p.where(p.less(ends, t), ends, t), n), p.constant(np.arange(n)))
    return p.where(p.reshape(alive, (t, n, 1)), y, 0), p.take(rows, places, 0)
