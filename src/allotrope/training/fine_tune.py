"""Makes a network that somebody else trained ready to learn one's own data: its ends, its last layer, and what stays as it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from allotrope.config import FineTuning
from allotrope.data.images import ImageData
from allotrope.errors import AllotropeError, UsageError
from allotrope.network.batchnorm import with_batchnorm
from allotrope.network.compose import class_names
from allotrope.network.ends import to_logits
from allotrope.network.graph import Value
from allotrope.network.head import head_of, with_new_head
from allotrope.network.network import Network
from allotrope.network.shapes import infer_shapes
from allotrope.training.image_input import taking_pixels

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


def prepared(network: Network, data: ImageData, options: FineTuning, framework: str, seed: int) -> Prepared:
    """The network for this data.

    Raises: UsageError, UnsupportedError, each saying what of the network does not fit the data and what to do.
    """
    notes: list[str] = []
    network, taken_off = to_logits(network)
    if taken_off:
        notes.append(f"{', '.join(node.operator for node in taken_off)} taken off the end: training begins from logits.")
    network, replaced = _with_classes(network, data, options, seed, notes)
    network = taking_pixels(network, data, options, notes)
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
