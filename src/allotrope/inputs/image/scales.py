"""What the numbers of image arrays mean: 0..255, 0..1, -1..1, or values that are stretched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.errors import DataError
from allotrope.inputs.by_page import pages
from allotrope.inputs.image.ranges import (
    LEAST_USED,
    OVERSHOOT,
    REMEDY,
    Spread,
    ValueRange,
    array_spread,
    check_agreement,
    stretch_range,
    text_of,
)

AT_ONCE = 4_000_000
"""Bytes of images converted at a time."""
LEAST_OF_BYTES = 128
"""Whole numbers that stay below this do not use 0..255."""
LEAST_OF_UNIT = 0.25
"""Fractions that stay below this were divided by more than their largest value."""
ENDS = 0.9
"""Values from -1 to 1 come near both ends; those that do not were normalized in another way."""


@dataclass(frozen=True)
class Scale:
    """Which values are black and white, and why; `stretched` if they were taken from the data."""

    low: float
    high: float
    why: str
    stretched: bool = False

    @property
    def value_range(self) -> ValueRange:
        """Black and white."""
        return self.low, self.high


BYTES = Scale(0, 255, "0..255")
UNIT = Scale(0, 1, "0..1")
SIGNED_UNIT = Scale(-1, 1, "-1..1")
SIGNED_BYTES = Scale(-128, 127, "-128..127")


def find_scales(arrays: Mapping[str, np.ndarray], asked: ValueRange | None) -> dict[str, Scale]:
    """The scale of each split's images.

    Raises: DataError if the values of one can be read in several ways, or if the splits disagree.
    """
    if asked is not None:
        return dict.fromkeys(arrays, Scale(*asked, f"{text_of(asked)}, as asked for"))
    spreads = {split: array_spread(array) for split, array in arrays.items()}
    train = _own_scale("train", arrays["train"].dtype, spreads["train"])
    scales = {"train": train}
    for split in arrays.keys() - {"train"}:
        scales[split] = _beside_train(split, arrays, spreads, train)
    return {split: scales[split] for split in arrays}


def to_bytes(array: np.ndarray, scale: Scale) -> np.ndarray:
    """Values [n, h, w, c] with the range of the scale stretched to 0..255, in uint8."""
    if array.dtype == np.uint8 and scale.value_range == BYTES.value_range:
        return np.ascontiguousarray(array)
    pixels = np.empty(array.shape, np.uint8)
    start = 0
    for page in pages_in_bytes(array, scale):
        pixels[start : start + len(page)] = page
        start += len(page)
    return pixels


def pages_in_bytes(array: np.ndarray, scale: Scale) -> Iterator[np.ndarray]:
    """The same, some images at a time, if all of them are more than the memory."""
    factor = 255 / (scale.high - scale.low)
    for page in pages(array, size=AT_ONCE):
        if array.dtype == np.uint8 and scale.value_range == BYTES.value_range:
            yield np.ascontiguousarray(page)
        else:
            stretched = (page.astype(np.float64) - scale.low) * factor
            yield np.rint(np.clip(stretched, 0, 255)).astype(np.uint8)


def _own_scale(split: str, dtype: np.dtype, spread: Spread) -> Scale:
    """The scale of an array by itself."""
    if dtype.kind == "b":
        return UNIT
    if dtype.kind == "f":
        return _scale_of_floats(split, dtype, spread)
    if spread.lowest >= 0 and spread.highest <= 1:
        return UNIT
    if dtype == np.uint8:
        return BYTES
    if dtype == np.int8 and spread.lowest < -1:
        return SIGNED_BYTES
    if spread.lowest >= 0 and LEAST_OF_BYTES <= spread.highest <= 255:
        return BYTES
    if spread.lowest == -1 and spread.highest == 1:
        return SIGNED_UNIT
    return _stretched(spread)


def _scale_of_floats(split: str, dtype: np.dtype, spread: Spread) -> Scale:
    if spread.within(0, 1):
        if spread.highest >= LEAST_OF_UNIT:
            return UNIT
        return _stretched(spread)
    if spread.within(-1, 1) and spread.low <= -ENDS and spread.high >= ENDS:
        return SIGNED_UNIT
    if spread.within(0, 255) and spread.highest >= LEAST_OF_BYTES:
        return BYTES
    if spread.lowest >= 0:
        return _stretched(spread)
    raise DataError(
        f"'{split}' images are {dtype} from {spread.lowest:g} to {spread.highest:g}, which is "
        "none of 0..1, 0..255 and -1..1: normalized, and which values were black and white is "
        "not known. Store the pixels themselves (normalization is part of the network here), or "
        f"{REMEDY}, here perhaps {text_of(spread.robust)}."
    )


def _stretched(spread: Spread) -> Scale:
    low, high = stretch_range(spread)
    return Scale(
        low, high, f"{text_of((low, high))}, the range of the training data", stretched=True
    )


def _beside_train(
    split: str, arrays: Mapping[str, np.ndarray], spreads: Mapping[str, Spread], train: Scale
) -> Scale:
    """The scale of another split: train's, or its own if another type of number says so."""
    own_type, spread = arrays[split].dtype, spreads[split]
    alike = _group(own_type) == _group(arrays["train"].dtype)
    if alike and train.stretched and not (own_type == np.uint8 and train.high > 255):
        check_agreement("images", {"train": spreads["train"], split: spread}, train.value_range)
        return train
    if alike and train == SIGNED_UNIT and spread.lowest < -OVERSHOOT and spread.within(-1, 1):
        return train  # dull images, which come near neither end
    own = _own_scale(split, own_type, spread)
    if own == train:
        return train
    if alike and own.stretched and not train.stretched and _is_dark(spread, train):
        return train
    if alike or own.stretched or train.stretched:
        listed = "; ".join(
            f"{name} {arrays[name].dtype} from {spreads[name].lowest:g} to "
            f"{spreads[name].highest:g}, read as {scale.why}"
            for name, scale in (("train", train), (split, own))
        )
        raise DataError(
            f"the splits hold images of different ranges: {listed}. Store all in one range, or "
            f"{REMEDY} in all of them."
        )
    return own


def _group(dtype: np.dtype) -> str:
    """Whole numbers, fractions or truth values: within a group, equal values mean the same."""
    return {"u": "whole", "i": "whole"}.get(dtype.kind, dtype.kind)


def _is_dark(spread: Spread, train: Scale) -> bool:
    """Whether values are those of dark images on the training data's scale."""
    used = (spread.highest - train.low) / (train.high - train.low)
    return spread.within(*train.value_range) and used >= LEAST_USED
