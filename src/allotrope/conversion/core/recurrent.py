"""What recurrent nodes ask for that a layer of a framework may not do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.conversion.core.site import Site

USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
"""ONNX's activations where none are named."""


FIRST_STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
"""The inputs that give first states."""


def directions(site: Site) -> tuple[bool, ...]:
    """For each direction of the layer whether it is backward."""
    return {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[
        site.attribute("direction", "forward")
    ]


def peculiarities(operator: str, site: Site, activations: Sequence[tuple[str, ...]]) -> list[str]:
    """What no framework's layer does.

    `activations` are those that this one may have in each direction.
    """
    count = len(directions(site))
    names = tuple(site.attribute("activations") or USUAL[operator] * count)
    reasons = []
    if names not in [one * count for one in activations]:
        reasons.append("its activations are " + ", ".join(names))
    if site.has(4):
        reasons.append("it is given the lengths of the sequences")
    if site.attribute("clip") is not None:
        reasons.append("it clips")
    if operator == "LSTM" and site.has(7):
        reasons.append("it has peepholes")
    if site.attribute("input_forget", 0):
        reasons.append("input_forget is set")
    return reasons


def resets_before(operator: str, site: Site) -> bool:
    """Whether the reset gate of a GRU acts before the matrix and not after it."""
    return operator == "GRU" and not site.attribute("linear_before_reset", 0)


def first_states(operator: str, site: Site) -> list[int]:
    """The inputs that give first states other than zeros."""
    positions = [i for i in FIRST_STATES[operator] if site.has(i)]
    # Zeros are what layers begin with anyway.
    if all((array := site.known(i)) is not None and not np.any(array) for i in positions):
        return []
    return positions


def in_order(array: np.ndarray, gates: Sequence[int]) -> np.ndarray:
    """The gates, which stand along the first axis, in another order."""
    parts = np.split(array, len(gates))
    return np.concatenate([parts[i] for i in gates])
