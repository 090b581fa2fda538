"""Image arrays of any usual dtype and layout, brought to uint8 [n, h, w, c]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from allotrope.errors import DataError
from allotrope.inputs.by_page import pages
from allotrope.inputs.image.ranges import ROUNDING, ValueRange
from allotrope.inputs.image.scales import BYTES, Scale, find_scales, pages_in_bytes, to_bytes
from allotrope.wording import counted

DARK = 64
"""Images in uint8 that stay below this may have been stored in fewer bits."""

CHANNELS = (1, 3, 4)
SHAPES = "[n, h, w], [n, h, w, c] or [n, c, h, w] with 1, 3 or 4 channels"


Keep = Callable[[np.ndarray, Scale, int], np.ndarray | None]
"""keep(images [n, h, w, c], scale, channels): the first channels as uint8 on disk, if they are more
than fits in memory; else None."""


def in_memory(images: np.ndarray, scale: Scale, channels: int) -> np.ndarray | None:
    """Puts nothing on disk."""
    return None


def to_images(
    arrays: Mapping[str, np.ndarray],
    notes: list[str],
    asked: ValueRange | None = None,
    keep: Keep = in_memory,
) -> tuple[dict[str, np.ndarray], ValueRange | None]:
    """Images by split, uint8 [n, h, w, c], of one size; and the range that was stretched to that.

    The range of each array is judged by itself, and refused if it disagrees with the training
    data's. `asked` are the values that are black and white. Raises: DataError naming every array
    that cannot be read as images.
    """
    problems = [
        problem for name, array in arrays.items() if (problem := _image_problem(name, array))
    ]
    if problems:
        raise DataError("\n".join(problems))
    ordered = {name: _channels_last(array) for name, array in arrays.items()}
    if any(_is_channels_first(array) for array in arrays.values()):
        notes.append("images were [n, c, h, w]; brought to [n, h, w, c]")
    if len({array.shape[1:] for array in ordered.values()}) > 1:
        listed = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise DataError(
            f"images differ in size between the splits: {listed}. Expected one height, width and "
            "number of channels."
        )
    scales = find_scales(ordered, asked)
    _say_scales(ordered, scales, notes)
    channels = _channels(ordered, scales, notes)
    images = {
        name: _in_bytes(array, scales[name], channels, keep) for name, array in ordered.items()
    }
    train = scales["train"]
    if train.stretched or asked is not None:
        return images, train.value_range
    return images, None


def _say_scales(
    arrays: Mapping[str, np.ndarray], scales: Mapping[str, Scale], notes: list[str]
) -> None:
    """A line for each way in which arrays were brought to uint8."""
    lines: dict[str, list[str]] = {}
    for name, array in arrays.items():
        scale = scales[name]
        if array.dtype != np.uint8 or scale != BYTES:
            how = f"were {array.dtype}, read as {scale.why}"
            lines.setdefault(how, []).append(f"{name} {_values_found(array, scale)}")
    for how, splits in lines.items():
        notes.append(
            f"images {how}, and brought to uint8 ({'; '.join(splits)}); --value-range LOW:HIGH "
            "says otherwise"
        )
    if "train" in arrays and arrays["train"].dtype == np.uint8 and not lines:
        brightest = int(arrays["train"].max())
        if brightest < DARK:
            notes.append(
                f"the brightest value is {brightest} of 255; --value-range 0:{brightest} "
                "stretches it to white"
            )


def _values_found(array: np.ndarray, scale: Scale) -> str:
    """From where to where values go, and how many of them the scale clips, rounding apart."""
    text = f"from {array.min():g} to {array.max():g}"
    margin = ROUNDING * (scale.high - scale.low)
    low, high = scale.low - margin, scale.high + margin
    clipped = sum(int(np.count_nonzero((x < low) | (x > high))) for x in pages(array))
    if clipped:
        return f"{text}, {counted(clipped, 'value')} outside of it clipped"
    return text


def _channels(
    arrays: Mapping[str, np.ndarray], scales: Mapping[str, Scale], notes: list[str]
) -> int:
    """How many channels there are without a fourth one that is opaque everywhere.

    Raises: DataError if it is not: it may be transparency or another band.
    """
    channels: int = arrays["train"].shape[-1]
    if channels != 4:
        return channels
    fourth = {name: array[..., 3:] for name, array in arrays.items()}
    parts = (page for name, x in fourth.items() for page in pages_in_bytes(x, scales[name]))
    if not all((page == 255).all() for page in parts):
        raise DataError(
            "images have four channels, and the fourth varies: it may be transparency or another "
            "band. Store the three channels to learn from, for example with x[..., :3]."
        )
    notes.append("the fourth channel of the images is opaque everywhere and was left out")
    return 3


def _in_bytes(array: np.ndarray, scale: Scale, channels: int, keep: Keep) -> np.ndarray:
    on_disk = keep(array, scale, channels)
    if on_disk is not None:
        return on_disk
    return np.ascontiguousarray(to_bytes(array, scale)[..., :channels])


def _image_problem(name: str, array: np.ndarray) -> str | None:
    shape = list(array.shape)
    if array.ndim == 2:
        return f"'{name}' has shape {shape}; expected {SHAPES}.{_square_hint(shape[1])}"
    if array.ndim not in (3, 4) or (array.ndim == 4 and not {shape[1], shape[3]} & set(CHANNELS)):
        return f"'{name}' has shape {shape}; expected {SHAPES}."
    if 0 in array.shape:
        return f"'{name}' is empty: shape {shape}."
    if array.dtype.kind not in "buif":
        return (
            f"'{name}' has dtype {array.dtype}; expected uint8 (0..255) or floating point (0..1 "
            "or 0..255)."
        )
    strange = 0
    if array.dtype.kind == "f":
        strange = sum(int(np.count_nonzero(~np.isfinite(page))) for page in pages(array))
    if strange:
        remedy = "Replace them, for example with numpy.nan_to_num."
        return (
            f"'{name}' holds {strange:,} values that are nan or infinite; expected numbers. "
            f"{remedy}"
        )
    if _channel_axis(array) is None:
        return (
            f"'{name}' has shape {shape}, in which the channels may come first or last. Store it "
            "as [n, h, w, c] or [n, h, w]."
        )
    return None


def _square_hint(pixels: int) -> str:
    """How rows of this many numbers become square pictures."""
    for kind, channels in (("grey", 1), ("colour", 3)):
        side = round((pixels / channels) ** 0.5)
        if channels * side * side == pixels:
            if channels == 1:
                shape = f"-1, {side}, {side}"
            else:
                shape = f"-1, 3, {side}, {side}"
            return f" If these are {kind} pictures of {side}x{side}, store x.reshape({shape})."
    return ""


def _channel_axis(array: np.ndarray) -> int | None:
    """The axis of the channels, 1 or 3, which is that of grey images too; None if unclear."""
    if array.ndim == 3:
        return 3
    for lengths in (CHANNELS[:2], CHANNELS):
        first, last = array.shape[1] in lengths, array.shape[3] in lengths
        if first != last:
            if first:
                return 1
            return 3
        if first:
            break
    # Both lengths may count channels, as in [n, 3, 3, 1]: images are rather square.
    square_first = array.shape[2] == array.shape[3]
    square_last = array.shape[1] == array.shape[2]
    if square_first != square_last:
        if square_first:
            return 1
        return 3
    if array.shape[1:] == (1, 1, 1):
        return 3
    return None


def _is_channels_first(array: np.ndarray) -> bool:
    return _channel_axis(array) == 1


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        return array[..., None]
    if _is_channels_first(array):
        return array.transpose(0, 2, 3, 1)
    return array
