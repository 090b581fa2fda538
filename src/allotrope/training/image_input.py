"""The input of a network that somebody else trained: which images it takes, and how one's own become such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.config import FineTuning
from allotrope.data.images import ImageData
from allotrope.errors import AllotropeError, NodeError, UsageError
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network
from allotrope.network.order import used
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.rewriting.compose import LAYOUTS, with_preprocessing, with_raw_pixels
from allotrope.training.input_range import Trying, reading_of
from allotrope.training.readings import Reading
from allotrope.training.trial import in_layout

COUNTS = (1, 3)
"""How many channels networks take that leave it open."""


@dataclass(frozen=True)
class ImageInput:
    """How a network takes an image: `layout`, and the height, width and channels that it is fixed to, if it is."""

    layout: str
    height: Dimension
    width: Dimension
    channels: Dimension


@dataclass(frozen=True)
class Seeing:
    """A network that is fixed to the data's images, and what it is to see of them."""

    image: ImageInput
    count: int
    reading: Reading | None
    """None for a network that takes whole numbers: the pixels as they are."""
    reverse: bool


def image_side(network: Network) -> int | None:
    """The side in pixels of the square images that the network is fixed to; None if it is free, or not square."""
    image = image_of(network)
    if image is None or image.height != image.width:
        return None
    return image.height if isinstance(image.height, int) else None


def image_of(network: Network) -> ImageInput | None:
    """How the network takes an image; None for rows of numbers, or what is none."""
    x = network.inputs[0] if len(network.inputs) == 1 else None
    if x is None or x.shape is None or len(x.shape) not in (3, 4):
        return None
    return _image_input(network, x)


def seeing(
    network: Network, data: ImageData, options: FineTuning, framework: str, notes: list[str]
) -> Seeing:
    """How the network is to be given the data's images; what was decided is added to `notes`.

    Raises: UsageError if it takes no such images, or what it was trained with has to be asked for.
    """
    channels, height, width = data.image
    x = _one_input(network)
    image = _for_data(network, x, data)
    _check_lengths(x, image, (height, width, channels), data.name)
    count = _count(network, image, data, framework)
    if count != channels:
        notes.append(f"The images of {data.name} are grey; each of the network's {count} channels sees them.")
    reverse = options.channel_order == "bgr"
    if x.dtype.kind in "iu":
        _check_whole(options, notes, reverse)
        return Seeing(image, count, None, reverse)
    _check_computed(network, image, count, data, framework)
    sized = fixed(network, image, count, (height, width))
    trying = Trying(sized, (height, width, count), image.layout, framework)
    reading = reading_of(trying, data, options, notes)
    return Seeing(image, count, reading, reading.reverse)


def taking_pixels(network: Network, seen: Seeing, pixels: tuple[int, int, int]) -> Network:
    """The network for raw pixels [n, h, w, c]; `pixels` are height, width and channels of the data's images."""
    sized = fixed(network, seen.image, seen.count, pixels[:2])
    layout, reading = seen.image.layout, seen.reading
    if reading is None:
        return with_raw_pixels(sized, pixels, seen.count, layout=layout, reverse=seen.reverse)
    return with_preprocessing(
        sized, reading.mean, reading.std, layout=layout, pixels=pixels, reverse=seen.reverse
    )


def fixed(
    network: Network, image: ImageInput, count: int, size: tuple[int, int], batch: Dimension = "n"
) -> Network:
    """The network for images of this size and so many channels alone, with the shapes that follow."""
    x = network.inputs[0]
    height, width = size
    shapes: dict[str, tuple[Dimension, ...]] = {
        "nchw": (batch, count, height, width),
        "nhwc": (batch, height, width, count),
        "nhw": (batch, height, width),
        "flat": (batch, height * width),
    }
    outputs = tuple(replace(value, shape=None) for value in network.outputs)
    inputs = (replace(x, shape=shapes[image.layout]),)
    graph = replace(network.graph, inputs=inputs, outputs=outputs, values={})
    inferred = infer_shapes(graph, network.weights)
    return Network(inferred, network.weights, network.trainable, network.metadata)


def _one_input(network: Network) -> Value:
    found = ", ".join(f"'{x.name}' {x.dtype} {list(x.shape or ())}" for x in network.inputs)
    if len(network.inputs) != 1 or network.inputs[0].shape is None:
        raise UsageError(f"fit trains networks that take one image; this one takes {found or 'nothing'}.")
    x = network.inputs[0]
    if x.dtype.kind not in "iu" and x.dtype != np.float32:
        raise UsageError(f"the network takes {found}; expected numbers that pixels can be.")
    if isinstance((x.shape or (None,))[0], int):
        raise UsageError(f"the network takes {found}, a batch of fixed length that could not be freed. Export it with a free first axis.")
    return x


def _for_data(network: Network, x: Value, data: ImageData) -> ImageInput:
    """How the network takes an image; also rows of grey ones.  Raises: UsageError if it takes none."""
    shape = x.shape or ()
    if len(shape) in (3, 4):
        return _image_input(network, x)
    channels, height, width = data.image
    if len(shape) == 2 and channels == 1 and shape[1] in (height * width, None):
        return ImageInput("flat", height, width, 1)
    known = ", ".join(LAYOUTS.values())
    raise UsageError(
        f"the network takes '{x.name}' {list(shape)}, which is no image of {height}x{width}x{channels}; expected one of {known}."
    )


def _image_input(network: Network, x: Value) -> ImageInput:
    """Of an input with 3 or 4 axes."""
    shape = x.shape or ()
    if len(shape) == 3:
        return ImageInput("nhw", shape[1], shape[2], 1)
    if _channels_last(network, x):
        return ImageInput("nhwc", shape[1], shape[2], shape[3])
    return ImageInput("nchw", shape[2], shape[3], shape[1])


def _channels_last(network: Network, x: Value) -> bool:
    """By the lengths; if they leave it open, by whether the network first moves the last axis to the second place."""
    _, second, _, last = x.shape or (None,) * 4
    if last in COUNTS and isinstance(second, int) and second not in COUNTS:
        return True
    if isinstance(second, int):
        return last in COUNTS and x.dtype == np.uint8
    reached = {x.name}
    for node in network.graph.nodes:
        if not reached & used(node):
            continue
        if node.operator == "Transpose":
            return tuple(node.attributes.get("perm", ())) == (0, 3, 1, 2)
        if node.operator in ("Conv", "MatMul", "Gemm"):
            return False
        reached |= set(node.outputs)
    return last in COUNTS


def _check_lengths(x: Value, image: ImageInput, found: Sequence[int], name: str) -> None:
    """Raises one UsageError for every length that differs; grey images may go to several channels."""
    expected = {"height": image.height, "width": image.width, "channels": image.channels}
    wrong = [
        f"{kind} {length} where it takes {wanted}"
        for (kind, wanted), length in zip(expected.items(), found, strict=True)
        if isinstance(wanted, int) and wanted != length and not (kind == "channels" and length == 1)
    ]
    if wrong:
        raise UsageError(
            f"the images of {name} do not fit the network's input '{x.name}' {list(x.shape or ())}: {', '.join(wrong)}. "
            "Pictures in class folders are brought to a square size by themselves; bring arrays to this size, or take a network for theirs."
        )


def _check_whole(options: FineTuning, notes: list[str], reverse: bool) -> None:
    if options.mean or options.std:
        raise UsageError("--mean and --std are for a network that takes float32; this one takes raw pixels and prepares them itself.")
    order = "BGR, as was asked for" if reverse else "RGB; for the other: --channel-order bgr"
    notes.append(f"The network takes whole numbers: it is given raw pixels from 0 to 255, in {order}.")


def _count(network: Network, image: ImageInput, data: ImageData, framework: str) -> int:
    """How many channels the network takes; if its input leaves that open, what its inside takes is tried."""
    channels = data.image[0]
    if isinstance(image.channels, int):
        return image.channels
    counts = [channels, *(count for count in COUNTS if channels == 1 and count != 1)]
    for count in counts[:-1]:
        if _can_be_computed(network, image, count, data, framework):
            return count
    return counts[-1]


def _can_be_computed(
    network: Network, image: ImageInput, count: int, data: ImageData, framework: str
) -> bool:
    """Whether the network gives an answer for black images of the data's size with so many channels."""
    try:
        _check_computed(network, image, count, data, framework)
    except AllotropeError:
        return False
    return True


def _check_computed(
    network: Network, image: ImageInput, count: int, data: ImageData, framework: str
) -> None:
    """Raises UsageError if the network gives no answer for images of the data's size with so many channels."""
    _, height, width = data.image
    sized = fixed(network, image, count, (height, width))
    black = np.zeros((2, height, width, count), sized.inputs[0].dtype)
    answers(sized, in_layout(black, image.layout), framework, data)


def answers(network: Network, x: np.ndarray, framework: str, data: ImageData) -> np.ndarray:
    """What the network's output is for x. Raises: UsageError if it cannot be computed for images of the data's size."""
    (output,), (image,) = network.outputs, network.inputs
    try:
        return network.run({image.name: x}, framework)[output.name]
    except NodeError as error:
        size = "x".join(map(str, data.image[1:]))
        raise UsageError(
            f"the network cannot be computed for images of {size}: {error} "
            "Bring pictures in folders to the size that it was made for with --image-size, and arrays to it before."
        ) from error
