"""Convolution, pooling and normalization in TensorFlow, over x [n, *spatial, c].

What its CPU kernels cannot differentiate is put together from what they can: groups are split,
dilation goes by way of batches, transposed convolution spreads its kernel; poolings are separable
and go axis by axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from allotrope.errors import UnsupportedError
from allotrope.frameworks.neural import outgrows
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.kernels import kernel, stored

Tensor = Any
Pads = Sequence[tuple[int, int]]


def to_last(x: Tensor) -> Tensor:
    """x [n, c, *spatial] as [n, *spatial, c]."""
    rank = x.shape.rank
    return tf.transpose(x, (0, *range(2, rank), 1))


def to_first(y: Tensor) -> Tensor:
    """y [n, *spatial, c] as [n, c, *spatial]."""
    rank = y.shape.rank
    return tf.transpose(y, (0, rank - 1, *range(1, rank - 1)))


def padded(y: Tensor, pads: Pads, value: Any = 0) -> Tensor:
    """y [n, *spatial, c] with more at the ends of its spatial axes; negative pads cut."""
    if any(n < 0 for pair in pads for n in pair):
        cuts = [
            slice(max(0, -a), length - max(0, -b))
            for length, (a, b) in zip(y.shape[1:-1], pads, strict=True)
        ]
        y = y[(slice(None), *cuts, slice(None))]
    pads = [(max(0, a), max(0, b)) for a, b in pads]
    if not any(map(any, pads)):
        return y
    return tf.pad(y, [(0, 0), *pads, (0, 0)], constant_values=tf.constant(value, y.dtype))


def convolve(
    y: Tensor,
    weight: Tensor,
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
    groups: int,
    inferring: bool = False,
) -> Tensor:
    """Cross-correlation of y [n, *spatial, c] with weight [m, c / groups, *kernel]."""
    if y.shape[0] == 0:
        return convolve(_one_of_none(y), weight, strides, pads, dilations, groups, inferring)[:0]
    rank = y.shape.rank - 2
    if rank == 1:
        lifted = tf.expand_dims(y, 1), tf.expand_dims(weight, 2)
        return tf.squeeze(
            convolve(*lifted, (1, *strides), [(0, 0), *pads], (1, *dilations), groups, inferring), 1
        )
    if rank not in (2, 3):
        raise UnsupportedError(f"TensorFlow convolves over 1 to 3 spatial axes; this x has {rank}.")
    single = set(weight.shape[2:]) == {1}
    if single and not inferring and max(strides) > 1:
        # Its gradient for a kernel of one place and strides of 2 writes beyond its memory if there
        # are few channels (TensorFlow 2.21, on processors): what it passes over goes before.
        y = padded(y, pads)[(slice(None), *(slice(None, None, s) for s in strides))]
        strides, pads = (1,) * rank, [(0, 0)] * rank
    if groups == 1 and rank == 2 and not inferring and single and not any(map(any, pads)):
        return _pointwise(y, weight)
    if all(d == 1 for d in dilations):
        return _grouped(y, weight, strides, pads, groups, inferring)
    whole = tf.nn.with_space_to_batch(
        padded(y, pads),
        list(dilations),
        "VALID",
        lambda part, *_: _grouped(part, weight, (1,) * rank, [(0, 0)] * rank, groups, inferring),
    )
    return whole[(slice(None), *(slice(None, None, s) for s in strides))]


def _one_of_none(y: Tensor) -> Tensor:
    """One example of zeros from a batch of none.

    For none TensorFlow's kernels give wrong shapes, or gradients of wrong shapes.
    """
    return tf.pad(y, [(0, 1), *[(0, 0)] * (y.shape.rank - 1)])


def _pointwise(y: Tensor, weight: Tensor) -> Tensor:
    """A 1x1 convolution as a product of matrices, whose gradient is faster.

    That of a convolution is joined with what follows it.
    """
    n, h, w, c = y.shape
    m, pixels, held = weight.shape[0], tf.reshape(y, (n * h * w, c)), stored(weight)
    if held is None:
        product = tf.matmul(pixels, tf.reshape(weight, (m, c)), transpose_b=True)
    else:
        product = tf.matmul(pixels, tf.reshape(held, (c, m)))
    return tf.reshape(product, (n, h, w, m))


def _grouped(
    y: Tensor, weight: Tensor, strides: Sequence[int], pads: Pads, groups: int, inferring: bool
) -> Tensor:
    if groups == 1:
        return _dense(y, kernel(weight), strides, pads)
    if weight.shape[1] == 1 and y.shape.rank == 4:
        return _depthwise(y, weight, strides, pads, inferring)
    parts = zip(tf.split(y, groups, -1), tf.split(kernel(weight), groups, -1), strict=True)
    return tf.concat([_dense(part, w, strides, pads) for part, w in parts], -1)


def _dense(y: Tensor, kernel: Tensor, strides: Sequence[int], pads: Pads) -> Tensor:
    if y.shape.rank == 5:
        return tf.nn.conv3d(padded(y, pads), kernel, [1, *strides, 1], "VALID")
    # conv2d knows pads as numbers too, but has a slow gradient with them.
    padding, rest = _padding(y.shape[1:-1], kernel.shape, strides, pads)
    if y.dtype == tf.bfloat16 and outgrows(kernel.shape[:2], (1, 1), y.shape[1:-1]):
        padding, rest = "VALID", pads
    return tf.nn.conv2d(padded(y, rest), kernel, list(strides), padding)


def _padding(
    lengths: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Pads
) -> tuple[str, Pads]:
    """Pads by name and what is left of them: nothing if a name means just them.

    Else they are as long as a window reaches.
    """
    named, reached = [], []
    for n, k, s, (before, after) in zip(lengths, kernel, strides, pads, strict=False):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        named.append((total // 2, total - total // 2))
        end = (n + before + after - k) // s * s + k
        reached.append((before, min(after, max(0, end - n - before))))
    same = [tuple(pair) for pair in pads] == named
    if same:
        return "SAME", [(0, 0)] * len(pads)
    return "VALID", reached


def _depthwise(
    y: Tensor, weight: Tensor, strides: Sequence[int], pads: Pads, inferring: bool
) -> Tensor:
    """Each channel by itself; weight [m, 1, kh, kw], the m / c filters of a channel side by side.

    Pads are never given to the kernel as numbers: TensorFlow joins it with the bias behind it,
    loses them there, and ends the process when it infers the shape ("Invalid index from the
    dimension", TensorFlow 2.21).
    """
    filters = tf.reshape(kernel(weight), (*weight.shape[2:], y.shape[-1], -1))
    # The kernel has one stride for both axes.
    even = strides[0] == strides[1]
    steps: tuple[int, ...] = (1, 1)
    if even:
        steps = tuple(strides)
    padding, rest = _padding(y.shape[1:-1], filters.shape, steps, pads)
    if inferring and padding != "SAME" and steps[0] > 1:
        longer = [k + 1 for k in filters.shape[:2]]
        if _padding(y.shape[1:-1], longer, steps, pads)[0] == "SAME":
            # TensorFlow itself pads so for a kernel of one more place. A place of zeros costs less
            # than a longer copy of the image; in training its gradient would cost more.
            filters = tf.pad(filters, [(0, 1), (0, 1), (0, 0), (0, 0)])
            padding, rest = "SAME", [(0, 0), (0, 0)]
    whole = tf.nn.depthwise_conv2d(padded(y, rest), filters, [1, *steps, 1], padding)
    if even:
        return whole
    return whole[:, :: strides[0], :: strides[1]]


def convolve_transposed(
    y: Tensor, weight: Tensor, strides: Sequence[int], dilations: Sequence[int], groups: int
) -> Tensor:
    """The whole transposed convolution of y [n, *spatial, c] with weight [c, m, *kernel]."""
    if y.shape[0] == 0:
        return convolve_transposed(_one_of_none(y), weight, strides, dilations, groups)[:0]
    rank = y.shape.rank - 2
    if rank == 1:
        lifted = convolve_transposed(
            tf.expand_dims(y, 1), tf.expand_dims(weight, 2), (1, *strides), (1, *dilations), groups
        )
        return tf.squeeze(lifted, 1)
    if rank not in (2, 3):
        raise UnsupportedError(f"TensorFlow convolves over 1 to 3 spatial axes; this x has {rank}.")
    spread = _spread(kernel(weight), dilations)
    parts = zip(tf.split(y, groups, -1), tf.split(spread, groups, -1), strict=True)
    return tf.concat([_dense_transposed(part, k, strides) for part, k in parts], -1)


def _dense_transposed(y: Tensor, kernel: Tensor, strides: Sequence[int]) -> Tensor:
    """kernel: [*kernel, m, c], as TensorFlow has it for the convolution that is transposed."""
    n, *spatial, _ = y.shape
    lengths = [
        (length - 1) * s + k for length, s, k in zip(spatial, strides, kernel.shape, strict=False)
    ]
    run = tf.nn.conv3d_transpose
    if len(spatial) == 2:
        run = tf.nn.conv2d_transpose
    return run(y, kernel, [n, *lengths, kernel.shape[-2]], [1, *strides, 1], "VALID")


def _spread(kernel: Tensor, dilations: Sequence[int]) -> Tensor:
    """kernel [*kernel, a, b] with zeros between its places."""
    for axis, dilation in enumerate(dilations):
        if dilation > 1:
            shape = kernel.shape.as_list()
            # Each place becomes a row of its own, with zeros behind it; then all follow each other.
            widths = [(0, 0)] * (len(shape) + 1)
            widths[axis + 1] = 0, dilation - 1
            wide = tf.pad(tf.expand_dims(kernel, axis + 1), widths)
            shape[axis] *= dilation
            kernel = tf.reshape(wide, shape)
            kernel = tf.split(kernel, [shape[axis] - dilation + 1, dilation - 1], axis)[0]
    return kernel


def max_pool(y: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Largest of each window of y [n, *spatial, c], which is padded already."""
    return _pooled(tf.nn.max_pool2d, y, kernel, strides)


def average_pool(y: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Mean of each window of y [n, *spatial, c], which is padded already."""
    return _pooled(tf.nn.avg_pool2d, y, kernel, strides)


def _pooled(
    run: Callable[..., Tensor], y: Tensor, kernel: Sequence[int], strides: Sequence[int]
) -> Tensor:
    """Pooled over the last two spatial axes, then over the first of what is left, and so on."""
    n, *spatial, c = y.shape.as_list()
    if len(spatial) == 2:
        return run(y, list(kernel), list(strides), "VALID")
    if len(spatial) == 1:
        return tf.squeeze(run(tf.expand_dims(y, 2), [*kernel, 1], [*strides, 1], "VALID"), 2)
    inner = _pooled(run, tf.reshape(y, (n * spatial[0], *spatial[1:], c)), kernel[1:], strides[1:])
    rest = inner.shape.as_list()[1:-1]
    flat = tf.reshape(inner, (n, spatial[0], -1, c))
    outer = run(flat, [kernel[0], 1], [strides[0], 1], "VALID")
    return tf.reshape(outer, (n, outer.shape[1], *rest, c))


FUSED = (tf.float32, tf.bfloat16, tf.float16)
"""What TensorFlow's fused normalization takes; scale, offset and statistics are float32."""


def normalize_by_batch(
    y: Tensor, scale: Tensor, bias: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """y [n, h, w, c] by its own mean and population variance, and these two, without gradient.

    Not `tf.compat.v1.nn.fused_batch_norm`: that raises an epsilon below 1.001e-5.
    """
    none = tf.zeros((0,), tf.float32)
    scale, bias = tf.cast(scale, tf.float32), tf.cast(bias, tf.float32)
    normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=y, scale=scale, offset=bias, mean=none, variance=none, epsilon=epsilon, is_training=True
    )
    count = y.shape[0] * y.shape[1] * y.shape[2]
    # The kernel gives the unbiased variance, for which it divides by count - 1, or by 1 where that
    # is 0.
    return (
        normalized,
        tf.stop_gradient(mean),
        tf.stop_gradient(variance) * (max(count - 1, 1) / max(count, 1)),
    )


VECTOR = 4
"""The kernel takes so many channels at a time on CPUs; other numbers take 3 to 5 times as long."""


def fills_vectors(y: Tensor) -> bool:
    """Whether the fused kernel is fast for y [n, h, w, c]: on a GPU always."""
    return y.shape[-1] % VECTOR == 0 or bool(tf.config.list_logical_devices("GPU"))


def normalize_by_sums(
    y: Tensor, scale: Tensor, bias: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As `normalize_by_batch`, in single steps: twice as fast where channels fill no vectors.

    With the constant k = mean the variance is E[(y - k)^2] - (mean - k)^2, and what comes out is
    (y - k) * factor + bias - (mean - k) * factor: so the slope of the mean is one of [c], and not
    one more sum over all of y.
    """
    places = [0, 1, 2]
    wide = tf.cast(y, tf.float32)
    mean = tf.reduce_mean(wide, places)
    k = tf.stop_gradient(mean)
    centred = wide - k
    variance = tf.reduce_mean(tf.square(centred), places) - tf.square(mean - k)
    factor = tf.cast(scale, tf.float32) * tf.math.rsqrt(variance + epsilon)
    shift = tf.cast(bias, tf.float32) - (mean - k) * factor
    normalized = tf.cast(centred * factor + shift, y.dtype)
    return normalized, k, tf.stop_gradient(variance)


def normalize_by_state(
    y: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float
) -> Tensor:
    """y [n, h, w, c] by this mean and variance, in one kernel.

    TensorFlow joins it with the convolution before it. It knows no gradient of the mean and the
    variance.
    """
    scale, bias, mean, variance = (tf.cast(x, tf.float32) for x in (scale, bias, mean, variance))
    return tf.raw_ops.FusedBatchNormV3(
        x=y,
        scale=scale,
        offset=bias,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=False,
    )[0]
