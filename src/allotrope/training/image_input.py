"""The input of a network that somebody else trained: which images it takes, and how one's own become such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.config import FineTuning
from allotrope.data.images import ImageData
from allotrope.errors import UsageError
from allotrope.network.compose import LAYOUTS, with_preprocessing
from allotrope.network.ends import preprocessing
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network
from allotrope.training.choose import pixel_statistics


def image_side(network: Network) -> int | None:
    """The side in pixels of the square images that the network is fixed to; None where it is free, or not square."""
    x = network.inputs[0]
    shape = x.shape or ()
    sides = shape[1:3] if x.dtype == np.uint8 or len(shape) == 3 or shape[-1:] in ((1,), (3,)) else shape[2:4]
    return sides[0] if len(sides) == 2 and isinstance(sides[0], int) and sides[0] == sides[1] else None


def taking_pixels(network: Network, data: ImageData, options: FineTuning, notes: list[str]) -> Network:
    """The network for raw pixels [n, h, w, c] of the data's size; what was decided is added to `notes`.

    Raises: UsageError where it takes no such images.
    """
    channels, height, width = data.image
    x = _one_input(network)
    if x.dtype == np.uint8:
        return _as_it_is(network, x, data, options)
    layout, lengths = _layout(x, data)
    _check_lengths(x, lengths, (height, width, channels), data.name)
    count = lengths[2] if isinstance(lengths[2], int) else channels
    mean, std, why = _statistics(network, data, options, count)
    notes.append(why)
    if count != channels:
        notes.append(f"The images of {data.name} are grey; each of the network's {count} channels sees them.")
    shapes: dict[str, tuple[Dimension, ...]] = {
        "nchw": ("n", count, height, width),
        "nhwc": ("n", height, width, count),
        "nhw": ("n", height, width),
        "flat": ("n", height * width),
    }
    sized = _with_input(network, replace(x, shape=shapes[layout]))
    return with_preprocessing(sized, mean, std, layout=layout, pixels=(height, width, channels))


def _one_input(network: Network) -> Value:
    found = ", ".join(f"'{x.name}' {x.dtype} {list(x.shape or ())}" for x in network.inputs)
    if len(network.inputs) != 1 or network.inputs[0].shape is None:
        raise UsageError(f"fit trains networks that take one image; this one takes {found or 'nothing'}.")
    x = network.inputs[0]
    if x.dtype not in (np.uint8, np.float32):
        raise UsageError(f"the network takes {found}; expected uint8 or float32. Export it in float32.")
    if isinstance((x.shape or (None,))[0], int):
        raise UsageError(f"the network takes {found}, a batch of fixed length that could not be freed. Export it with a free first axis.")
    return x


def _layout(x: Value, data: ImageData) -> tuple[str, tuple[object, object, object]]:
    """How the network takes an image, and the height, width and channels that it is fixed to."""
    shape = x.shape or ()
    if len(shape) == 4 and shape[1] not in (1, 3, None) and shape[3] in (1, 3):
        return "nhwc", (shape[1], shape[2], shape[3])
    if len(shape) == 4:
        return "nchw", (shape[2], shape[3], shape[1])
    if len(shape) == 3:
        return "nhw", (shape[1], shape[2], 1)
    channels, height, width = data.image
    if len(shape) == 2 and channels == 1 and shape[1] in (height * width, None):
        return "flat", (height, width, 1)
    known = ", ".join(LAYOUTS.values())
    raise UsageError(
        f"the network takes '{x.name}' {list(shape)}, which is no image of {height}x{width}x{channels}; expected one of {known}."
    )


def _check_lengths(x: Value, expected: Sequence[object], found: Sequence[int], name: str) -> None:
    """Raises one UsageError for every length that differs; grey images may go to several channels."""
    kinds = ("height", "width", "channels")
    wrong = [
        f"{kind} {length} where it takes {wanted}"
        for kind, wanted, length in zip(kinds, expected, found, strict=True)
        if isinstance(wanted, int) and wanted != length and not (kind == "channels" and length == 1)
    ]
    if wrong:
        raise UsageError(
            f"the images of {name} do not fit the network's input '{x.name}' {list(x.shape or ())}: {', '.join(wrong)}. "
            "Pictures in class folders are brought to a square size by themselves; bring arrays to this size, or take a network for theirs."
        )


def _as_it_is(network: Network, x: Value, data: ImageData, options: FineTuning) -> Network:
    """The network as it is, for images of this size."""
    channels, height, width = data.image
    if options.mean or options.std:
        raise UsageError("--mean and --std are for a network that takes float32; this one takes raw pixels and prepares them itself.")
    if len(x.shape or ()) != 4:
        raise UsageError(f"the network takes '{x.name}' uint8 {list(x.shape or ())}; expected [n, h, w, c].")
    _check_lengths(x, (x.shape or ())[1:], (height, width, channels), data.name)
    if (x.shape or ())[3] not in (channels, None):
        raise UsageError(f"the network takes '{x.name}' {list(x.shape or ())}, and the images of {data.name} have {channels} channel.")
    return _with_input(network, Value(x.name, x.dtype, ("n", height, width, channels)))


def _with_input(network: Network, x: Value) -> Network:
    return Network(replace(network.graph, inputs=(x,)), network.weights, network.trainable, network.metadata)


def _statistics(network: Network, data: ImageData, options: FineTuning, channels: int) -> tuple[Sequence[float], Sequence[float], str]:
    """The mean and deviation that pixels are normalized by, and where they come from."""
    if (options.mean is None) != (options.std is None):
        raise UsageError("--mean and --std belong together: give both, in pixel units from 0 to 255, or neither.")
    if options.mean is not None and options.std is not None:
        asked = [values * channels if len(values) == 1 else values for values in (options.mean, options.std)]
        return asked[0], asked[1], "Pixels are normalized by the mean and deviation that were asked for."
    inside = _largest_shift(network)
    if inside is not None:
        scale = 1.0 if inside > 2 else 255.0
        known = "pixels from 0 to 255" if scale == 1 else "values from 0 to 1"
        return (
            [0.0] * channels,
            [scale] * channels,
            f"The network prepares its input itself, and is given {known}, as its constants expect.",
        )
    mean, std = pixel_statistics(data.train.images)
    if len(mean) < channels:
        mean, std = mean * channels, std * channels
    shown = ", ".join(f"{value:.4g}" for value in (*mean, *std))
    return mean, std, f"Pixels are normalized by the data's own statistics ({shown}), as the file does not say which it was trained with."


def _largest_shift(network: Network) -> float | None:
    """The largest number that the network adds to or takes from its raw input; None where it does not prepare it."""
    arrays = {**network.graph.constants, **network.weights}
    shifts = [node for node in preprocessing(replace(network.graph, constants=arrays)) if node.operator in ("Add", "Sub")]
    return max((float(np.abs(arrays[name]).max()) for node in shifts for name in node.inputs if name in arrays), default=None)
