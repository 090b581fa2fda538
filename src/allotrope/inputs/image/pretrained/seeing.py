"""What a network that somebody else trained is to be given of one's own pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.config import FineTuning
from allotrope.errors import AllotropeError, NodeError, UsageError
from allotrope.inputs.image.pretrained.form import COUNTS, PictureForm, fixed, form_of_value
from allotrope.inputs.image.pretrained.input_range import Trying, reading_of
from allotrope.inputs.image.pretrained.readings import PixelReading
from allotrope.inputs.image.pretrained.sample import Sample
from allotrope.inputs.image.pretrained.trial import in_layout
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import LAYOUTS, with_preprocessing, with_raw_pixels


@dataclass(frozen=True)
class Seeing:
    """A network that is fixed to the data's images, and what it is to see of them."""

    form: PictureForm
    count: int
    reading: PixelReading | None
    """None for a network that takes whole numbers: the pixels as they are."""
    reverse: bool


def seeing(
    network: Network, sample: Sample, options: FineTuning, framework: str, notes: list[str]
) -> Seeing:
    """How the network is to be given the data's images; what was decided is added to `notes`.

    Raises: UsageError if it takes no such images, or what it was trained with has to be asked for.
    """
    x = _one_input(network)
    form = _for_sample(network, x, sample)
    _check_lengths(x, form, sample)
    count = _count(network, form, sample, framework)
    if count != sample.channels:
        notes.append(
            f"The images of {sample.name} are grey; each of the network's {count} channels sees "
            "them."
        )
    reverse = options.channel_order == "bgr"
    if x.dtype.kind in "iu":
        _check_whole(options, notes, reverse)
        return Seeing(form, count, None, reverse)
    _check_computed(network, form, count, sample.size, framework)
    sized = fixed(network, form, count, sample.size)
    trying = Trying(sized, (*sample.size, count), form.layout, framework)
    reading = reading_of(trying, sample, options, notes)
    return Seeing(form, count, reading, reading.reverse)


def taking_pixels(network: Network, seen: Seeing, pixels: tuple[int, int, int]) -> Network:
    """The network for raw pixels [n, h, w, c]; `pixels` are their height, width and channels."""
    sized = fixed(network, seen.form, seen.count, pixels[:2])
    layout, reading = seen.form.layout, seen.reading
    if reading is None:
        return with_raw_pixels(sized, pixels, seen.count, layout=layout, reverse=seen.reverse)
    return with_preprocessing(
        sized, reading.mean, reading.std, layout=layout, pixels=pixels, reverse=seen.reverse
    )


def _one_input(network: Network) -> Value:
    listed = ", ".join(f"'{x.name}' {x.dtype} {list(x.shape or ())}" for x in network.inputs)
    if len(network.inputs) != 1 or network.inputs[0].shape is None:
        raise UsageError(
            f"fit trains networks that take one image; this one takes {listed or 'nothing'}."
        )
    x = network.inputs[0]
    if x.dtype.kind not in "iu" and x.dtype != np.float32:
        raise UsageError(f"the network takes {listed}; expected numbers that pixels can be.")
    if isinstance((x.shape or (None,))[0], int):
        raise UsageError(
            f"the network takes {listed}, a batch of fixed length that could not be freed. "
            "Export it with a free first axis."
        )
    return x


def _for_sample(network: Network, x: Value, sample: Sample) -> PictureForm:
    """How the network takes an image; also rows of grey ones.

    Raises: UsageError if it takes none.
    """
    shape = x.shape or ()
    if len(shape) in (3, 4):
        return form_of_value(network, x)
    (height, width), channels = sample.size, sample.channels
    if len(shape) == 2 and channels == 1 and shape[1] in (height * width, None):
        return PictureForm("flat", height, width, 1)
    known = ", ".join(LAYOUTS.values())
    raise UsageError(
        f"the network takes '{x.name}' {list(shape)}, which is no image of "
        f"{height}x{width}x{channels}; expected one of {known}."
    )


def _check_lengths(x: Value, form: PictureForm, sample: Sample) -> None:
    """Raises one UsageError for every length that differs; grey ones may go to several channels."""
    expected = {"height": form.height, "width": form.width, "channels": form.channels}
    lengths = (*sample.size, sample.channels)
    wrong = [
        f"{kind} {length} where it takes {wanted}"
        for (kind, wanted), length in zip(expected.items(), lengths, strict=True)
        if isinstance(wanted, int) and wanted != length and not (kind == "channels" and length == 1)
    ]
    if wrong:
        raise UsageError(
            f"the images of {sample.name} do not fit the network's input '{x.name}' "
            f"{list(x.shape or ())}: {', '.join(wrong)}. "
            "Pictures in class folders are brought to a square size by themselves; bring arrays to "
            "this size, or take a network for theirs."
        )


def _check_whole(options: FineTuning, notes: list[str], reverse: bool) -> None:
    if options.mean or options.std:
        raise UsageError(
            "--mean and --std are for a network that takes float32; this one takes raw pixels and "
            "prepares them itself."
        )
    order = "RGB; for the other: --channel-order bgr"
    if reverse:
        order = "BGR, as was asked for"
    notes.append(
        f"The network takes whole numbers: it is given raw pixels from 0 to 255, in {order}."
    )


def _count(network: Network, form: PictureForm, sample: Sample, framework: str) -> int:
    """How many channels the network takes; if its input leaves that open, its inside is tried."""
    channels = sample.channels
    if isinstance(form.channels, int):
        return form.channels
    counts = [channels, *(count for count in COUNTS if channels == 1 and count != 1)]
    for count in counts[:-1]:
        if _can_be_computed(network, form, count, sample.size, framework):
            return count
    return counts[-1]


def _can_be_computed(
    network: Network, form: PictureForm, count: int, size: tuple[int, int], framework: str
) -> bool:
    """Whether the network gives an answer for black images of this size with so many channels."""
    try:
        _check_computed(network, form, count, size, framework)
    except AllotropeError:
        return False
    return True


def _check_computed(
    network: Network, form: PictureForm, count: int, size: tuple[int, int], framework: str
) -> None:
    """Raises UsageError if the network gives no answer for images of this size and channels."""
    sized = fixed(network, form, count, size)
    black = np.zeros((2, *size, count), sized.inputs[0].dtype)
    answers(sized, in_layout(black, form.layout), framework, size)


def answers(network: Network, x: np.ndarray, framework: str, size: tuple[int, int]) -> np.ndarray:
    """What the network's output is for x, which is made of images of this size.

    Raises: UsageError if it cannot be computed.
    """
    (output,), (image,) = network.outputs, network.inputs
    try:
        return network.run({image.name: x}, framework)[output.name]
    except NodeError as error:
        height, width = size
        raise UsageError(
            f"the network cannot be computed for images of {height}x{width}: {error} "
            "Bring pictures in folders to the size that it was made for with --image-size, and "
            "arrays to it before."
        ) from error
