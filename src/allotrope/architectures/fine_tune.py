"""Makes somebody else's network ready to learn one's own data: ends, last layer, what is frozen."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import ml_dtypes
import numpy as np

from allotrope.architectures.linear_probe import probed
from allotrope.config import FineTuning
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.pretrained.readings import PixelReading
from allotrope.inputs.image.pretrained.sample import Sample
from allotrope.inputs.image.pretrained.seeing import answers, seeing, taking_pixels
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.batchnorm import with_batchnorm
from allotrope.network.rewriting.classifier import classifier_alone, in_rows, with_two_logits
from allotrope.network.rewriting.compose import class_names
from allotrope.network.rewriting.ends import to_logits
from allotrope.network.rewriting.head import head_of, with_new_head
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.rewriting.precision import with_types
from allotrope.network.summary import is_normalized
from allotrope.tasks import Classification, Task
from allotrope.wording import counted

OTHER_FLOATS = frozenset(map(np.dtype, (np.float16, np.float64, ml_dtypes.bfloat16)))
CALIBRATION = 64
"""How many training images give the statistics of a BatchNormalization that is put back."""
LOOKED_AT = 256
"""How many training images show whether the network knows their classes."""
AT_ONCE = 32


@dataclass(frozen=True)
class PreparedNetwork:
    """The network to train, raw pixels to logits; weights frozen, new head's; what was done.

    `reading` is what it is given of the pixels; None for one that takes them as they are.
    `knows_classes`: it tells the data's classes apart already.
    """

    network: Network
    frozen: tuple[str, ...]
    replaced: tuple[str, ...]
    notes: list[str]
    reading: PixelReading | None
    knows_classes: bool

    def settled(self, options: FineTuning) -> FineTuning:
        """The options with the reading among them, so that it need not be looked for again."""
        if self.reading is None:
            return options
        order = "bgr" if self.reading.reverse else "rgb"
        return replace(options, mean=self.reading.mean, std=self.reading.std, channel_order=order)

    @property
    def learning(self) -> Network:
        """The network without the frozen weights among those that learn."""
        return self.network.changed(trainable=self.network.trainable - set(self.frozen))


def prepared(
    network: Network, data: Data, options: FineTuning, framework: str, seed: int
) -> PreparedNetwork:
    """The network for data of one picture and one classification.

    Raises: UsageError, UnsupportedError, each saying what of the network does not fit the data and
    what to do.
    """
    notes: list[str] = []
    network = in_float32(network, notes)
    (picture,), (task,) = data.inputs, data.tasks
    assert isinstance(task, Classification)
    sample = Sample(data.name, data.train[picture.name], data.train[task.name], task.classes)
    network = ending_in_logits(network, task.classes, options, notes)
    _check_classes(network, sample, options)
    seen = seeing(network, sample, options, framework, notes)
    network, replaced = _with_classes(network, sample, options, seed, notes)
    network = taking_pixels(network, seen, (*sample.size, sample.channels))
    network = _checked(network, sample, framework)
    knows_classes = not replaced and _knows_classes(network, sample, framework, notes)
    lost = knows_classes and not is_normalized(network)
    if options.restore_batchnorm or (options.restore_batchnorm is None and lost):
        network = _restored(network, sample, framework, bool(options.restore_batchnorm), notes)
    network = named_after(network, [picture.name], [task.name])
    frozen = frozen_weights(network, options.freeze, replaced)
    if frozen:
        notes.append(
            f"{len(frozen)} of {len(network.trainable)} trainable weights are frozen "
            f"({', '.join(options.freeze)})."
        )
    if options.probe:
        network, line = probed(network, data, framework)
        notes.append(line)
        # Its last layer has learned: it is as good as one that came with the network.
        replaced, knows_classes = frozenset(), True
    fresh = tuple(sorted(replaced))
    return PreparedNetwork(network, frozen, fresh, notes, seen.reading, knows_classes)


def found_by_trying(inputs: Sequence[Input], tasks: Sequence[Task]) -> bool:
    """Whether there is one picture and one classification, which networks of others are made for.

    What they are to see of pixels is found by trying; of everything else it has to be said.
    """
    return [type(each) for each in inputs] == [Image] and [type(task) for task in tasks] == [
        Classification
    ]


def frozen_weights(
    network: Network, patterns: Iterable[str], fresh: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The trainable weights whose names match one of the patterns, such as `layer1.*`.

    `fresh` ones, of a new head, always learn.

    Raises: UsageError for all patterns that match none, or where nothing is left to learn.
    """
    matched = {
        pattern: {name for name in network.trainable if fnmatchcase(name, pattern)}
        for pattern in patterns
    }
    names = sorted(network.trainable)
    unmatched = [
        f"'{pattern}'{_nearest(pattern, names)}"
        for pattern, matches in matched.items()
        if not matches
    ]
    if unmatched:
        raise UsageError(
            f"--freeze {', '.join(unmatched)} matches no trainable weight. They are called "
            f"{', '.join(names[:8])}"
            f"{f' and {len(names) - 8} more' if len(names) > 8 else ''}; * stands for any letters."
        )
    frozen = set().union(*matched.values()) - fresh
    if frozen and frozen == network.trainable:
        raise UsageError(
            f"--freeze {', '.join(matched)} leaves no weight to learn: all {len(frozen)} are "
            "frozen. Freeze fewer."
        )
    return tuple(sorted(frozen))


def _nearest(pattern: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)
    return f" (near: {', '.join(near)})" if near else ""


# --- the types


def in_float32(network: Network, notes: list[str]) -> Network:
    """The network with its floats in float32, in which training keeps weights.

    As it is if they are.
    """
    ends = [value.dtype for value in (*network.inputs, *network.outputs)]
    used = {array.dtype for array in network.weights.values()} | set(ends)
    others = sorted((dtype for dtype in used & OTHER_FLOATS), key=str)
    if not others:
        return network
    names = " and ".join(map(str, others))
    notes.append(f"The network is in {names}; it is read, trained and delivered as float32.")
    return with_types(network, dict.fromkeys(others, np.dtype(np.float32)))


# --- the end


def ending_in_logits(
    network: Network, classes: Sequence[str], options: FineTuning, notes: list[str]
) -> Network:
    """The network with rows of logits as its only output, as far as it has such."""
    count = len(classes)
    network = classifier_alone(network, count, options.classifier, options.new_head, notes)
    network, taken_off = to_logits(network)
    if taken_off:
        names = ", ".join(node.operator for node in taken_off)
        notes.append(f"{names} taken off the end: training begins from logits.")
    network = in_rows(network)
    one = len(network.outputs) == 1 and (network.outputs[0].shape or ())[1:] == (1,)
    if one and count == 2 and not options.new_head:
        first, second = classes
        notes.append(
            f"Its one output is kept: the logit of '{second}' against '{first}'. "
            "The delivered file gives the probabilities of both."
        )
        network = with_two_logits(network)
    return network


def _check_classes(network: Network, sample: Sample, options: FineTuning) -> None:
    """Raises UsageError without a row of logits, or for other classes that are to be kept."""
    outputs, classes = network.outputs, len(sample.classes)
    shape = outputs[0].shape
    if len(outputs) != 1 or (shape is not None and len(shape) != 2):
        listed = ", ".join(f"'{value.name}' {list(value.shape or ())}" for value in outputs)
        raise UsageError(
            f"fit trains networks that give one row of logits an image, [n, {classes}]; this one "
            f"gives {listed}."
        )
    count = None if shape is None else shape[1]
    if not options.new_head and isinstance(count, int) and count != classes:
        raise UsageError(
            f"the network tells {counted(count, 'class')} apart, and {sample.name} has {classes}. "
            "Add --new-head, which gives its last layer fresh weights for them."
        )


def _with_classes(
    network: Network, sample: Sample, options: FineTuning, seed: int, notes: list[str]
) -> tuple[Network, frozenset[str]]:
    """The network with as many outputs as the data has classes, and its new weights."""
    if not options.new_head:
        known = class_names(network)
        if known is not None and known != sample.classes:
            notes.append(
                f"The file's classes ({', '.join(known[:5])}, ...) are not those of "
                f"{sample.name}: its last layer learns anew."
            )
        return network, frozenset()
    classes = len(sample.classes)
    count = (network.outputs[0].shape or (None, None))[1]
    before = count if isinstance(count, int) else "other"
    changed, names = with_new_head(network, classes, seed)
    fresh = ", ".join(sorted(names))
    notes.append(
        f"The last layer was for {before} classes; it has fresh weights for {classes}: {fresh}."
    )
    return changed, names


# --- what lies between


def _checked(network: Network, sample: Sample, framework: str) -> Network:
    """The network with the shapes that follow from the data's, once it has computed two images.

    Raises: UsageError if it cannot, or gives something else than logits.
    """
    output, classes = network.outputs[0], len(sample.classes)
    shape = answers(network, sample.images[[0, -1]], framework, sample.size).shape
    if shape != (2, classes):
        raise UsageError(
            f"the network gives {list(shape)} for two images, expected {[2, classes]}: a row of "
            "logits for each. "
            "If it is made for other classes, add --new-head; for another output of it, "
            "--classifier."
        )
    ends = (Value(output.name, output.dtype, ("n", classes)),)
    free = replace(network.graph, values={}, outputs=ends)
    return network.changed(graph=free)


def _knows_classes(network: Network, sample: Sample, framework: str, notes: list[str]) -> bool:
    """Whether it is right for more training images than by chance, beyond three deviations."""
    step = max(1, len(sample.images) // LOOKED_AT)
    rows = slice(0, step * LOOKED_AT, step)
    images, labels = sample.images[rows], sample.labels[rows]
    parts = np.array_split(images, -(-len(images) // AT_ONCE))
    logits = [answers(network, part, framework, sample.size) for part in parts]
    right = float(np.mean(np.concatenate(logits).argmax(1) == labels))
    chance = float(np.bincount(labels).max() / len(labels))
    knows = right > chance + 3 * math.sqrt(chance * (1 - chance) / len(labels))
    if knows:
        tried = counted(len(labels), "training image")
        notes.append(f"As it came it is right for {right:.1%} of {tried}.")
    return knows


def _restored(
    network: Network, sample: Sample, framework: str, asked: bool, notes: list[str]
) -> Network:
    """The network with BatchNormalization behind its convolutions; as it is if it has none."""
    head = head_of(network)
    without = head.weights if head else frozenset()
    images = sample.images[:: max(1, len(sample.images) // CALIBRATION)][:CALIBRATION]
    changed = with_batchnorm(network, {network.inputs[0].name: images}, framework, without)
    added = len(changed.graph.nodes) - len(network.graph.nodes)
    if not added and not asked:
        return network
    if not added:
        raise UsageError(
            "--restore-batchnorm found no Conv without a BatchNormalization behind it. Leave it "
            "out."
        )
    reason = ""
    if not asked:
        reason = (
            " The network knows these classes and nothing in it is normalized, as if that had been "
            "folded into its weights, which learn better with it. --no-restore-batchnorm leaves "
            "them as they are."
        )
    notes.append(
        f"BatchNormalization put back behind {counted(added, 'convolution')}, with the statistics "
        f"of {counted(len(images), 'image')}; outputs unchanged.{reason}"
    )
    return changed
