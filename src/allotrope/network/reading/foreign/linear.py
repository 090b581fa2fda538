"""Products and convolutions, joined with their neighbours, or with weights of few bits."""

from __future__ import annotations

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.reading.foreign.activations import activated
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("FusedMatMul")
def fused_matmul(
    w: Writer,
    a: str,
    b: str,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> str:
    """alpha A B, either with its last axes swapped, or its first behind those of the batch."""
    a, b = _turned(w, a, transA, transBatchA), _turned(w, b, transB, transBatchB)
    y = w.add("MatMul", a, b)
    if alpha == 1:
        return y
    return w.add("Mul", y, w.number(alpha, a))


@foreign("TransposeMatMul")
def transpose_matmul(
    w: Writer, a: str, b: str, *, alpha: float = 1.0, transA: int = 0, transB: int = 0
) -> str:
    """alpha A B, either of them with its last two axes swapped."""
    return fused_matmul(w, a, b, alpha=alpha, transA=transA, transB=transB)


@foreign("FusedMatMulActivation")
def fused_matmul_activation(
    w: Writer,
    a: str,
    b: str,
    *,
    activation: str,
    activation_alpha: float = 0.0,
    activation_beta: float = 0.0,
    activation_gamma: float = 0.0,
    activation_axis: int = 0,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> str:
    """FusedMatMul and an activation."""
    y = fused_matmul(
        w,
        a,
        b,
        alpha=alpha,
        transA=transA,
        transB=transB,
        transBatchA=transBatchA,
        transBatchB=transBatchB,
    )
    return activated(w, y, activation, _of(activation, activation_alpha, activation_beta))


def _turned(w: Writer, x: str, swap: int, batch: int) -> str:
    if batch:
        rank = w.rank(x)
        x = w.add("Transpose", x, perm=(*range(1, rank - 1), 0, rank - 1))
        # Moving an axis keeps the rank, which is not known of the moved value yet.
        if swap:
            return w.add("Transpose", x, perm=(*range(rank - 2), rank - 1, rank - 2))
        return x
    if swap:
        return w.swapped(x)
    return x


def _of(activation: str, alpha: float, beta: float) -> tuple[float, ...]:
    """The parameters of an activation among those that a node brings for any."""
    return {
        "LeakyRelu": (alpha,),
        "Elu": (alpha,),
        "ThresholdedRelu": (alpha,),
        "HardSigmoid": (alpha, beta),
        "Clip": (alpha, beta),
    }.get(activation, ())


@foreign("FusedGemm")
def fused_gemm(
    w: Writer,
    a: str,
    b: str,
    c: str | None = None,
    *,
    activation: str = "",
    activation_alpha: float = 0.0,
    activation_beta: float = 0.0,
    activation_gamma: float = 0.0,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> str:
    """Gemm and an activation."""
    y = w.add("Gemm", a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    return activated(w, y, activation, _of(activation, activation_alpha, activation_beta))


@foreign("GemmFastGelu")
def gemm_fast_gelu(w: Writer, x: str, weight: str, bias: str | None = None) -> str:
    """Gelu by its approximation with tanh, of x W + bias."""
    y = w.add("MatMul", x, weight)
    if bias:
        y = w.add("Add", y, bias)
    return w.add("Gelu", y, approximate="tanh")


@foreign("FusedConv")
def fused_convolution(
    w: Writer,
    x: str,
    weight: str,
    bias: str | None = None,
    added: str | None = None,
    *,
    activation: str = "",
    activation_params: tuple[float, ...] = (),
    auto_pad: str = "NOTSET",
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """Conv, something added, and an activation."""
    y = w.add(
        "Conv",
        x,
        weight,
        bias,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    if added:
        y = w.add("Add", y, added)
    return activated(w, y, activation, activation_params)


@foreign("ConvTransposeWithDynamicPads")
def transposed_convolution(
    w: Writer,
    x: str,
    weight: str,
    pads: str | None = None,
    bias: str | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    output_padding: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """ConvTranspose whose pads are an input."""
    padding = None
    if pads:
        padding = tuple(int(pad) for pad in w.fixed(pads, "pads").reshape(-1))
    return w.add(
        "ConvTranspose",
        x,
        weight,
        bias,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        output_padding=output_padding,
        pads=padding,
        strides=strides,
    )


@foreign("CDist")
def distances(w: Writer, a: str, b: str, *, metric: str = "sqeuclidean") -> str:
    """The distance of each row of A [m, k] to each of B [n, k]: [m, n]."""
    difference = w.add("Sub", w.add("Unsqueeze", a, w.ints(1)), w.add("Unsqueeze", b, w.ints(0)))
    if metric not in ("sqeuclidean", "euclidean"):
        raise UnsupportedError(f"its metric '{metric}' is not known")
    operator = "ReduceL2"
    if metric == "sqeuclidean":
        operator = "ReduceSumSquare"
    return w.add(operator, difference, w.ints(2), keepdims=0)


@foreign("TorchEmbedding")
def embedding(
    w: Writer,
    weight: str,
    indices: str,
    padding: str | None = None,
    by_frequency: str | None = None,
) -> str:
    """Rows of a table. Which of them is padding says only that it does not learn."""
    return w.add("Gather", weight, indices)


@foreign("MatMulNBits")
def matmul_with_few_bits(
    w: Writer,
    x: str,
    packed: str,
    scales: str,
    zero_points: str | None = None,
    order: str | None = None,
    bias: str | None = None,
    *,
    K: int,
    N: int,
    block_size: int,
    bits: int = 4,
    accuracy_level: int = 0,
    weight_prepacked: int = 0,
) -> str:
    """x W + bias. W's columns are blocks, each with a scale and a zero point, packed into bytes."""
    if order or weight_prepacked or bits not in (2, 4, 8):
        raise UnsupportedError("only weights of 2, 4 or 8 bits in their own order are understood")
    blocks = -(-K // block_size)
    integers = _unpacked(w.fixed(packed, "weight").reshape(N, -1), bits)[
        :, : blocks * block_size
    ].reshape(N, blocks, block_size)
    scale = w.fixed(scales, "scales").reshape(N, blocks, 1)
    middle = np.full((N, blocks, 1), 2 ** (bits - 1), np.float32)
    if zero_points:
        zeros = w.fixed(zero_points, "zero points")
        if zeros.dtype == np.uint8:
            zeros = _unpacked(zeros.reshape(N, -1), bits)[:, :blocks]
        middle = zeros.reshape(N, blocks, 1)
    weight = (
        (integers.astype(np.float32) - middle.astype(np.float32)) * scale.astype(np.float32)
    ).reshape(N, -1)[:, :K]
    if weight.shape != (N, K):
        raise ModelError(f"its weight has {weight.shape[1]} numbers a column, expected {K}")
    name = w.constant(np.ascontiguousarray(weight.T).astype(scale.dtype), name="weight")
    y = w.add("MatMul", x, name)
    if bias:
        return w.add("Add", y, bias)
    return y


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """Bytes as the whole numbers that they hold, the lowest bits first: [rows, count]."""
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, -1).reshape(len(packed), -1)
