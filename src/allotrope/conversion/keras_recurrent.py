"""Recurrent layers in Keras. Letters: t steps, n in the batch, d directions, h hidden size."""

from __future__ import annotations

from functools import partial

import numpy as np

from allotrope.conversion.keras_layers import applied
from allotrope.conversion.keras_site import KerasSite
from allotrope.conversion.source import Expression, call

GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1)}
"""ONNX's gates (GRU z, r, h; LSTM i, o, f, c) in Keras's order (z, r, h; i, f, c, o)."""

LAYER = {"RNN": "SimpleRNN", "GRU": "GRU", "LSTM": "LSTM"}
USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


def _recurrent(operator: str, site: KerasSite) -> list[Expression]:
    backward = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[site.attribute("direction", "forward")]
    _check(operator, site, len(backward))
    layout, x = site.attribute("layout", 0), site.first()
    x = x if layout else site.temporary(call("ops.transpose", x, (1, 0, 2)))
    ys, states = [], []
    for d, is_backward in enumerate(backward):
        layer = _layer(operator, site, d, is_backward)
        y, *last = site.temporaries(applied(layer, x), "{}, {}, {}" if operator == "LSTM" else "{}, {}")
        ys.append(site.temporary(call("ops.flip", y, axis=1)) if is_backward else y)
        states.append(last)
    y = site.temporary(call("ops.stack", "[" + ", ".join(ys) + "]", axis=2))
    stacked = [call("ops.stack", "[" + ", ".join(parts) + "]", axis=1 if layout else 0) for parts in zip(*states, strict=True)]
    found: list[Expression] = [y if layout else call("ops.transpose", y, (1, 2, 0, 3)), *stacked]
    return found[: len(site.node.outputs)]


def _check(operator: str, site: KerasSite, directions: int) -> None:
    """Raises: NoForm with all that Keras's layer does not have."""
    names = tuple(site.attribute("activations") or USUAL[operator] * directions)
    problems = ["its activations are " + ", ".join(names)] * (names != USUAL[operator] * directions)
    problems += ["it is given the lengths of the sequences"] * site.has(4)
    problems += ["it clips"] * (site.attribute("clip") is not None)
    problems += ["it has peepholes"] * (operator == "LSTM" and site.has(7))
    problems += ["input_forget is set"] * bool(site.attribute("input_forget", 0))
    problems += ["its weights are shared or computed"] * any(site.has(i) and site.weight(i) is None for i in (1, 2, 3))
    given = [site.known(i) for i in (5, 6) if site.has(i) and not (operator != "LSTM" and i == 6)]
    problems += ["it is given first states"] * any(array is None or bool(np.any(array)) for array in given)
    if problems:
        raise site.no(f"Keras's {LAYER[operator]} is another layer where {' and '.join(problems)}")


def _layer(operator: str, site: KerasSite, d: int, is_backward: bool) -> str:
    names, (w, r, b) = site.node.inputs, (site.array(i) for i in (1, 2, 3))
    assert w is not None and r is not None
    arrays = [("" if d else names[1], _ordered(operator, w[d]).T), ("" if d else names[2], _ordered(operator, r[d]).T)]
    after_matrix = bool(site.attribute("linear_before_reset", 0))
    if b is not None:
        first, second = (_ordered(operator, part) for part in np.split(b[d], 2))
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


def _ordered(operator: str, array: np.ndarray) -> np.ndarray:
    """The gates in Keras's order."""
    parts = np.split(array, len(GATES[operator]))
    return np.concatenate([parts[i] for i in GATES[operator]])


RECURRENT = {name: partial(_recurrent, name) for name in GATES}
