"""Recurrent layers in PyTorch, where its form is ONNX's. Letters: t steps, n in the batch, d directions, h hidden size."""

from __future__ import annotations

from functools import partial

import numpy as np

from allotrope.conversion.core.recurrent import USUAL, first_states, in_order, peculiarities, resets_before
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.pytorch.site import PyTorchSite

GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""ONNX's gates (GRU z, r, h; LSTM i, o, f, c) in PyTorch's order (r, z, n; i, f, g, o)."""


def _recurrent(operator: str, site: PyTorchSite) -> list[Expression]:
    _check(operator, site)
    direction, directions = site.attribute("direction", "forward"), 2 if site.attribute("direction") == "bidirectional" else 1
    layout = site.attribute("layout", 0)
    module = _module(operator, site, directions)
    x = site.tensor()
    steps = 1 if layout else 0
    if direction == "reverse":
        x = site.temporary(f"{x}.flip({steps})")
    states = _states(operator, site, layout)
    pattern = "{}, ({}, {})" if operator == "LSTM" else "{}, {}"
    y, *last = site.temporaries(call(module, x, *([] if states is None else [states])), pattern)
    if direction == "reverse":
        y = site.temporary(f"{y}.flip({steps})")
    return _in_onnx_form(site, y, last, directions, layout)


def _check(operator: str, site: PyTorchSite) -> None:
    """Raises: NoForm with all that PyTorch's layer does not have."""
    problems = peculiarities(operator, site, [USUAL[operator]] + [("Relu",)] * (operator == "RNN"))
    problems += ["its reset gate acts before the matrix (linear_before_reset=0)"] * resets_before(operator, site)
    problems += ["its weights are shared or computed"] * any(site.has(i) and site.weight(i) is None for i in (1, 2, 3))
    if problems:
        raise site.no(f"nn.{operator} is another layer where {' and '.join(problems)}")


def _module(operator: str, site: PyTorchSite, directions: int) -> str:
    w, r, b = site.weight(1), site.weight(2), site.weight(3)
    assert w is not None and r is not None
    relu = operator == "RNN" and (site.attribute("activations") or ("Tanh",))[0] == "Relu"
    made = call(
        f"nn.{operator}",
        w.shape[2],
        r.shape[2],
        nonlinearity='"relu"' if relu else None,
        bias=None if b is not None else False,
        batch_first=True if site.attribute("layout", 0) else None,
        bidirectional=True if directions == 2 else None,
    )
    arrays: dict[str, tuple[str, np.ndarray]] = {}
    for d in range(directions):
        suffix = "_l0" + "_reverse" * d
        arrays[f"weight_ih{suffix}"] = site.named(1, in_order(w[d], GATES[operator]))
        arrays[f"weight_hh{suffix}"] = site.named(2, in_order(r[d], GATES[operator]))
        if b is not None:
            first, second = np.split(b[d], 2)
            arrays[f"bias_ih{suffix}"] = site.named(3, in_order(first, GATES[operator]))
            arrays[f"bias_hh{suffix}"] = site.named(3, in_order(second, GATES[operator]))
    return site.layer(made, arrays)


def _states(operator: str, site: PyTorchSite, layout: int) -> str | None:
    """The first states [d, n, h] as the layer takes them; None for zeros."""
    given = first_states(operator, site)
    if not given:
        return None
    if len(given) != (2 if operator == "LSTM" else 1):
        raise site.no("only one of its two first states is given")
    texts = [site.tensor(position) + (".transpose(0, 1)" if layout else "") for position in given]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _in_onnx_form(site: PyTorchSite, y: str, last: list[str], directions: int, layout: int) -> list[Expression]:
    """y [t, n, d * h] as [t, d, n, h] (or with the batch first), and the states."""
    if directions == 2:
        apart = f"{y}.unflatten(2, (2, -1))"
        y = apart if layout else f"{apart}.transpose(1, 2)"
    else:
        y = f"{y}.unsqueeze({2 if layout else 1})"
    found: list[Expression] = [y, *(f"{state}.transpose(0, 1)" if layout else state for state in last)]
    return found[: len(site.node.outputs)]


RECURRENT = {name: partial(_recurrent, name) for name in GATES}
