"""Makes a network that somebody else trained ready to learn one's own data: its ends, its last layer, and what stays as it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from allotrope.config import FineTuning
from allotrope.data.images import ImageData
from allotrope.errors import AllotropeError, UsageError
from allotrope.network.batchnorm import with_batchnorm
from allotrope.network.compose import LAYOUTS, class_names, with_preprocessing
from allotrope.network.ends import preprocessing, to_logits
from allotrope.network.graph import Dimension, Value
from allotrope.network.head import head_of, with_new_head
from allotrope.network.network import Network
from allotrope.network.shapes import infer_shapes
from allotrope.training.choose import pixel_statistics

CALIBRATION = 64
"""How many training images give the statistics of a BatchNormalization that is put back."""


@dataclass(frozen=True)
class Prepared:
    """The network to train (raw pixels in, logits out), the weights that are kept from learning, those of a new head, and what was done."""

    network: Network
    frozen: tuple[str, ...]
    replaced: tuple[str, ...]
    notes: list[str]

    @property
    def learning(self) -> Network:
        """The network without the frozen weights among those that learn."""
        network = self.network
        return Network(network.graph, network.weights, network.trainable - set(self.frozen), network.metadata)


def image_side(network: Network) -> int | None:
    """The side in pixels of the square images that the network is fixed to; None where it is free, or not square."""
    x = network.inputs[0]
    shape = x.shape or ()
    sides = shape[1:3] if x.dtype == np.uint8 or len(shape) == 3 or shape[-1:] in ((1,), (3,)) else shape[2:4]
    return sides[0] if len(sides) == 2 and isinstance(sides[0], int) and sides[0] == sides[1] else None


def prepared(network: Network, data: ImageData, options: FineTuning, framework: str, seed: int) -> Prepared:
    """The network for this data.

    Raises: UsageError, UnsupportedError, each saying what of the network does not fit the data and what to do.
    """
    notes: list[str] = []
    network, taken_off = to_logits(network)
    if taken_off:
        notes.append(f"{', '.join(node.operator for node in taken_off)} taken off the end: training begins from logits.")
    network, replaced = _with_classes(network, data, options, seed, notes)
    network = _with_pixels(network, data, options, notes)
    network = _checked(network, data, framework)
    if options.restore_batchnorm:
        network = _restored(network, data, framework, notes)
    frozen = frozen_weights(network, options.freeze, replaced)
    if frozen:
        notes.append(f"{len(frozen)} of {len(network.trainable)} trainable weights are frozen ({', '.join(options.freeze)}).")
    return Prepared(network, frozen, tuple(sorted(replaced)), notes)


def frozen_weights(network: Network, patterns: Iterable[str], fresh: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The trainable weights whose names match one of the patterns, such as `layer1.*`; `fresh` ones, of a new head, always learn.

    Raises: UsageError for all patterns that match none, or where nothing is left to learn.
    """
    found = {pattern: {name for name in network.trainable if fnmatchcase(name, pattern)} for pattern in patterns}
    names = sorted(network.trainable)
    unmatched = [f"'{pattern}'{_nearest(pattern, names)}" for pattern, matches in found.items() if not matches]
    if unmatched:
        raise UsageError(
            f"--freeze {', '.join(unmatched)} matches no trainable weight. They are called {', '.join(names[:8])}"
            f"{f' and {len(names) - 8} more' if len(names) > 8 else ''}; * stands for any letters."
        )
    frozen = set().union(*found.values()) - fresh
    if frozen and frozen == network.trainable:
        raise UsageError(f"--freeze {', '.join(found)} leaves no weight to learn: all {len(frozen)} are frozen. Freeze fewer.")
    return tuple(sorted(frozen))


def _nearest(pattern: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)
    return f" (near: {', '.join(near)})" if near else ""


# --- the end


def _with_classes(network: Network, data: ImageData, options: FineTuning, seed: int, notes: list[str]) -> tuple[Network, frozenset[str]]:
    """The network with as many outputs as the data has classes, and its new weights."""
    outputs, classes = network.outputs, len(data.classes)
    shape = outputs[0].shape
    if len(outputs) != 1 or shape is None or len(shape) != 2:
        found = ", ".join(f"'{value.name}' {list(value.shape or ())}" for value in outputs)
        raise UsageError(f"fit trains networks that give one row of logits an image, [n, {classes}]; this one gives {found}.")
    if not options.new_head and shape[1] not in (classes, None):
        raise UsageError(
            f"the network tells {shape[1]} classes apart, and {data.name} has {classes}. "
            "Add --new-head, which gives its last layer fresh weights for them."
        )
    if not options.new_head:
        known = class_names(network)
        if known is not None and known != data.classes:
            notes.append(f"The file's classes ({', '.join(known[:5])}, ...) are not those of {data.name}: its last layer learns anew.")
        return network, frozenset()
    changed, names = with_new_head(network, classes, seed)
    notes.append(f"The last layer was for {shape[1]} classes; it has fresh weights for {classes}: {', '.join(sorted(names))}.")
    return changed, names


# --- the input


def _with_pixels(network: Network, data: ImageData, options: FineTuning, notes: list[str]) -> Network:
    """The network for raw pixels [n, h, w, c] of the data's size."""
    channels, height, width = data.image
    x = _one_input(network)
    if x.dtype == np.uint8:
        return _taking_pixels(network, x, data, options)
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


def _taking_pixels(network: Network, x: Value, data: ImageData, options: FineTuning) -> Network:
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


# --- what lies between


def _checked(network: Network, data: ImageData, framework: str) -> Network:
    """The network with the shapes that follow from the data's, once it has computed two images.

    Raises: UsageError where it cannot, or gives something else than logits.
    """
    (output,), (image,) = network.outputs, network.inputs
    expected = (2, len(data.classes))
    why: object = None
    try:
        found = network.run({image.name: data.train.images[[0, -1]]}, framework)[output.name].shape
        why = None if found == expected else f"two give {list(found)}, expected {list(expected)}"
    except AllotropeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a framework says of lengths that do not fit
        why = str(error).partition("\n")[0]
    if why is not None:
        size = "x".join(map(str, data.image[1:]))
        raise UsageError(f"the network cannot be computed for images of {size}: {why}. Bring them to the size that it was made for.")
    free = replace(network.graph, values={}, outputs=(Value(output.name, output.dtype, ("n", len(data.classes))),))
    return Network(infer_shapes(free, network.weights), network.weights, network.trainable, network.metadata)


def _restored(network: Network, data: ImageData, framework: str, notes: list[str]) -> Network:
    head = head_of(network)
    without = head.weights if head else frozenset()
    images = data.train.images[:: max(1, len(data.train) // CALIBRATION)][:CALIBRATION]
    changed = with_batchnorm(network, {network.inputs[0].name: images}, framework, without)
    added = len(changed.graph.nodes) - len(network.graph.nodes)
    if not added:
        raise UsageError("--restore-batchnorm found no Conv without a BatchNormalization behind it. Leave it out.")
    notes.append(
        f"BatchNormalization put back behind {added} convolutions, with the statistics of {len(images)} images; outputs unchanged."
    )
    return changed
