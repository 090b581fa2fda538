"""JAX's functions: operators without weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from allotrope.conversion.core.constants import hard_sigmoid_constants, selu_constants
from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.source import Expression, call, literal, shortest
from allotrope.conversion.core.statement import Several
from allotrope.conversion.jax.moving import SHAPES
from allotrope.conversion.jax.pooling import POOLING
from allotrope.conversion.jax.site import JaxSite
from allotrope.operators.elementwise import dtype_of

UNARY = {
    "Abs": "jnp.abs", "Acos": "jnp.arccos", "Acosh": "jnp.arccosh", "Asin": "jnp.arcsin",
    "Asinh": "jnp.arcsinh", "Atan": "jnp.arctan", "Atanh": "jnp.arctanh", "Ceil": "jnp.ceil",
    "Cos": "jnp.cos", "Cosh": "jnp.cosh", "Erf": "jax.scipy.special.erf", "Exp": "jnp.exp",
    "Floor": "jnp.floor", "HardSwish": "jax.nn.hard_swish", "IsNaN": "jnp.isnan",
    "Log": "jnp.log", "Mish": "jax.nn.mish", "Neg": "jnp.negative", "Not": "jnp.logical_not",
    "Reciprocal": "jnp.reciprocal", "Relu": "jax.nn.relu", "Round": "jnp.round",
    "Sigmoid": "jax.nn.sigmoid", "Sign": "jnp.sign", "Sin": "jnp.sin", "Sinh": "jnp.sinh",
    "Softplus": "jax.nn.softplus", "Softsign": "jax.nn.soft_sign", "Sqrt": "jnp.sqrt",
    "Tan": "jnp.tan", "Tanh": "jnp.tanh",
}  # fmt: skip
BINARY = {
    "Add": "+", "And": "&", "Div": "/", "Equal": "==", "Greater": ">", "GreaterOrEqual": ">=",
    "Less": "<", "LessOrEqual": "<=", "Mul": "*", "Or": "|", "Sub": "-", "Sum": "+", "Xor": "^",
}  # fmt: skip
REDUCTIONS = {
    "ReduceL1": "jnp.abs({}).sum", "ReduceMax": "{}.max", "ReduceMean": "{}.mean",
    "ReduceMin": "{}.min", "ReduceProd": "{}.prod", "ReduceSum": "{}.sum",
    "ReduceSumSquare": "jnp.square({}).sum",
}  # fmt: skip


def _unary(function: str, site: JaxSite) -> Expression:
    return call(function, site.same())


def _binary(sign: str, site: JaxSite) -> Expression:
    if sign == "/" and not site.is_float(0):
        raise site.no("its integers divide toward zero")
    return f" {sign} ".join(site.operands())


def _fold(function: str, site: JaxSite) -> Expression:
    first, *others = site.operands()
    # Each step is a line of its own; only the last is the expression itself.
    for other in others[:-1]:
        first = site.temporary(call(function, first, other))
    if others:
        return call(function, first, others[-1])
    return first


def _mean(site: JaxSite) -> Expression:
    return f"({' + '.join(site.operands())}) / {len(site)}"


def _modulo(site: JaxSite) -> Expression:
    function = "jnp.mod"
    if site.attribute("fmod", 0):
        function = "jnp.fmod"
    return call(function, *site.operands())


def _identity(site: JaxSite) -> Expression:
    return site.same()


def _clip(site: JaxSite) -> Expression:
    low, high = site.number(1), site.number(2)
    if (low, high) == (0, 6):
        return call("jax.nn.relu6", site.same())
    if (low, high) != (None, None):
        return call("jnp.clip", site.same(), low, high)
    return site.same()


def _with_alpha(function: str, usual: float, site: JaxSite) -> Expression:
    alpha = shortest(site.attribute("alpha", usual))
    if alpha == usual:
        return call(function, site.same())
    return call(function, site.same(), alpha)


def _selu(site: JaxSite) -> Expression:
    constants = selu_constants(site)
    if constants is None:
        return call("jax.nn.selu", site.same())
    alpha, gamma = map(literal, constants)
    return f"{gamma} * jax.nn.elu({site.same()}, {alpha})"


def _hard_sigmoid(site: JaxSite) -> Expression:
    constants = hard_sigmoid_constants(site)
    if constants is None:
        return call("jax.nn.hard_sigmoid", site.same())
    alpha, beta = map(literal, constants)
    return call("jnp.clip", f"{alpha} * {site.same()} + {beta}", 0, 1)


def _gelu(site: JaxSite) -> Expression:
    return call(
        "jax.nn.gelu", site.same(), approximate=site.attribute("approximate", "none") == "tanh"
    )


def _swish(site: JaxSite) -> Expression:
    alpha, x = shortest(site.attribute("alpha", 1.0)), site.same()
    if alpha == 1:
        return call("jax.nn.silu", x)
    return f"{x} * jax.nn.sigmoid({literal(alpha)} * {x})"


def _softmax(function: str, site: JaxSite) -> Expression:
    axis = site.axis_of(site.attribute("axis", -1))
    return call(function, site.same(), axis=unusual(axis, site.rank() - 1))


def _dropout(site: JaxSite) -> Expression:
    if site.has(2) and site.number(2):
        raise site.no("it drops even when it infers (training_mode)")
    rate = site.number(1)
    if rate is None:
        rate = 0.5
    return call(site.layer("Dropout", shortest(float(rate))), site.same())


def _cast(site: JaxSite) -> Expression:
    dtype, value = dtype_of(site.attribute("to")), site.value()
    if value is not None and value.dtype == dtype:
        return site.same()
    if dtype.name not in (
        "bool",
        "float32",
        "int64",
        "int32",
        "uint8",
        "float16",
        "bfloat16",
        "int8",
        "int16",
    ):
        raise site.no(f"{dtype.name} is no dtype that JAX has by itself")
    name = f"jnp.{dtype.name}"
    if dtype.name == "bool":
        name = "bool"
    return f"{site.same()}.astype({name})"


def _reduce(template: str, site: JaxSite) -> Expression:
    source, axis, keep = site.reduced()
    return call(template.format(source), axis, keepdims=unusual(bool(keep), False))


def _position(function: str, site: JaxSite) -> Expression:
    if site.attribute("select_last_index", 0):
        raise site.no("it takes the last of equals (select_last_index=1)")
    return call(
        function,
        site.first(),
        axis=site.attribute("axis", 0),
        keepdims=unusual(bool(site.attribute("keepdims", 1)), False),
    )


def _einsum(site: JaxSite) -> Expression:
    equation = site.attribute("equation").replace(" ", "")
    # An equation goes into the source as it is: nothing but letters may.
    if not set(equation) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.->"):
        raise site.no("its equation has other signs than letters, commas, dots and an arrow")
    return call("jnp.einsum", f'"{equation}"', *(site.first(i) for i in range(len(site))))


def _where(site: JaxSite) -> Expression:
    """Two numbers have no dtype of their own: one of them is an array then."""
    condition, first, second = site.operands()
    known = [(site.known(position), text) for position, text in ((1, first), (2, second))]
    are_numbers = all(
        array is not None and text == site.layers.number(array) for array, text in known
    )
    if are_numbers:
        first = site.tensor(1)
    return call("jnp.where", condition, first, second)


FUNCTIONS: dict[str, Callable[[JaxSite], Expression | list[Expression] | Several]] = {
    **{name: partial(_unary, function) for name, function in UNARY.items()},
    **{name: partial(_binary, sign) for name, sign in BINARY.items()},
    **{name: partial(_reduce, template) for name, template in REDUCTIONS.items()},
    **SHAPES,
    **POOLING,
    "ArgMax": partial(_position, "jnp.argmax"),
    "ArgMin": partial(_position, "jnp.argmin"),
    "Cast": _cast,
    "Celu": partial(_with_alpha, "jax.nn.celu", 1.0),
    "Clip": _clip,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Elu": partial(_with_alpha, "jax.nn.elu", 1.0),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _identity,
    "LeakyRelu": partial(_with_alpha, "jax.nn.leaky_relu", 0.01),
    "LogSoftmax": partial(_softmax, "jax.nn.log_softmax"),
    "Max": partial(_fold, "jnp.maximum"),
    "Mean": _mean,
    "Min": partial(_fold, "jnp.minimum"),
    "Mod": _modulo,
    "Pow": lambda site: call("jnp.power", *site.power()),
    "Selu": _selu,
    "Softmax": partial(_softmax, "jax.nn.softmax"),
    "Swish": _swish,
    "Where": _where,
}
