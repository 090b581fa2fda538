"""Keras's operations: operators without weights, as layers if there are such, or as `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from allotrope.conversion.core.constants import hard_sigmoid_constants, selu_constants
from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.source import Expression, call, literal, shortest
from allotrope.conversion.core.statement import Several
from allotrope.conversion.keras.layers import applied
from allotrope.conversion.keras.moving import SHAPES
from allotrope.conversion.keras.pooling import POOLING
from allotrope.conversion.keras.site import KerasSite
from allotrope.operators.elementwise import dtype_of

UNARY = {
    "Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin", "Asinh": "arcsinh",
    "Atan": "arctan", "Atanh": "arctanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh",
    "Erf": "erf", "Exp": "exp", "Floor": "floor", "IsNaN": "isnan", "Log": "log",
    "Neg": "negative", "Not": "logical_not", "Reciprocal": "reciprocal", "Round": "round",
    "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan",
}  # fmt: skip
ACTIVATIONS = {
    "HardSwish": "hard_silu", "Mish": "mish", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Softsign": "softsign", "Tanh": "tanh",
}  # fmt: skip
BINARY = {
    "Add": "add", "And": "logical_and", "Div": "divide", "Equal": "equal", "Greater": "greater",
    "GreaterOrEqual": "greater_equal", "Less": "less", "LessOrEqual": "less_equal",
    "Max": "maximum", "Min": "minimum", "Mul": "multiply", "Or": "logical_or",
    "Sub": "subtract", "Sum": "add", "Xor": "logical_xor",
}  # fmt: skip
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
REDUCTIONS = {
    "ReduceMax": "max",
    "ReduceMean": "mean",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceSum": "sum",
}


def _unary(function: str, site: KerasSite) -> Expression:
    return call(f"ops.{function}", site.same())


def _activation(name: str, site: KerasSite) -> Expression:
    return applied(site.layer("Activation", f'"{name}"'), site.same())


def _layer(function: str, constants: dict[str, tuple[str, float]], site: KerasSite) -> Expression:
    """A layer without weights; `constants` are Keras's names, and ONNX's with their defaults."""
    options: dict[str, Any] = {
        name: shortest(site.attribute(theirs, usual)) for name, (theirs, usual) in constants.items()
    }
    return applied(site.layer(function, **options), site.same())


def _binary(function: str, site: KerasSite) -> Expression:
    first, *others = site.operands()
    if function == "divide" and not site.is_float(0):
        raise site.no("Keras has no integer division that rounds toward zero")
    if function == "add" and len(others) == 1 and _is_taken_for_bias(site):
        first, others = others[0], [first]
    for other in others[:-1]:
        first = site.temporary(call(f"ops.{function}", first, other))
    if not others:
        return first
    sign = SIGNS.get(function)
    if sign and first.isidentifier() and others[-1].isidentifier():
        return f"{first} {sign} {others[-1]}"
    return call(f"ops.{function}", first, others[-1])


def _is_taken_for_bias(site: KerasSite) -> bool:
    """Whether Keras 3.15 on TensorFlow would add the second operand along the wrong axis.

    Its `add` squeezes an operand of one long axis and adds it along the last one, wherever that
    axis was; it looks at the second only.
    """
    first, second = (site.shape(i) or () for i in (0, 1))
    long_first, long_second = (
        [axis - len(s) for axis, n in enumerate(s) if n != 1] for s in (first, second)
    )
    return (
        len(long_second) == 1
        and long_second != [-1]
        and not (len(long_first) == 1 and long_first != [-1])
    )


def _identity(site: KerasSite) -> Expression:
    return site.same()


def _where(site: KerasSite) -> Expression:
    return call("ops.where", *site.operands())


def _clip(site: KerasSite) -> Expression:
    low, high = site.number(1), site.number(2)
    # Such a clip is a layer of Keras, as people write it.
    if low == 0 and high is not None:
        return applied(site.layer("ReLU", max_value=literal(high)), site.same())
    if low is None and high is None:
        return site.same()
    if low is None:
        low = -float("inf")
    if high is None:
        high = float("inf")
    return call("ops.clip", site.same(), low, high)


def _relu(site: KerasSite) -> Expression:
    return applied(site.layer("Activation", '"relu"'), site.same())


def _hard_sigmoid(site: KerasSite) -> Expression:
    constants = hard_sigmoid_constants(site)
    if constants is None:
        return applied(site.layer("Activation", '"hard_sigmoid"'), site.same())
    alpha, beta = map(literal, constants)
    return call("ops.clip", f"{site.same()} * {alpha} + {beta}", 0.0, 1.0)


def _gelu(site: KerasSite) -> Expression:
    if site.attribute("approximate", "none") == "tanh":
        return call("ops.gelu", site.same(), approximate=True)
    return call("ops.gelu", site.same(), approximate=False)


def _selu(site: KerasSite) -> Expression:
    constants = selu_constants(site)
    if constants is None:
        return applied(site.layer("Activation", '"selu"'), site.same())
    alpha, gamma = map(literal, constants)
    return f"ops.elu({site.same()}, {alpha}) * {gamma}"


def _swish(site: KerasSite) -> Expression:
    alpha, x = shortest(site.attribute("alpha", 1.0)), site.same()
    if alpha == 1:
        return applied(site.layer("Activation", '"silu"'), x)
    return f"{x} * ops.sigmoid({x} * {literal(alpha)})"


def _softmax(function: str, site: KerasSite) -> Expression:
    axis = site.axis_of(site.attribute("axis", -1))
    # There is no layer of this.
    if function == "log_softmax":
        return call("ops.log_softmax", site.same(), axis=axis)
    return applied(site.layer("Softmax", axis=unusual(axis, site.rank() - 1)), site.same())


def _dropout(site: KerasSite) -> Expression:
    if site.has(2) and site.number(2):
        raise site.no("it drops even when it infers (training_mode)")
    rate = site.number(1)
    if rate is None:
        rate = 0.5
    return applied(site.layer("Dropout", shortest(float(rate))), site.same())


def _cast(site: KerasSite) -> Expression:
    dtype, value = dtype_of(site.attribute("to")), site.value()
    if value is not None and value.dtype == dtype:
        return site.same()
    if dtype.name not in (
        "bool",
        "float32",
        "float64",
        "int64",
        "int32",
        "uint8",
        "float16",
        "bfloat16",
        "int8",
        "int16",
    ):
        raise site.no(f"{dtype.name} is no dtype of Keras")
    return call("ops.cast", site.same(), f'"{dtype.name}"')


def _reduce(function: str, site: KerasSite) -> Expression:
    source, axis, keep = site.reduced()
    return call(f"ops.{function}", source, axis=axis, keepdims=unusual(bool(keep), False))


def _position(function: str, site: KerasSite) -> Expression:
    if site.attribute("select_last_index", 0):
        raise site.no("it takes the last of equals (select_last_index=1)")
    position = call(
        f"ops.{function}",
        site.first(),
        axis=site.attribute("axis", 0),
        keepdims=unusual(bool(site.attribute("keepdims", 1)), False),
    )
    return call("ops.cast", site.temporary(position), '"int64"')


def _einsum(site: KerasSite) -> Expression:
    equation = site.attribute("equation").replace(" ", "")
    if not set(equation) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.->"):
        raise site.no("its equation has other signs than letters, commas, dots and an arrow")
    return call("ops.einsum", f'"{equation}"', *(site.first(i) for i in range(len(site))))


FUNCTIONS: dict[str, Callable[[KerasSite], Expression | list[Expression] | Several]] = {
    **{name: partial(_unary, function) for name, function in UNARY.items()},
    **{name: partial(_activation, function) for name, function in ACTIVATIONS.items()},
    **{name: partial(_binary, function) for name, function in BINARY.items()},
    **{name: partial(_reduce, function) for name, function in REDUCTIONS.items()},
    **SHAPES,
    **POOLING,
    "ArgMax": partial(_position, "argmax"),
    "ArgMin": partial(_position, "argmin"),
    "Cast": _cast,
    "Celu": lambda site: call("ops.celu", site.same(), shortest(site.attribute("alpha", 1.0))),
    "Clip": _clip,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Elu": partial(_layer, "ELU", {"alpha": ("alpha", 1.0)}),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _identity,
    "LeakyRelu": partial(_layer, "LeakyReLU", {"negative_slope": ("alpha", 0.01)}),
    "LogSoftmax": partial(_softmax, "log_softmax"),
    "Pow": lambda site: call("ops.power", *site.power()),
    "Relu": _relu,
    "Selu": _selu,
    "Softmax": partial(_softmax, "softmax"),
    "Swish": _swish,
    "Where": _where,
}
