"""PyTorch's ways to move elements: shapes, slices, gathers, padding, resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.conversion.core.geometry import even, single, unusual
from allotrope.conversion.core.moves import (
    LARGEST,
    broadcast_shape,
    columns_axis,
    cut,
    cuts,
    new_shape,
    pads_by_axis,
    sliced,
    split_lengths,
)
from allotrope.conversion.core.source import Expression, call, literal
from allotrope.conversion.core.statement import Several
from allotrope.conversion.pytorch.site import PyTorchSite, dtype_name, padded
from allotrope.operators.resize import nearest_places


def _reshape(site: PyTorchSite) -> Expression:
    wanted, old = new_shape(site), site.shape()
    if (
        old is not None
        and len(wanted) == 2 < len(old)
        and wanted in ([-1, _size(old[1:])], [site.length(0, 0), -1])
    ):
        return call("torch.flatten", site.tensor(), 1)
    return call(f"{site.tensor()}.reshape", *wanted)


def _kept(site: PyTorchSite, axis: int) -> int | str:
    shape = site.shape()
    length = None
    if shape is not None:
        length = shape[axis]
    if isinstance(length, int):
        return length
    return site.length(0, axis)


def _size(lengths: Sequence[object]) -> int | None:
    if all(isinstance(n, int) for n in lengths):
        return int(np.prod([int(str(n)) for n in lengths]))
    return None


def _flatten(site: PyTorchSite) -> Expression:
    axis = site.attribute("axis", 1)
    rank = None
    if site.shape() is not None:
        rank = site.rank()
    if axis == 1 and rank != 1:
        return call("torch.flatten", site.tensor(), 1)
    if rank is None:
        raise site.no("it is not known how many axes its input has")
    axis = columns_axis(site)
    if axis == 0:
        return call(f"{site.tensor()}.reshape", 1, -1)
    if axis == rank:
        return call(f"{site.tensor()}.reshape", -1, 1)
    return f"{site.tensor()}.flatten({axis}).flatten(0, {axis - 1})"


def _transpose(site: PyTorchSite) -> Expression:
    order = site.attribute("perm") or tuple(reversed(range(site.rank())))
    return call(f"{site.tensor()}.permute", *order)


def _squeeze(site: PyTorchSite) -> Expression:
    axes = site.integers(1)
    if axes is None:
        shape = site.shape()
        if shape is None or not all(isinstance(n, int) for n in shape):
            raise site.no("it is not known which of its axes have length 1")
        axes = [axis for axis, n in enumerate(shape) if n == 1]
    if axes:
        return call(f"{site.tensor()}.squeeze", single(axes))
    return site.tensor()


def _unsqueeze(site: PyTorchSite) -> Expression:
    axes = site.integers(1) or []
    rank = 0
    if any(axis < 0 for axis in axes):
        rank = site.rank() + len(axes)
    if rank:
        axes = [axis % rank for axis in axes]
    ordered = sorted(axes)
    return site.tensor() + "".join(f".unsqueeze({axis})" for axis in ordered)


def _concatenate(site: PyTorchSite) -> Expression:
    parts = "[" + ", ".join(site.tensor(i) for i in range(len(site))) + "]"
    return call("torch.cat", parts, dim=site.attribute("axis"))


def _expand(site: PyTorchSite) -> Expression:
    return call(f"{site.tensor()}.expand", *broadcast_shape(site))


def _slice(site: PyTorchSite) -> Expression:
    texts, flipped, x = {}, [], site.tensor()
    for axis, start, end, step in cuts(site):
        # A whole axis backward is a flip; other steps backward PyTorch does not have.
        if step == -1 and start == -1 and isinstance(end, int) and end < -LARGEST // 2:
            flipped.append(axis)
        elif step < 1:
            raise site.no("PyTorch slices only forward")
        else:
            texts[axis] = cut(start, end, step)
    if flipped:
        x += f".flip({', '.join(map(str, flipped))})"
    return sliced(x, texts)


def _split(site: PyTorchSite) -> Several:
    lengths = split_lengths(site)
    pieces: Any = lengths
    if len(set(lengths)) == 1:
        pieces = lengths[0]
    return Several(
        call("torch.split", site.tensor(), pieces, dim=site.attribute("axis", 0)),
        len(site.node.outputs),
    )


def _gather_elements(site: PyTorchSite) -> Expression:
    axis, known = site.attribute("axis", 0), site.known(1)
    index = site.tensor(1)
    if known is None or (known < 0).any():
        # Negative ones count from the end.
        index = f"{index} % {site.tensor()}.shape[{axis}]"
    return call("torch.gather", site.tensor(), axis, index)


def _pad(site: PyTorchSite) -> Expression:
    pads, rank = pads_by_axis(site), site.rank()
    first = next((axis for axis, pair in enumerate(pads) if any(pair)), rank)
    if first == rank:
        return site.tensor()
    mode = site.attribute("mode", "constant")
    if mode == "constant":
        return padded(site.tensor(), pads[first:], site.number(2) or None)
    if first < rank - 3 or any(n < 0 for pair in pads for n in pair):
        raise site.no(f"PyTorch pads by '{mode}' only the last axes")
    # By a mode PyTorch pads all spatial axes, not only those from the first that is longer.
    if rank > 2:
        first = min(2, first)
    flat = tuple(n for pair in reversed(pads[first:]) for n in pair)
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return call("F.pad", site.tensor(), flat, mode=f'"{names[mode]}"')


def _tile(site: PyTorchSite) -> Expression:
    return call(f"{site.tensor()}.repeat", *site.lengths(1))


def _constant_of_shape(site: PyTorchSite) -> Expression:
    fill = site.attribute("value", np.zeros(1, np.float32))
    return call(
        "torch.full",
        literal(tuple(site.lengths(0))),
        fill.reshape(-1)[0].item(),
        dtype=dtype_name(fill.dtype),
    )


def _range(site: PyTorchSite) -> Expression:
    if any(site.known(i) is None for i in range(3)):
        raise site.no("torch.arange takes numbers, and these are computed from data")
    start, stop, step = (site.input(i) for i in range(3))
    value = site.value()
    dtype = None
    if value is not None and value.dtype not in (np.int64, np.float32):
        dtype = dtype_name(value.dtype)
    if (start, step) == ("0", "1"):
        ends = [stop]
    elif step == "1":
        ends = [start, stop]
    else:
        ends = [start, stop, step]
    return call("torch.arange", *ends, dtype=dtype)


def _triangle(site: PyTorchSite) -> Expression:
    diagonal = unusual(int(site.number(1) or 0), 0)
    function = "torch.tril"
    if site.attribute("upper", 1):
        function = "torch.triu"
    return call(function, site.tensor(), diagonal=diagonal)


def _top_k(site: PyTorchSite) -> Several:
    largest = unusual(bool(site.attribute("largest", 1)), True)
    return Several(
        call(
            "torch.topk",
            site.tensor(),
            int(site.number(1) or 0),
            dim=site.attribute("axis", -1),
            largest=largest,
        ),
        2,
    )


def _depth_to_space(site: PyTorchSite) -> Expression:
    block, shape = site.attribute("blocksize"), site.shape()
    if site.attribute("mode", "DCR") == "CRD":
        return call("F.pixel_shuffle", site.tensor(), block)
    if shape is None or not isinstance(shape[1], int):
        raise site.no("the number of its channels is not known")
    n, h, w = (_kept(site, axis) for axis in (0, 2, 3))
    depth = shape[1] // block**2
    apart = site.temporary(call(f"{site.tensor()}.reshape", n, block, block, depth, h, w))
    moved = site.temporary(f"{apart}.permute(0, 3, 4, 1, 5, 2)")
    return f"{moved}.flatten(4).flatten(2, 3)"


def _space_to_depth(site: PyTorchSite) -> Expression:
    if site.attribute("mode", "DCR") == "CRD":
        return call("F.pixel_unshuffle", site.tensor(), site.attribute("blocksize"))
    block, shape = site.attribute("blocksize"), site.shape()
    if shape is None or not isinstance(shape[1], int):
        raise site.no("the number of its channels is not known")
    # PyTorch has ONNX's other order of depth and block, which are then swapped.
    apart = site.temporary(call("F.pixel_unshuffle", site.tensor(), block))
    swapped = site.temporary(f"{apart}.unflatten(1, ({shape[1]}, {block**2})).transpose(1, 2)")
    return f"{swapped}.flatten(1, 2)"


def _resize(site: PyTorchSite) -> Expression:
    mode, shape, result = site.attribute("mode", "nearest"), site.shape(), site.output_shape()
    if (
        shape is None
        or len(shape) not in (3, 4, 5)
        or site.attribute("antialias", 0)
        or site.attribute("axes") is not None
    ):
        raise site.no(
            "torch's interpolate takes x [n, c, *spatial] and no antialiasing of ONNX's kind"
        )
    if any(site.has(i) and site.known(i) is None for i in (2, 3)):
        raise site.no("its size is computed from data")
    scales = None
    if site.has(2):
        scales = site.known(2)
    sizes = None
    if result is not None:
        sizes = result[2:]
    options = _interpolation(site, mode, shape[2:], sizes, scales)
    if sizes is not None and all(isinstance(n, int) for n in sizes):
        return call("F.interpolate", site.tensor(), size=tuple(sizes), **options)
    if scales is None or scales.size != len(shape) or not (scales[:2] == 1).all():
        raise site.no("its size depends on lengths that are free")
    factors = even([float(s) for s in scales[2:]])
    return call("F.interpolate", site.tensor(), scale_factor=factors, **options)


def _interpolation(
    site: PyTorchSite,
    mode: str,
    old: Sequence[object],
    new: Sequence[object] | None,
    scales: np.ndarray | None,
) -> dict[str, object]:
    """The options of interpolate that mean the same. Raises: NoForm where none do."""
    transform = site.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        return _nearest(site, transform, old, new, scales)
    names = {
        ("linear", 1): "linear",
        ("linear", 2): "bilinear",
        ("linear", 3): "trilinear",
        ("cubic", 2): "bicubic",
    }
    name, usual_cubic = names.get((mode, len(old))), site.attribute("cubic_coeff_a", -0.75) == -0.75
    whole = (
        scales is None
        or new is None
        or all(
            not isinstance(a, int) or (isinstance(b, int) and abs(a * s - b) < 1e-6)
            for a, b, s in zip(old, new, scales[2:], strict=True)
        )
    )
    alone = transform == "pytorch_half_pixel" and new is not None and 1 in new
    if (
        alone
        or name is None
        or not usual_cubic
        or site.attribute("exclude_outside", 0)
        or not whole
    ):
        raise site.no(f"torch's interpolate has no mode '{mode}' of this kind")
    if transform == "align_corners":
        return {"mode": f'"{name}"', "align_corners": True}
    if transform in ("half_pixel", "pytorch_half_pixel"):
        return {"mode": f'"{name}"'}
    raise site.no(f"torch's interpolate has no coordinates '{transform}'")


def _nearest(
    site: PyTorchSite,
    transform: str,
    old: Sequence[object],
    new: Sequence[object] | None,
    scales: np.ndarray | None,
) -> dict[str, object]:
    rounding = site.attribute("nearest_mode", "round_prefer_floor")
    if new is None or not all(isinstance(n, int) for n in (*old, *new)):
        whole = scales is not None and all(float(s).is_integer() for s in scales)
        if whole and (
            (transform == "asymmetric" and rounding == "floor") or transform == "half_pixel"
        ):
            return {}
        raise site.no("its size depends on lengths that are free")
    for name in ("nearest", "nearest-exact"):
        if all(
            _places(name, int(str(a)), int(str(b)))
            == nearest_places(transform, rounding, int(str(a)), int(str(b)), factor)
            for a, b, factor in zip(old, new, _factors(old, new, scales), strict=True)
        ):
            if name == "nearest":
                return {}
            return {"mode": f'"{name}"'}
    raise site.no(f"torch's interpolate picks other pixels than '{transform}' with '{rounding}'")


def _factors(
    old: Sequence[object], new: Sequence[object], scales: np.ndarray | None
) -> list[float]:
    if scales is not None and scales.size:
        return [float(s) for s in scales[2:]]
    return [int(str(b)) / int(str(a)) for a, b in zip(old, new, strict=True)]


def _places(name: str, old: int, new: int) -> list[int]:
    """Which pixels PyTorch picks."""
    shift = 0.0
    if name == "nearest-exact":
        shift = 0.5
    return [min(old - 1, int((i + shift) * old / new)) for i in range(new)]


SHAPES: dict[str, Callable[[PyTorchSite], Expression | Several]] = {
    "Concat": _concatenate,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "GatherElements": _gather_elements,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
}
