"""Recurrent layers.

The framework's own kernels run them where the attributes allow; else they are scanned over time.

Letters: t steps, n in the batch, c input channels, h hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.operators.activations import Activation, activations_of
from allotrope.operators.operator_table import operator
from allotrope.operators.recurrent_layer import (
    check_shapes,
    ended,
    first_state,
    layer,
    part,
    weights_of,
)
from allotrope.operators.shaping import narrow


def _unrolled(
    p: Any, cell: Callable[[Any, list[Any]], list[Any]], x: Any, states: list[Any], lengths: Any
) -> tuple[Any, list[Any]]:
    """cell(x [n, ...], states) -> states for each step of x [t, n, ...].

    y is the first state, 0 where a sequence is over.
    """

    def step(old: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        new = cell(slices[0], old)
        if lengths is None:
            return new, [new[0]]
        # A sequence that is over keeps its states, and gives 0.
        alive = p.reshape(p.less(slices[1], lengths), (-1, 1))
        states = [p.where(alive, b, a) for a, b in zip(old, new, strict=True)]
        return states, [p.where(alive, new[0], 0)]

    steps = p.shape(x)[0]
    # A scan needs a step to know the shape of what it gives.
    if steps == 0:
        return p.full((0, *p.shape(states[0])), 0, p.dtype(x)), states
    inputs = [x]
    if lengths is not None:
        inputs.append(p.constant(np.arange(steps, dtype=p.dtype(lengths))))
    states, results = p.scan(step, states, inputs, steps)
    return results[0], states


def _within(p: Any, fused: Sequence[Any], states: list[Any], lengths: Any) -> tuple[Any, list[Any]]:
    """What a framework's own kernel gave: y, the last states; each sequence within its length."""
    y, last, *others = fused
    if lengths is not None:
        y, last = ended(p, y, states[0], lengths)
    return y, [last, *others]


def _gates(p: Any, x: Any, count: int) -> list[Any]:
    """x [..., count * h] in equal pieces."""
    axis = len(p.shape(x)) - 1
    size = p.shape(x)[axis] // count
    return [narrow(p, x, axis, i * size, (i + 1) * size) for i in range(count)]


def _times(p: Any, x: Any, weight: Any) -> Any:
    """x [..., c] with weight [h, c]: [..., h]."""
    return p.matmul(x, p.transpose(weight, (1, 0)))


@operator("RNN")
def rnn(
    p: Any,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    sequence_lens: Any = None,
    initial_h: Any = None,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> tuple[Any, ...]:
    """H = f(X W + Wb + H R + Rb) (Elman 1990)."""
    check_shapes(p, 1, layout, x, w, r, B=b, sequence_lens=sequence_lens, initial_h=initial_h)
    functions = activations_of(
        p, activations, ("Tanh",), p.shape(w)[0], activation_alpha, activation_beta, clip
    )

    def run(d: int, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        (f,), (weight, recurrence, bias) = functions[d], weights_of(p, d, w, r, b)
        # A fused kernel knows no clipping, and no sequence of length 0.
        if f.name in ("Tanh", "Relu") and clip is None and p.shape(x)[0]:
            fused = p.rnn(x, weight, recurrence, bias, states[0], f.name)
            if fused is not None:
                return _within(p, fused, states, sequence_lens)
        gates = p.add(_times(p, x, weight), p.add(*_gates(p, bias, 2)))
        return _unrolled(
            p, lambda g, s: [f(p.add(g, _times(p, s[0], recurrence)))], gates, states, sequence_lens
        )

    state = first_state(p, initial_h, x, r, layout)
    return layer(p, run, x, sequence_lens, [state], direction, layout)


@operator("GRU")
def gru(
    p: Any,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    sequence_lens: Any = None,
    initial_h: Any = None,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> tuple[Any, ...]:
    """Gated recurrent units (Cho et al. 2014).

    The reset gate acts on H, or on H R + Rb where linear_before_reset.
    """
    check_shapes(p, 3, layout, x, w, r, B=b, sequence_lens=sequence_lens, initial_h=initial_h)
    usual = ("Sigmoid", "Tanh")
    functions = activations_of(
        p, activations, usual, p.shape(w)[0], activation_alpha, activation_beta, clip
    )

    def run(d: int, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        f, g = functions[d]
        weight, recurrence, bias = weights_of(p, d, w, r, b)
        if linear_before_reset and (f.name, g.name) == usual and clip is None and p.shape(x)[0]:
            fused = p.gru(x, weight, recurrence, bias, states[0])
            if fused is not None:
                return _within(p, fused, states, sequence_lens)
        cell = _gru_cell(p, f, g, recurrence, bias, bool(linear_before_reset))
        return _unrolled(
            p,
            cell,
            p.add(_times(p, x, weight), narrow(p, bias, 0, 0, p.shape(weight)[0])),
            states,
            sequence_lens,
        )

    state = first_state(p, initial_h, x, r, layout)
    return layer(p, run, x, sequence_lens, [state], direction, layout)


def _gru_cell(
    p: Any, f: Activation, g: Activation, recurrence: Any, bias: Any, linear_before_reset: bool
) -> Callable[..., list[Any]]:
    """One step: H = (1 - z) h + z H, with gates in ONNX's order z, r, h."""
    size = p.shape(recurrence)[1]
    own = narrow(p, bias, 0, 3 * size, 6 * size)
    gated = narrow(p, recurrence, 0, 0, 2 * size)
    hidden = narrow(p, recurrence, 0, 2 * size, 3 * size)

    def cell(gates: Any, states: list[Any]) -> list[Any]:
        (h,) = states
        xz, xr, xh = _gates(p, gates, 3)
        # Two gates in one product; the third needs the reset gate first, or has a bias of its own.
        hz, hr = _gates(p, p.add(_times(p, h, gated), narrow(p, own, 0, 0, 2 * size)), 2)
        update, reset = f(p.add(xz, hz)), f(p.add(xr, hr))
        rest = narrow(p, own, 0, 2 * size, 3 * size)
        if linear_before_reset:
            inner = p.multiply(reset, p.add(_times(p, h, hidden), rest))
        else:
            inner = p.add(_times(p, p.multiply(reset, h), hidden), rest)
        candidate = g(p.add(xh, inner))
        # The same as (1 - z) * candidate + z * h, with one product less.
        return [p.add(candidate, p.multiply(update, p.subtract(h, candidate)))]

    return cell


@operator("LSTM")
def lstm(
    p: Any,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    sequence_lens: Any = None,
    initial_h: Any = None,
    initial_c: Any = None,
    peepholes: Any = None,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
    context: Any,
) -> tuple[Any, ...]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997).

    Peepholes, if there are any, as in Gers et al. 2002.
    """
    optional = {"B": b, "sequence_lens": sequence_lens, "initial_h": initial_h}
    check_shapes(p, 4, layout, x, w, r, **optional, initial_c=initial_c, P=peepholes)
    usual = ("Sigmoid", "Tanh", "Tanh")
    functions = activations_of(
        p, activations, usual, p.shape(w)[0], activation_alpha, activation_beta, clip
    )
    # A kernel that knows no lengths tells the last cell state of all sequences alone.
    told = sequence_lens is None or not context.wants(2)
    plain = told and clip is None and peepholes is None and not input_forget

    def run(d: int, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        weight, recurrence, bias = weights_of(p, d, w, r, b)
        if plain and tuple(f.name for f in functions[d]) == usual and p.shape(x)[0]:
            fused = p.lstm(x, weight, recurrence, bias, *states)
            if fused is not None:
                return _within(p, fused, states, sequence_lens)
        peeps = None
        if peepholes is not None:
            peeps = _gates(p, part(p, peepholes, d), 3)
        gates = p.add(_times(p, x, weight), p.add(*_gates(p, bias, 2)))
        return _unrolled(
            p,
            _lstm_cell(p, functions[d], recurrence, peeps, bool(input_forget)),
            gates,
            states,
            sequence_lens,
        )

    states = [first_state(p, state, x, r, layout) for state in (initial_h, initial_c)]
    return layer(p, run, x, sequence_lens, states, direction, layout)


def _lstm_cell(
    p: Any,
    functions: Sequence[Activation],
    recurrence: Any,
    peepholes: Sequence[Any] | None,
    input_forget: bool,
) -> Callable[..., list[Any]]:
    """One step: C = f C + i c, H = o h(C), with gates in ONNX's order i, o, f, c.

    Peepholes come in the order i, o, f. `input_forget` couples two gates: f = 1 - i, whatever the
    weights of f are (ONNX, onnx#149; ONNX Runtime).
    """
    f, g, h = functions

    def seen(gate: Any, which: int, cell: Any) -> Any:
        if peepholes is None:
            return gate
        return p.add(gate, p.multiply(peepholes[which], cell))

    def cell(gates: Any, states: list[Any]) -> list[Any]:
        hidden, old = states
        i, o, forget, candidate = _gates(p, p.add(gates, _times(p, hidden, recurrence)), 4)
        taken = f(seen(i, 0, old))
        if input_forget:
            remembered = p.add(p.negative(taken), 1)
        else:
            remembered = f(seen(forget, 2, old))
        new = p.add(p.multiply(remembered, old), p.multiply(taken, g(candidate)))
        return [p.multiply(f(seen(o, 1, new)), h(new)), new]

    return cell
