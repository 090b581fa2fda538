"""Normalizations: of sums, by root mean squares, and in groups with the channels last."""

from __future__ import annotations

from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("LayerNormalization", domain="", before=17)
def layer_normalization(
    w: Writer,
    x: str,
    scale: str,
    bias: str | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[str, ...]:
    """The operator of opset 17, which ONNX Runtime writes into files of any opset."""
    return w.several(
        "LayerNormalization", 3, x, scale, bias, axis=axis, epsilon=epsilon, stash_type=stash_type
    )


@foreign("SimplifiedLayerNormalization", domain="")
@foreign("SimplifiedLayerNormalization")
def simplified_layer_normalization(
    w: Writer, x: str, scale: str, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> str:
    """x / √(mean of squares + epsilon) times a scale."""
    w.only(0)
    return w.add("RMSNormalization", x, scale, axis=axis, epsilon=epsilon, stash_type=stash_type)


@foreign("SkipLayerNormalization")
def skip_layer_normalization(
    w: Writer,
    x: str,
    skip: str,
    scale: str,
    shift: str | None = None,
    bias: str | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[str, ...]:
    """LayerNormalization of x + skip + bias, and that sum as the fourth output."""
    total = _sum(w, x, skip, bias)
    y, mean, deviation = w.several(
        "LayerNormalization", 3, total, scale, shift, axis=-1, epsilon=epsilon
    )
    return y, mean, deviation, total


@foreign("SkipSimplifiedLayerNormalization")
def skip_simplified_layer_normalization(
    w: Writer, x: str, skip: str, scale: str, bias: str | None = None, *, epsilon: float = 1e-12
) -> tuple[str, ...]:
    """RMSNormalization of x + skip + bias, and that sum as the fourth output."""
    w.only(0, 3)
    total = _sum(w, x, skip, bias)
    y = w.add("RMSNormalization", total, scale, axis=-1, epsilon=epsilon)
    return y, "", "", total


def _sum(w: Writer, x: str, skip: str, bias: str | None) -> str:
    total = w.add("Add", x, skip)
    if bias:
        return w.add("Add", total, bias)
    return total


@foreign("GroupNorm")
def group_normalization(
    w: Writer,
    x: str,
    scale: str,
    shift: str,
    *,
    activation: int,
    groups: int,
    channels_last: int = 1,
    epsilon: float = 1e-5,
) -> str:
    """GroupNormalization of x [n, h, w, c] or [n, c, h, w], and Swish if it is activated."""
    rank = w.rank(x)
    if channels_last:
        y = w.channels_first(x, rank)
    else:
        y = x
    y = w.add("GroupNormalization", y, scale, shift, num_groups=groups, epsilon=epsilon)
    if activation:
        y = w.add("Swish", y)
    if channels_last:
        return w.channels_last(y, rank)
    return y


@foreign("SkipGroupNorm")
def skip_group_normalization(
    w: Writer,
    x: str,
    scale: str,
    shift: str,
    skip: str,
    bias: str | None = None,
    *,
    activation: int,
    groups: int,
    channels_last: int = 1,
    epsilon: float = 1e-5,
) -> tuple[str, ...]:
    """GroupNorm of x + skip + bias, and that sum.

    x is [n, h, w, c], skip [n, h, w, c], [n, 1, 1, c] or [n, c].
    """
    rank = w.rank(x)
    if w.rank(skip) == 2:
        skip = w.add("Unsqueeze", skip, w.ints(1, 2))
    total = _sum(w, x, skip, bias)
    if channels_last:
        y = w.channels_first(total, rank)
    else:
        y = total
    y = w.add("GroupNormalization", y, scale, shift, num_groups=groups, epsilon=epsilon)
    if activation:
        y = w.add("Swish", y)
    if channels_last:
        y = w.channels_last(y, rank)
    return y, total
