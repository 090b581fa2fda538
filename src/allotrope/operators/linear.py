"""Matrix products."""

from __future__ import annotations

from typing import Any

from allotrope.operators.operator_table import operator


@operator("MatMul")
def matmul(p: Any, x: Any, y: Any) -> Any:
    """Matrix product, as numpy.matmul."""
    return p.matmul(x, y)


@operator("Gemm")
def gemm(
    p: Any,
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    """alpha * A B + beta * C, with A and B as matrices that may be transposed."""
    if transA:
        a = p.transpose(a, (1, 0))
    if transB:
        b = p.transpose(b, (1, 0))
    # The usual case, for which every framework has one kernel with the sum in it.
    if c is not None and alpha == 1.0 and beta == 1.0:
        return p.linear(a, b, c)
    product = p.matmul(a, b)
    if alpha != 1.0:
        product = p.multiply(product, alpha)
    if c is None:
        return product
    if beta != 1.0:
        c = p.multiply(c, beta)
    return p.add(product, c)


@operator("Dense", domain="allotrope")
def dense(p: Any, x: Any, weight: Any, bias: Any) -> Any:
    """x [..., k] times weight [k, m], plus bias [m]."""
    return p.linear(x, weight, bias)


@operator("Einsum")
def einsum(p: Any, *arrays: Any, equation: str) -> Any:
    """Sum of products by an equation, as numpy.einsum."""
    return p.einsum(equation.replace(" ", ""), *arrays)


@operator("Det")
def determinant(p: Any, x: Any) -> Any:
    """The determinants of x [..., m, m]."""
    return p.determinant(x)
