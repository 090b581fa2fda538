"""PyTorch's functions: operators without weights, each in a line as it is usually written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from allotrope.conversion.core.constants import hard_sigmoid_constants, selu_constants
from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.source import Expression, call, literal, shortest
from allotrope.conversion.core.statement import Several
from allotrope.conversion.pytorch.moving import SHAPES
from allotrope.conversion.pytorch.pooling import POOLING
from allotrope.conversion.pytorch.reductions import REDUCING
from allotrope.conversion.pytorch.site import PyTorchSite, dtype_name
from allotrope.operators.elementwise import dtype_of

UNARY = {
    "Abs": "torch.abs", "Acos": "torch.acos", "Acosh": "torch.acosh", "Asin": "torch.asin",
    "Asinh": "torch.asinh", "Atan": "torch.atan", "Atanh": "torch.atanh", "Ceil": "torch.ceil",
    "Cos": "torch.cos", "Cosh": "torch.cosh", "Erf": "torch.erf", "Exp": "torch.exp",
    "Floor": "torch.floor", "HardSwish": "F.hardswish", "IsNaN": "torch.isnan",
    "Log": "torch.log", "Mish": "F.mish", "Neg": "torch.neg", "Not": "torch.logical_not",
    "Reciprocal": "torch.reciprocal", "Relu": "F.relu", "Round": "torch.round",
    "Sigmoid": "torch.sigmoid", "Sign": "torch.sign", "Sin": "torch.sin", "Sinh": "torch.sinh",
    "Softplus": "F.softplus", "Softsign": "F.softsign", "Sqrt": "torch.sqrt", "Tan": "torch.tan",
    "Tanh": "torch.tanh",
}  # fmt: skip
BINARY = {
    "Add": "+", "And": "&", "BitwiseAnd": "&", "BitwiseOr": "|", "BitwiseXor": "^", "Div": "/",
    "Equal": "==", "Greater": ">", "GreaterOrEqual": ">=", "Less": "<", "LessOrEqual": "<=",
    "Mul": "*", "Or": "|", "Sub": "-", "Xor": "^",
}  # fmt: skip


def _unary(function: str, site: PyTorchSite) -> Expression:
    return call(function, site.tensor())


def operands(site: PyTorchSite) -> list[str]:
    """All inputs.

    A constant of one number is written out if that does not change the number of axes.
    """
    # Python numbers have no axes and no dtype: PyTorch then keeps that of the tensor.
    shapes = [site.shape(i) or () for i in range(len(site))]
    texts = []
    for position in range(len(site)):
        known = site.known(position)
        others = [
            len(shape) for i, shape in enumerate(shapes) if i != position and site.known(i) is None
        ]
        if known is not None and known.size == 1 and known.ndim <= max(others, default=0):
            texts.append(site.input(position))
        else:
            texts.append(site.tensor(position))
    return texts


def _binary(sign: str, site: PyTorchSite) -> Expression:
    first, second = operands(site)
    return f"{first} {sign} {second}"


def _divide(site: PyTorchSite) -> Expression:
    first, second = operands(site)
    if site.is_float(0):
        return f"{first} / {second}"
    return call("torch.div", first, second, rounding_mode='"trunc"')


def _modulo(site: PyTorchSite) -> Expression:
    function = "torch.remainder"
    if site.attribute("fmod", 0):
        function = "torch.fmod"
    return call(function, *operands(site))


def _power(site: PyTorchSite) -> Expression:
    exponent = site.known(1)
    if (
        exponent is not None
        and exponent.size == 1
        and exponent.reshape(-1)[0] == 2
        and exponent.ndim <= site.rank()
    ):
        return call("torch.square", site.tensor())
    value, other = site.value(), site.value(1)
    if value is not None and other is not None and value.dtype != other.dtype and exponent is None:
        return f"torch.pow({', '.join(operands(site))}).to({dtype_name(value.dtype)})"
    return call("torch.pow", *operands(site))


def _extreme(name: str, side: str, site: PyTorchSite) -> Expression:
    """Max and Min of any number of inputs; with a number it is a clamp."""
    first, *others = operands(site)
    known = [site.known(i) for i in range(len(site))]
    numbers = [
        text
        for text, array in zip((first, *others), known, strict=True)
        if array is not None and text == site.layers.number(array)
    ]
    if len(others) == 1 and len(numbers) == 1:
        if first in numbers:
            tensor = others[0]
        else:
            tensor = first
        return call("torch.clamp", tensor, **{side: numbers[0]})
    for other in others[:-1]:
        first = site.temporary(call(f"torch.{name}", first, other))
    if others:
        return call(f"torch.{name}", first, others[-1])
    return first


def _sum(site: PyTorchSite) -> Expression:
    return " + ".join(operands(site))


def _mean(site: PyTorchSite) -> Expression:
    if len(site) > 1:
        return f"({' + '.join(operands(site))}) / {len(site)}"
    return site.tensor()


def _identity(site: PyTorchSite) -> Expression:
    return site.tensor()


def _where(site: PyTorchSite) -> Expression:
    return call(
        "torch.where", site.tensor(0), _number_or_tensor(site, 1), _number_or_tensor(site, 2)
    )


def _number_or_tensor(site: PyTorchSite, position: int) -> str:
    known = site.known(position)
    if known is not None and known.ndim == 0:
        return site.input(position)
    return site.tensor(position)


def _clip(site: PyTorchSite) -> Expression:
    # Bounds that are numbers can be written out; relu6 is one that has a name.
    if all(site.known(i) is not None or not site.has(i) for i in (1, 2)):
        low, high = site.number(1), site.number(2)
        if (low, high) == (0, 6):
            return call("F.relu6", site.tensor())
        if (low, high) != (None, None):
            return call("torch.clamp", site.tensor(), min=low, max=high)
        return site.tensor()
    bounds = {name: site.tensor(i) for name, i in (("min", 1), ("max", 2)) if site.has(i)}
    return call("torch.clamp", site.tensor(), **bounds)


def _with_alpha(function: str, usual: float, site: PyTorchSite) -> Expression:
    """An activation whose one constant is ONNX's alpha; both have the same default."""
    alpha = shortest(site.attribute("alpha", usual))
    if alpha == usual:
        return call(function, site.tensor())
    return call(function, site.tensor(), alpha)


def _selu(site: PyTorchSite) -> Expression:
    constants = selu_constants(site)
    if constants is None:
        return call("F.selu", site.tensor())
    alpha, gamma = map(literal, constants)
    return f"{gamma} * F.elu({site.tensor()}, {alpha})"


def _hard_sigmoid(site: PyTorchSite) -> Expression:
    constants = hard_sigmoid_constants(site)
    if constants is None:
        return call("F.hardsigmoid", site.tensor())
    alpha, beta = map(literal, constants)
    return call("torch.clamp", f"{alpha} * {site.tensor()} + {beta}", min=0, max=1)


def _gelu(site: PyTorchSite) -> Expression:
    approximate = site.attribute("approximate", "none")
    return call("F.gelu", site.tensor(), approximate=unusual(f'"{approximate}"', '"none"'))


def _swish(site: PyTorchSite) -> Expression:
    alpha, x = shortest(site.attribute("alpha", 1.0)), site.tensor()
    if alpha == 1:
        return call("F.silu", x)
    return f"{x} * torch.sigmoid({literal(alpha)} * {x})"


def _thresholded_relu(site: PyTorchSite) -> Expression:
    return call("F.threshold", site.tensor(), shortest(site.attribute("alpha", 1.0)), 0.0)


def _softmax(function: str, site: PyTorchSite) -> Expression:
    if (value := site.value()) is not None and value.dtype == np.float16:
        raise site.no("PyTorch rounds float16 only at its end")
    return call(function, site.tensor(), dim=site.attribute("axis", -1))


def _dropout(site: PyTorchSite) -> Expression:
    if site.has(2) and site.number(2):
        raise site.no("it drops even when it infers (training_mode)")
    rate = site.number(1)
    if rate is None:
        rate = 0.5
    return call("F.dropout", site.tensor(), shortest(float(rate)), "self.training")


def _cast(site: PyTorchSite) -> Expression:
    dtype = dtype_of(site.attribute("to"))
    value, name = site.value(), np.dtype(dtype).name
    if value is not None and value.dtype == dtype:
        return site.tensor()
    if name not in (
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
        raise site.no(f"{name} is no ordinary dtype in PyTorch")
    # As people write it.
    short = {"float32": "float", "int64": "long", "bool": "bool"}.get(name)
    if short:
        return f"{site.tensor()}.{short}()"
    return f"{site.tensor()}.to({dtype_name(dtype)})"


def _einsum(site: PyTorchSite) -> Expression:
    equation = site.attribute("equation").replace(" ", "")
    if not set(equation) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.->"):
        raise site.no("its equation has other signs than letters, commas, dots and an arrow")
    return call("torch.einsum", f'"{equation}"', *(site.tensor(i) for i in range(len(site))))


def _lp_normalization(site: PyTorchSite) -> Expression:
    order = float(site.attribute("p", 2))
    return call(
        "F.normalize",
        site.tensor(),
        p=unusual(order, 2),
        dim=site.attribute("axis", -1),
    )


def _local_response(site: PyTorchSite) -> Expression:
    size = site.attribute("size")
    if size % 2 == 0:
        raise site.no("PyTorch centres an even number of channels differently")
    constants = [
        shortest(site.attribute(name, usual))
        for name, usual in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    ]
    return call(
        "F.local_response_norm",
        site.tensor(),
        size,
        alpha=constants[0],
        beta=constants[1],
        k=constants[2],
    )


def _attention(site: PyTorchSite) -> Expression:
    if (
        len(site.shape() or ()) != 4
        or any(site.has(i) for i in (4, 5, 6))
        or site.attribute("softcap", 0.0)
    ):
        raise site.no(
            "torch's scaled_dot_product_attention takes q, k, v [n, h, length, d] and a mask, "
            "without a past or soft cap"
        )
    if (
        any(site.attribute(f"{side}_window_size", -1) >= 0 for side in ("left", "right"))
        or site.attribute("softmax_precision") is not None
    ):
        raise site.no(
            "torch's scaled_dot_product_attention has no windows and no precision of its own"
        )
    if (value := site.value()) is not None and value.dtype == np.float16:
        raise site.no("torch's scaled_dot_product_attention rounds float16 only at its end")
    if site.attribute("is_causal", 0) and site.has(3):
        raise site.no("torch's scaled_dot_product_attention takes a mask or is causal")
    heads, groups = (site.shape() or ())[1], (site.shape(1) or (None, None))[1]
    options: dict[str, Any] = {}
    if site.has(3):
        options["attn_mask"] = site.tensor(3)
    if site.attribute("is_causal", 0):
        options["is_causal"] = True
    if site.attribute("scale") is not None:
        options["scale"] = shortest(site.attribute("scale"))
    if heads != groups:
        options["enable_gqa"] = True
    return call("F.scaled_dot_product_attention", *(site.tensor(i) for i in range(3)), **options)


FUNCTIONS: dict[str, Callable[[PyTorchSite], Expression | Several]] = {
    **{name: partial(_unary, function) for name, function in UNARY.items()},
    **{name: partial(_binary, sign) for name, sign in BINARY.items()},
    **REDUCING,
    **SHAPES,
    **POOLING,
    "Attention": _attention,
    "Cast": _cast,
    "Celu": partial(_with_alpha, "F.celu", 1.0),
    "Clip": _clip,
    "Div": _divide,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Elu": partial(_with_alpha, "F.elu", 1.0),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _identity,
    "LRN": _local_response,
    "LeakyRelu": partial(_with_alpha, "F.leaky_relu", 0.01),
    "LogSoftmax": partial(_softmax, "F.log_softmax"),
    "LpNormalization": _lp_normalization,
    "Max": partial(_extreme, "maximum", "min"),
    "Mean": _mean,
    "Min": partial(_extreme, "minimum", "max"),
    "Mod": _modulo,
    "Pow": _power,
    "Selu": _selu,
    "Softmax": partial(_softmax, "F.softmax"),
    "Sum": _sum,
    "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu,
    "Where": _where,
}
