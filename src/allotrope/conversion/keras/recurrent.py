"""Recurrent layers in Keras. Letters: t steps, n in the batch, d directions, h hidden size."""

from __future__ import annotations

from functools import partial

import numpy as np

from allotrope.conversion.core.recurrent import USUAL, directions, first_states, in_order, peculiarities, resets_before
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.keras.layers import applied
from allotrope.conversion.keras.site import KerasSite

GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1)}
"""ONNX's gates (GRU z, r, h; LSTM i, o, f, c) in Keras's order (z, r, h; i, f, c, o)."""

LAYER = {"RNN": "SimpleRNN", "GRU": "GRU", "LSTM": "LSTM"}


def _recurrent(operator: str, site: KerasSite) -> list[Expression]:
    _check(operator, site)
    layout, x = site.attribute("layout", 0), site.first()
    x = x if layout else site.temporary(call("ops.transpose", x, (1, 0, 2)))
    ys, states = [], []
    for d, is_backward in enumerate(directions(site)):
        layer = _layer(operator, site, d, is_backward)
        y, *last = site.temporaries(applied(layer, x), "{}, {}, {}" if operator == "LSTM" else "{}, {}")
        ys.append(site.temporary(call("ops.flip", y, axis=1)) if is_backward else y)
        states.append(last)
    y = site.temporary(call("ops.stack", "[" + ", ".join(ys) + "]", axis=2))
    stacked = [call("ops.stack", "[" + ", ".join(parts) + "]", axis=1 if layout else 0) for parts in zip(*states, strict=True)]
    found: list[Expression] = [y if layout else call("ops.transpose", y, (1, 2, 0, 3)), *stacked]
    return found[: len(site.node.outputs)]


def _check(operator: str, site: KerasSite) -> None:
    """Raises: NoForm with all that Keras's layer does not have."""
    problems = peculiarities(operator, site, [USUAL[operator]])
    problems += ["its weights are shared or computed"] * any(site.has(i) and site.weight(i) is None for i in (1, 2, 3))
    problems += ["it is given first states"] * bool(first_states(operator, site))
    if problems:
        raise site.no(f"Keras's {LAYER[operator]} is another layer where {' and '.join(problems)}")


def _layer(operator: str, site: KerasSite, d: int, is_backward: bool) -> str:
    names, (w, r, b) = site.node.inputs, (site.array(i) for i in (1, 2, 3))
    assert w is not None and r is not None
    arrays = [("" if d else names[1], in_order(w[d], GATES[operator]).T), ("" if d else names[2], in_order(r[d], GATES[operator]).T)]
    after_matrix = not resets_before(operator, site)
    if b is not None:
        first, second = (in_order(part, GATES[operator]) for part in np.split(b[d], 2))
        both = np.stack([first, second]) if operator == "GRU" and after_matrix else first + second
        arrays.append(("" if d else names[3], both))
    options = {
        "use_bias": None if b is not None else False,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True if is_backward else None,
        "reset_after": False if operator == "GRU" and not after_matrix else None,
        "trainable": site.layers.learns(names[1 : 4 if b is not None else 3]),
    }
    return str(site.layers.layer(f"{site.name()}_{d}" if d else site.name(), LAYER[operator], [r.shape[2]], options, arrays))


RECURRENT = {name: partial(_recurrent, name) for name in GATES}
