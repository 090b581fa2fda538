"""Recurrent layers in PyTorch, where its form is ONNX's.

Letters: t steps, n in the batch, d directions, h hidden size.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.recurrent import (
    FIRST_STATES,
    USUAL,
    first_states,
    in_order,
    peculiarities,
    resets_before,
)
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.pytorch.site import PyTorchSite

GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""ONNX's gates (GRU z, r, h; LSTM i, o, f, c) in PyTorch's order (r, z, n; i, f, g, o)."""


def _recurrent(operator: str, site: PyTorchSite) -> list[Expression]:
    _check(operator, site)
    direction, directions = site.attribute("direction", "forward"), 1
    if direction == "bidirectional":
        directions = 2
    layout = site.attribute("layout", 0)
    module = _module(operator, site, directions)
    x = site.tensor()
    # The axis of time, which goes backward before the layer and forward behind it.
    steps = 0
    if layout:
        steps = 1
    if direction == "reverse":
        x = site.temporary(f"{x}.flip({steps})")
    states = _states(operator, site, layout)
    pattern = "{}, {}"
    if operator == "LSTM":
        pattern = "{}, ({}, {})"
    arguments = [x]
    if states is not None:
        arguments.append(states)
    y, *last = site.temporaries(call(module, *arguments), pattern)
    if direction == "reverse":
        y = site.temporary(f"{y}.flip({steps})")
    return _in_onnx_form(site, y, last, directions, layout)


def _check(operator: str, site: PyTorchSite) -> None:
    """Raises: NoForm with all that PyTorch's layer does not have."""
    problems = peculiarities(operator, site, [USUAL[operator]] + [("Relu",)] * (operator == "RNN"))
    problems += ["its reset gate acts before the matrix (linear_before_reset=0)"] * resets_before(
        operator, site
    )
    problems += ["its weights are shared or computed"] * any(
        site.has(i) and site.weight(i) is None for i in (1, 2, 3)
    )
    if problems:
        raise site.no(f"nn.{operator} is another layer where {' and '.join(problems)}")


def _module(operator: str, site: PyTorchSite, directions: int) -> str:
    w, r, b = site.weight(1), site.weight(2), site.weight(3)
    assert w is not None and r is not None
    relu = operator == "RNN" and (site.attribute("activations") or ("Tanh",))[0] == "Relu"
    nonlinearity = None
    if relu:
        nonlinearity = '"relu"'
    made = call(
        f"nn.{operator}",
        w.shape[2],
        r.shape[2],
        nonlinearity=nonlinearity,
        bias=unusual(b is not None, True),
        batch_first=unusual(bool(site.attribute("layout", 0)), False),
        bidirectional=unusual(directions == 2, False),
    )
    arrays: dict[str, tuple[str, np.ndarray]] = {}
    for d in range(directions):
        # PyTorch's names of the weights of the first layer.
        suffix = "_l0" + "_reverse" * d
        arrays[f"weight_ih{suffix}"] = site.named(1, in_order(w[d], GATES[operator]))
        arrays[f"weight_hh{suffix}"] = site.named(2, in_order(r[d], GATES[operator]))
        # ONNX holds both biases in one array; PyTorch has one for each product.
        if b is not None:
            first, second = np.split(b[d], 2)
            arrays[f"bias_ih{suffix}"] = site.named(3, in_order(first, GATES[operator]))
            arrays[f"bias_hh{suffix}"] = site.named(3, in_order(second, GATES[operator]))
    return site.layer(made, arrays)


def _states(operator: str, site: PyTorchSite, layout: int) -> str | None:
    """The first states [d, n, h] as the layer takes them; None for zeros."""
    positions = first_states(operator, site)
    if not positions:
        return None
    if len(positions) != len(FIRST_STATES[operator]):
        raise site.no("only one of its two first states is given")
    texts = [_turned(site.tensor(position), layout) for position in positions]
    if len(texts) == 1:
        return texts[0]
    return f"({', '.join(texts)})"


def _in_onnx_form(
    site: PyTorchSite, y: str, last: list[str], directions: int, layout: int
) -> list[Expression]:
    """y [t, n, d * h] as [t, d, n, h] (or with the batch first), and the states."""
    # PyTorch has both directions on the last axis; with the batch first they come before it.
    if directions == 2:
        y = f"{y}.unflatten(2, (2, -1))"
        if not layout:
            y += ".transpose(1, 2)"
    elif layout:
        y += ".unsqueeze(2)"
    else:
        y += ".unsqueeze(1)"
    results: list[Expression] = [y, *(_turned(state, layout) for state in last)]
    return results[: len(site.node.outputs)]


def _turned(state: str, layout: int) -> str:
    """A state with the batch first, or as the layer has it; the way is the same in and out."""
    if layout:
        return f"{state}.transpose(0, 1)"
    return state


RECURRENT = {name: partial(_recurrent, name) for name in GATES}
