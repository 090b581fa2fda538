"""The options of verbs that are about pictures: what they take, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from allotrope.config import CHANNEL_ORDERS, FOLDER_LAYOUTS, SCAN_VALUES, parse_value_range
from allotrope.errors import UsageError
from allotrope.option import ABOVE_0, Option


class ReadingOptions(TypedDict, total=False):
    """How pictures are read."""

    image_size: int | None
    layout: str
    value_range: str | None
    scan_values: str


class PretrainedOptions(TypedDict, total=False):
    """What a network from an ONNX file takes pixels for."""

    mean: str | None
    std: str | None
    channel_order: str | None


class AugmentationOptions(TypedDict, total=False):
    """How pictures are changed in training."""

    flip: bool | None
    cutmix: float | None
    mosaic: float | None


class ImageOptions(ReadingOptions, PretrainedOptions, total=False):
    """Those of every verb that trains."""


class TrainedImageOptions(ImageOptions, AugmentationOptions, total=False):
    """Those of a verb that decides how to train."""


IMAGE_OPTIONS = (
    Option(
        "image_size",
        "the side in pixels to which pictures in folders are brought; of volumes the longest side, "
        "in voxels.",
        range=ABOVE_0,
    ),
    Option(
        "layout",
        "how folders are read: auto, classes, deepest, pooled, splits, splits-deepest, "
        "classes-splits or folds.",
        choices=FOLDER_LAYOUTS,
        default="auto",
    ),
    Option(
        "value_range",
        "the values that are black and white, such as 0:4095, in arrays, in volumes and in "
        "pictures of more than 8 bits.",
        parse=parse_value_range,
    ),
    Option(
        "scan_values",
        "absolute (a value means the same in every volume, as in CT) or relative (each volume is "
        "normalized by its own, as of MRI); auto takes what DICOM headers say, else absolute.",
        choices=SCAN_VALUES,
        default="auto",
    ),
    Option(
        "mean",
        "the mean that an ONNX file was trained with, from 0 to 255, a channel or one for all, "
        "such as "
        "123.7,116.3,103.5. By default the usual ranges are tried.",
        for_file=True,
    ),
    Option(
        "std",
        "the standard deviation that an ONNX file was trained with; mean 0 and std 255 are a "
        "range of 0 to 1, "
        "mean 0 and std 1 raw pixels.",
        for_file=True,
    ),
    Option(
        "channel_order",
        "rgb or bgr: the order in which an ONNX file takes the channels of a picture.",
        choices=CHANNEL_ORDERS,
        for_file=True,
    ),
)

AUGMENTATION_OPTIONS = (
    Option("flip", "whether pictures may be mirrored left to right.", recipe=True),
    Option(
        "cutmix",
        "the strength of pasting patches between pictures, and of columns between rows of a table; "
        "none by default.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "mosaic",
        "the strength of making a picture of parts of four, with labels by area (mosaic, as in "
        "RICAP); 0.3 is usual.",
        range=ABOVE_0,
        recipe=True,
    ),
)


def reading(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of DataOptions that the arguments of a verb ask for.

    Raises: UsageError for a range that is none.
    """
    value_range = arguments["value_range"]
    return {
        "image_size": arguments["image_size"],
        "layout": arguments["layout"],
        "scan_values": arguments["scan_values"],
        "value_range": None if value_range is None else parse_value_range(value_range),
    }


def pretrained(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of FineTuning that the arguments of a verb ask for.

    Raises: UsageError for what is no number.
    """
    return {
        "mean": _numbers("mean", arguments["mean"]),
        "std": _numbers("std", arguments["std"]),
        "channel_order": arguments["channel_order"],
    }


def _numbers(name: str, text: str | None) -> tuple[float, ...] | None:
    """A number a channel, or one for all."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in str(text).split(","))
    except ValueError:
        raise UsageError(
            f"--{name} is '{text}', expected numbers in pixel units with commas between, such as "
            "123.7,116.3,103.5."
        ) from None
