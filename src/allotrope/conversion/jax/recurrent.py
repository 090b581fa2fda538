"""Recurrent layers in JAX: a scan over time, which stands in the source as a function of its own.

Letters: t steps, n in the batch, c channels, h hidden size.
"""

from __future__ import annotations

from functools import partial

from allotrope.conversion.core.recurrent import (
    USUAL,
    directions,
    first_states,
    peculiarities,
    resets_before,
)
from allotrope.conversion.core.source import Expression, call
from allotrope.conversion.core.statement import Several
from allotrope.conversion.jax.site import JaxSite

FUNCTIONS = {
    "rnn": '''
def rnn(x, w, r, b):
    """x [t, n, c], w [h, c], r [h, h], b [2 h] -> y [t, n, h], last h [n, h]."""
    gates = x @ w.T + b.reshape(2, -1).sum(0)

    def step(h, gate):
        h = jnp.tanh(gate + h @ r.T)
        return h, h

    last, y = jax.lax.scan(step, jnp.zeros((x.shape[1], r.shape[1]), x.dtype), gates)
    return y, last
''',
    "gru": '''
def gru(x, w, r, b):
    """x [t, n, c], w [3 h, c], r [3 h, h], b [6 h] -> y [t, n, h], last h [n, h].

    The gates stand in ONNX's order: update, reset, candidate.
    """
    b, own = jnp.split(b, 2)
    gates = x @ w.T + b

    def step(h, gate):
        xz, xr, xh = jnp.split(gate, 3, axis=-1)
        hz, hr, hh = jnp.split(h @ r.T + own, 3, axis=-1)
        z = jax.nn.sigmoid(xz + hz)
        candidate = jnp.tanh(xh + jax.nn.sigmoid(xr + hr) * hh)
        h = (1 - z) * candidate + z * h
        return h, h

    last, y = jax.lax.scan(step, jnp.zeros((x.shape[1], r.shape[1]), x.dtype), gates)
    return y, last
''',
    "lstm": '''
def lstm(x, w, r, b):
    """x [t, n, c], w [4 h, c], r [4 h, h], b [8 h] -> y [t, n, h], last h, c [n, h].

    The gates stand in ONNX's order: input, output, forget, cell.
    """
    gates = x @ w.T + b.reshape(2, -1).sum(0)

    def step(state, gate):
        h, c = state
        i, o, f, g = jnp.split(gate + h @ r.T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[1], r.shape[1]), x.dtype)
    (last, cell), y = jax.lax.scan(step, (zeros, zeros), gates)
    return y, last, cell
''',
}
"""Each function's source, by the name under which the model calls it."""


RESULTS = {"RNN": "{}, {}", "GRU": "{}, {}", "LSTM": "{}, {}, {}"}
"""What each function gives: the sequence and the last states."""


def _recurrent(operator: str, site: JaxSite) -> list[Expression] | Several:
    _check(operator, site)
    layout, x = site.attribute("layout", 0), site.first()
    if layout:
        x = site.temporary(call("jnp.transpose", x, (1, 0, 2)))
    # One array for all directions, of which each function takes its own part.
    arrays = [site.input(position) for position in (1, 2, 3)]
    ys, states = [], []
    for d, is_backward in enumerate(directions(site)):
        sequence = x
        if is_backward:
            sequence = f"jnp.flip({x}, 0)"
        own = (f"{array.removesuffix('[...]')}[{d}]" for array in arrays)
        y, *last = site.temporaries(call(operator.lower(), sequence, *own), RESULTS[operator])
        if is_backward:
            y = site.temporary(f"jnp.flip({y}, 0)")
        ys.append(y)
        states.append(last)
    stacked = call("jnp.stack", "[" + ", ".join(ys) + "]", axis=1)
    # With a layout the batch comes first, before the directions of the states too.
    axis = 0
    if layout:
        stacked, axis = call("jnp.transpose", site.temporary(stacked), (2, 0, 1, 3)), 1
    results: list[Expression] = [stacked]
    results += [
        call("jnp.stack", "[" + ", ".join(parts) + "]", axis=axis)
        for parts in zip(*states, strict=True)
    ]
    return results[: len(site.node.outputs)]


def _check(operator: str, site: JaxSite) -> None:
    """Raises: NoForm with all that the functions above do not do."""
    problems = peculiarities(operator, site, [USUAL[operator]])
    problems += ["its reset gate acts before the matrix (linear_before_reset=0)"] * resets_before(
        operator, site
    )
    problems += ["it has no bias"] * (not site.has(3))
    problems += ["it is given first states"] * bool(first_states(operator, site))
    if problems:
        raise site.no(f"it is not converted where {' and '.join(problems)}")


RECURRENT = {name: partial(_recurrent, name) for name in USUAL}
