"""Activations, alone and joined with the bias before them."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.errors import UnsupportedError
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("Gelu")
def gelu(w: Writer, x: str) -> str:
    """0.5 x (1 + erf(x / √2))."""
    return w.add("Gelu", x)


@foreign("Erfc", domain="")
def erfc(w: Writer, x: str) -> str:
    """1 - erf(x).

    TensorFlow's operator, which tf2onnx 1.17 leaves in ONNX's domain for Keras's GELU; no runtime
    takes it.
    """
    return w.add("Sub", w.number(1.0, x), w.add("Erf", x))


@foreign("BiasGelu")
def bias_gelu(w: Writer, x: str, bias: str) -> str:
    """Gelu of x + bias."""
    return w.add("Gelu", w.add("Add", x, bias))


@foreign("FastGelu")
def fast_gelu(w: Writer, x: str, bias: str | None = None) -> str:
    """Gelu by its approximation with tanh, of x + bias."""
    if bias:
        x = w.add("Add", x, bias)
    return w.add("Gelu", x, approximate="tanh")


@foreign("QuickGelu")
def quick_gelu(w: Writer, x: str, *, alpha: float = 1.702) -> str:
    """x sigmoid(alpha x)."""
    return w.add("Swish", x, alpha=alpha)


@foreign("BiasSplitGelu")
def bias_split_gelu(w: Writer, x: str, bias: str) -> str:
    """Of x + bias, halved along the last axis: the first half times Gelu of the second."""
    left, right = w.several("Split", 2, w.add("Add", x, bias), axis=-1, num_outputs=2)
    return w.add("Mul", left, w.add("Gelu", right))


@foreign("BiasAdd")
def bias_add(w: Writer, x: str, bias: str, skip: str) -> str:
    """x + bias + skip."""
    return w.add("Add", w.add("Add", x, bias), skip)


@foreign("BiasDropout")
def bias_dropout(
    w: Writer,
    x: str,
    bias: str,
    residual: str | None = None,
    ratio: str | None = None,
    training: str | None = None,
    *,
    seed: int | None = None,
) -> tuple[str, ...]:
    """Dropout of x + bias, and the residual added to it."""
    y, mask = w.several("Dropout", 2, w.add("Add", x, bias), ratio, training, seed=seed)
    if residual:
        y = w.add("Add", y, residual)
    return y, mask


@foreign("BiasSoftmax")
def bias_softmax(w: Writer, x: str, bias: str, *, axis: int = 1, is_inner_broadcast: int) -> str:
    """Softmax of x + bias over all axes from `axis` on; the bias broadcasts as ONNX broadcasts."""
    return softmax(w, w.add("Add", x, bias), axis, w.rank(x), flattened=True)


@foreign("ScaledTanh", domain="")
def scaled_tanh(w: Writer, x: str, *, alpha: float, beta: float) -> str:
    """alpha tanh(beta x), an operator that ONNX withdrew."""
    return w.add("Mul", w.add("Tanh", w.add("Mul", x, w.number(beta, x))), w.number(alpha, x))


def softmax(w: Writer, x: str, axis: int, rank: int, flattened: bool = False) -> str:
    """Softmax along an axis of `rank`, or `flattened` over all from it on.

    It is written along the last axis, where it means the same in every opset.
    """
    axis %= rank
    if axis == rank - 1:
        return w.add("Softmax", x, axis=-1)
    if flattened:
        rows = w.add("Softmax", w.add("Flatten", x, axis=axis), axis=-1)
        return w.add("Reshape", rows, w.add("Shape", x))
    order = [i for i in range(rank) if i != axis] + [axis]
    back = tuple(order.index(i) for i in range(rank))
    return w.add(
        "Transpose", w.add("Softmax", w.add("Transpose", x, perm=tuple(order)), axis=-1), perm=back
    )


def activated(w: Writer, x: str, activation: str, parameters: Sequence[float]) -> str:
    """What follows a fused layer. Raises: UnsupportedError for one that is not known."""
    match activation:
        case "":
            return x
        case "Relu" | "Sigmoid" | "Tanh" | "Softplus" | "HardSwish":
            return w.add(activation, x)
        case "LeakyRelu" | "Elu" | "ThresholdedRelu":
            return w.add(activation, x, alpha=next(iter(parameters or ()), None))
        case "HardSigmoid":
            alpha, beta = parameters
            return w.add(activation, x, alpha=alpha, beta=beta)
        case "Clip":
            low, high = parameters
            return w.add("Clip", x, w.number(low, x), w.number(high, x))
    raise UnsupportedError(f"its activation '{activation}' is not known")
