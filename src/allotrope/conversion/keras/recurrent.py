"""Recurrent layers in Keras. Letters: t steps, n in the batch, d directions, h hidden size."""

from __future__ import annotations

from functools import partial

import numpy as np

from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.recurrent import (
    USUAL,
    directions,
    first_states,
    in_order,
    peculiarities,
    resets_before,
)
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.keras.layers import applied
from allotrope.conversion.keras.site import KerasSite

GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1)}
"""ONNX's gates (GRU z, r, h; LSTM i, o, f, c) in Keras's order (z, r, h; i, f, c, o)."""

RESULTS = {"RNN": "{}, {}", "GRU": "{}, {}", "LSTM": "{}, {}, {}"}
"""What each layer gives: the sequence and the last states."""

LAYER = {"RNN": "SimpleRNN", "GRU": "GRU", "LSTM": "LSTM"}


def _recurrent(operator: str, site: KerasSite) -> list[Expression]:
    _check(operator, site)
    layout, x = site.attribute("layout", 0), site.first()
    if not layout:
        x = site.temporary(call("ops.transpose", x, (1, 0, 2)))
    ys, states = [], []
    for d, is_backward in enumerate(directions(site)):
        layer = _layer(operator, site, d, is_backward)
        y, *last = site.temporaries(applied(layer, x), RESULTS[operator])
        if is_backward:
            y = site.temporary(call("ops.flip", y, axis=1))
        ys.append(y)
        states.append(last)
    y = site.temporary(call("ops.stack", "[" + ", ".join(ys) + "]", axis=2))
    # Keras has the batch first, as ONNX with a layout; the states' directions come after it then.
    sequence: Expression = y
    axis = 1
    if not layout:
        sequence, axis = call("ops.transpose", y, (1, 2, 0, 3)), 0
    stacked = [
        call("ops.stack", "[" + ", ".join(parts) + "]", axis=axis)
        for parts in zip(*states, strict=True)
    ]
    return [sequence, *stacked][: len(site.node.outputs)]


def _check(operator: str, site: KerasSite) -> None:
    """Raises: NoForm with all that Keras's layer does not have."""
    problems = peculiarities(operator, site, [USUAL[operator]])
    problems += ["its weights are shared or computed"] * any(
        site.has(i) and site.weight(i) is None for i in (1, 2, 3)
    )
    problems += ["it is given first states"] * bool(first_states(operator, site))
    if problems:
        raise site.no(f"Keras's {LAYER[operator]} is another layer where {' and '.join(problems)}")


def _layer(operator: str, site: KerasSite, d: int, is_backward: bool) -> str:
    names, (w, r, b) = site.node.inputs, (site.array(i) for i in (1, 2, 3))
    assert w is not None and r is not None
    # The weights of both directions are one array in the file: the first layer has its name.
    called = ["", *names[1:4]]
    if d:
        called = [""] * 4
    arrays = [
        (called[1], in_order(w[d], GATES[operator]).T),
        (called[2], in_order(r[d], GATES[operator]).T),
    ]
    after_matrix = not resets_before(operator, site)
    # ONNX has two biases, before and after the reset gate; Keras adds them up unless it needs both.
    if b is not None:
        first, second = (in_order(part, GATES[operator]) for part in np.split(b[d], 2))
        bias = first + second
        if operator == "GRU" and after_matrix:
            bias = np.stack([first, second])
        arrays.append((called[3], bias))
    options = {
        "use_bias": unusual(b is not None, True),
        "return_sequences": True,
        "return_state": True,
        "go_backwards": unusual(is_backward, False),
        "reset_after": unusual(operator != "GRU" or after_matrix, True),
        "trainable": site.layers.learns(names[1 : len(arrays) + 1]),
    }
    name = site.name()
    if d:
        name += f"_{d}"
    return str(site.layers.layer(name, LAYER[operator], [r.shape[2]], options, arrays))


RECURRENT = {name: partial(_recurrent, name) for name in GATES}
