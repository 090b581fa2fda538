"""Linear attention: a state for each head instead of a score for each pair of query and key.

Letters: b in the batch, t steps, h heads of queries, g heads of keys and values, d the size of a
key, m that of a value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotrope.errors import ModelError, unknown_name
from allotrope.operators.operator_table import operator

_RULES = {
    "linear": (False, False),
    "gated": (True, False),
    "delta": (False, True),
    "gated_delta": (True, True),
}
"""Whether the state of each rule decays, and whether it is corrected."""


@operator("LinearAttention")
def linear_attention(
    p: Any,
    query: Any,
    key: Any,
    value: Any,
    past_state: Any = None,
    decay: Any = None,
    beta: Any = None,
    *,
    q_num_heads: int,
    kv_num_heads: int,
    chunk_size: int = 64,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
) -> tuple[Any, Any]:
    """For each step the state S becomes exp(decay) S + k (beta (v - Sᵀ k))ᵀ, and gives scale Sᵀ q.

    S [b, g, d, m], of which the last comes out too. Without decay the state stays, without
    correction all of v is written (Katharopoulos et al. 2020; Yang et al. 2024). Computed in at
    least float32; query [b, t, h * d], key [b, t, g * d], value [b, t, g * m].
    """
    _check_inputs(update_rule, decay, beta)
    batch, steps, width = p.shape(query)
    size, groups = width // q_num_heads, kv_num_heads
    # A state sums up over all steps: in half precision it would lose its last bits.
    narrow = wide = p.dtype(query)
    if narrow.itemsize < 4:
        wide = np.dtype(np.float32)
    arrays = [(query, q_num_heads), (key, groups), (value, groups)]
    if decay is not None:
        arrays.append((decay, groups))
    if beta is not None:
        arrays.append((beta, p.shape(beta)[2]))
    inputs = [_by_step(p, p.cast(x, wide), heads) for x, heads in arrays]
    shape = (batch, groups, size, p.shape(value)[2] // groups)
    state, state_dtype = p.full(shape, 0, wide), narrow
    if past_state is not None:
        state, state_dtype = p.cast(past_state, wide), p.dtype(past_state)
    factor = scale or 1 / math.sqrt(size)

    def step(states: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        q, k, v, *rest = slices
        new = _written(p, states[0], k, v, rest, update_rule)
        seen = p.matmul(p.reshape(q, (batch, groups, -1, size)), new)
        return [new], [p.multiply(p.reshape(seen, (batch, q_num_heads, -1)), factor)]

    (state,), (outputs,) = p.scan(step, [state], inputs, steps)
    output = p.reshape(p.transpose(outputs, (1, 0, 2, 3)), (batch, steps, -1))
    return p.cast(output, narrow), p.cast(state, state_dtype)


def _check_inputs(rule: str, decay: Any, beta: Any) -> None:
    if rule not in _RULES:
        raise unknown_name("update rule", rule, sorted(_RULES))
    for needed, name, array in zip(_RULES[rule], ("decay", "beta"), (decay, beta), strict=True):
        if needed and array is None:
            raise ModelError(f"the update rule '{rule}' needs input {name}.")
        if array is not None and not needed:
            raise ModelError(f"the update rule '{rule}' has no input {name}.")


def _by_step(p: Any, x: Any, heads: int) -> Any:
    """x [b, t, heads * d] as [t, b, heads, d]."""
    batch, steps, _ = p.shape(x)
    return p.transpose(p.reshape(x, (batch, steps, heads, -1)), (1, 0, 2, 3))


def _written(p: Any, state: Any, k: Any, v: Any, rest: list[Any], rule: str) -> Any:
    """The state after one step.

    k [b, g, d], v [b, g, m], and in `rest` decay [b, g, d or 1], beta [b, g or 1, 1] or both.
    """
    decays, corrects = _RULES[rule]
    if decays:
        state = p.multiply(state, _column(p, p.exp(rest[0])))
    row = p.reshape(v, (*p.shape(v)[:2], 1, -1))
    if corrects:
        # What the state answers to this key already; only the difference is written (delta rule).
        known = p.matmul(p.reshape(k, (*p.shape(k)[:2], 1, -1)), state)
        row = p.multiply(p.subtract(row, known), _column(p, rest[-1]))
    return p.add(state, p.multiply(_column(p, k), row))


def _column(p: Any, x: Any) -> Any:
    """x [b, g, d] as [b, g, d, 1]."""
    return p.reshape(x, (*p.shape(x), 1))
