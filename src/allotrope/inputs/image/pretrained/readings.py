"""The ways in which a network may see pixels: the usual ranges, the order of the channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.image.statistics import pixel_statistics

PLAIN = {
    "raw pixels from 0 to 255": (0.0, 1.0),
    "values from 0 to 1": (0.0, 255.0),
    "values from -1 to 1": (127.5, 127.5),
}
"""Mean and deviation of the ranges that are the same for every channel and every data."""
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and deviation of ImageNet's pixels in RGB, 255 times those that torchvision's documentation
names."""
MNIST = ((33.32,), (78.57,))
"""Mean and deviation of MNIST's pixels, 255 times those of PyTorch's example."""
CAFFE = (123.68, 116.779, 103.939)
"""The mean that Caffe's networks take away, in RGB; they see no other scale than that of the pixels
(Simonyan and Zisserman 2014)."""

ALIKE_SCALE, ALIKE_SHIFT = 0.3, 0.35
"""How far two readings may lie apart and still be one: the logarithm of their scales, and means in
deviations."""


@dataclass(frozen=True)
class PixelReading:
    """What a network sees of a pixel: (pixel - mean) / std, a channel; `reverse`: in the order BGR.

    `mean` and `std` are in the order in which the network takes the channels.
    """

    range: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool = False

    @property
    def name(self) -> str:
        """The reading in words."""
        if self.reverse:
            return f"{self.range}, BGR"
        return self.range

    @property
    def asked_for(self) -> str:
        """The options that ask for it."""
        mean, std = (_numbers(values) for values in (self.mean, self.std))
        order = ""
        if self.reverse:
            order = " --channel-order bgr"
        return f"--mean {mean} --std {std}{order}"

    def values(self, images: np.ndarray) -> np.ndarray:
        """What the network sees of images uint8 [n, h, w, c]: float32 [n, h, w, count].

        Grey ones reach each channel.
        """
        if self.reverse and images.shape[3] == 3:
            ordered = images[..., ::-1]
        else:
            ordered = images
        scale = 1 / np.asarray(self.std, np.float64)
        offset = np.asarray(self.mean) * scale
        return ordered.astype(np.float32) * scale.astype(np.float32) - offset.astype(np.float32)

    def alike(self, other: PixelReading) -> bool:
        """Whether the two give nearly the same values, whatever the order."""
        own, others = np.asarray(self.std), np.asarray(other.std)
        shift = np.abs(_in_rgb(self.mean, self) - _in_rgb(other.mean, other)) / np.minimum(
            own, others
        )
        scale = np.abs(np.log(own / others))
        return bool(scale.mean() < ALIKE_SCALE and shift.mean() < ALIKE_SHIFT)


def _in_rgb(values: Sequence[float], reading: PixelReading) -> np.ndarray:
    return np.asarray(values[::-1] if reading.reverse else values)


def _numbers(values: Sequence[float]) -> str:
    shown = [f"{value:.4g}" for value in values]
    if len(set(shown)) == 1:
        return shown[0]
    return ",".join(shown)


def plain_readings(count: int) -> list[PixelReading]:
    """The ranges that are the same for every channel."""
    return [
        PixelReading(name, (mean,) * count, (std,) * count) for name, (mean, std) in PLAIN.items()
    ]


def readings(images: np.ndarray, count: int, reverse: bool | None) -> list[PixelReading]:
    """Every plausible reading of images uint8 [n, h, w, c] for a network of `count` channels.

    `reverse`: whether the network takes BGR; None for both, of which there is one only for grey
    images.
    """
    own = [tuple(values) for values in pixel_statistics(images)]
    grey = images.shape[3] == 1
    own = [values * count if grey else values for values in own]
    plausible = plain_readings(count)
    if count == 3:
        plausible.append(PixelReading("ImageNet's mean and deviation", *IMAGENET))
        plausible.append(PixelReading("raw pixels less ImageNet's mean", CAFFE, (1.0,) * 3))
    if count == 1:
        plausible.append(PixelReading("MNIST's mean and deviation", *MNIST))
    plausible.append(PixelReading("the data's own mean and deviation", own[0], own[1]))
    return _in_orders(plausible, reverse if count == 3 else False)


def _in_orders(plausible: list[PixelReading], reverse: bool | None) -> list[PixelReading]:
    orders: tuple[bool, ...] = (False, True)
    if reverse is not None:
        orders = (reverse,)
    return [in_order(reading, order) for reading in plausible for order in orders]


def in_order(reading: PixelReading, reverse: bool) -> PixelReading:
    """A reading in RGB, in this order."""
    if not reverse:
        return reading
    return PixelReading(reading.range, reading.mean[::-1], reading.std[::-1], True)
