"""Decides which range and order of channels a network takes: by trying, never by guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.config import FineTuning
from allotrope.errors import UsageError
from allotrope.inputs.image.pretrained.front import sensible
from allotrope.inputs.image.pretrained.readings import PixelReading, readings
from allotrope.inputs.image.pretrained.sample import Sample
from allotrope.inputs.image.pretrained.smooth import has_smooth_filters
from allotrope.inputs.image.pretrained.trial import AT_ONCE, Trials
from allotrope.inputs.image.pretrained.weighing import Weighing, weigh
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds

MOST_IMAGES = 384
WORK = 2e11
"""Multiply-adds that all trials together may take; about ten seconds on one core."""
SLOW = {"reference": 20}
"""How many times as long a framework takes for them."""

EQUAL = 0.01
"""Accuracies that differ by no more are the same."""

MEASURES = {
    "statistics": "the inputs of its BatchNormalizations lie {:.2g} from their statistics, "
    "against {:.2g}",
    "accuracy": "it answers {:.1%} right, against {:.1%}",
    "separation": "its answers tell {:.1%} of the images apart by class, against {:.1%}",
}
"""How evidence is put into words, by its kind in `Weighing.scores`."""


@dataclass(frozen=True)
class Trying:
    """A network with one float32 input for images of `shape` (h, w, its channels) in a `layout`."""

    network: Network
    shape: tuple[int, int, int]
    layout: str
    framework: str


def reading_of(
    trying: Trying, sample: Sample, options: FineTuning, notes: list[str]
) -> PixelReading:
    """What the network is to see of pixels: as asked, as its first nodes say, or as trials do.

    How it was found is added to `notes`.

    Raises: UsageError if several readings are left that differ, with the options for each; or for a
    mean without a deviation.
    """
    asked = _asked(options, trying.shape[2])
    if asked is not None:
        notes.append(f"Pixels are given to the network as was asked for: {asked.asked_for}.")
        return asked
    reverse = None
    if options.channel_order is not None:
        reverse = options.channel_order == "bgr"
    every = readings(sample.images, trying.shape[2], reverse)
    plausible = sensible(trying.network, every, trying.shape, trying.layout)
    rows = _rows(trying, len(sample.images), len(plausible))
    images, labels = sample.images[rows], sample.labels[rows]
    trials = Trials(trying.network, trying.framework)
    outcomes = [trials.of(reading, images, trying.layout) for reading in plausible]
    weighing = weigh(outcomes, images, labels, _same_classes(trying, sample, options))
    inside = len(plausible) < len(every)
    return _Deciding(weighing, plausible, trying, len(rows), inside, notes).decided()


def _asked(options: FineTuning, count: int) -> PixelReading | None:
    """The reading that options ask for."""
    if (options.mean is None) != (options.std is None):
        raise UsageError(
            "--mean and --std belong together: give both, in pixel units from 0 to 255, or neither."
        )
    if options.mean is None or options.std is None:
        return None
    mean, std = (
        values * count if len(values) == 1 else values for values in (options.mean, options.std)
    )
    if not len(mean) == len(std) == count:
        raise UsageError(
            f"{len(mean)} means and {len(std)} deviations were given for {count} channels."
        )
    return PixelReading("as asked for", mean, std, options.channel_order == "bgr")


def _same_classes(trying: Trying, sample: Sample, options: FineTuning) -> bool:
    """Whether the network's answers may be the data's classes, in their order."""
    shape = trying.network.outputs[0].shape
    return not options.new_head and shape is not None and shape[-1] in (len(sample.classes), None)


def _rows(trying: Trying, there: int, trials: int) -> np.ndarray:
    """Rows of training images, evenly spread: as many as the work allows, in whole batches.

    The same on every machine.
    """
    work = max(multiply_adds(trying.network), 100_000) * trials
    affordable = WORK / SLOW.get(trying.framework, 1)
    wanted = int(np.clip(affordable / work, AT_ONCE, MOST_IMAGES))
    count = min(wanted, there)
    whole = max(count // AT_ONCE, 1) * AT_ONCE
    return np.linspace(0, there - 1, whole).astype(int)


@dataclass
class _Deciding:
    """What is made of a weighing, in words too."""

    weighing: Weighing
    tried: Sequence[PixelReading]
    trying: Trying
    count: int
    inside: bool
    notes: list[str]

    def decided(self) -> PixelReading:
        """The reading that is left, or that does no harm where several are.

        Raises: UsageError if several are left between which it matters.
        """
        left = [trial.reading for trial in self.weighing.left]
        if left and all(reading.alike(left[0]) for reading in left):
            return self._won(self._best_of(left))
        if self.weighing.above_chance:
            return self._equal(left)
        if left and self._knows_pictures():
            raise UsageError(self._question(left))
        return self._unknown()

    def _best_of(self, left: Sequence[PixelReading]) -> PixelReading:
        """Of readings that are nearly the same, the best; RGB unless BGR alone is left."""
        in_rgb = [reading for reading in left if not reading.reverse] or list(left)
        return max(in_rgb, key=self._score)

    def _score(self, reading: PixelReading) -> tuple[float, ...]:
        """How good a reading was by each kind of evidence, accuracy first."""
        (trial,) = [trial for trial in self.weighing.left if trial.reading is reading]
        kinds = [
            kind
            for kind in ("accuracy", "statistics", "separation")
            if kind in self.weighing.scores
        ]
        return tuple(self.weighing.scores[kind][id(trial)] for kind in kinds)

    def _won(self, reading: PixelReading) -> PixelReading:
        words = f"Pixels are given to the network as {reading.name}: "
        if self.inside:
            words += "it prepares its input itself, and its constants expect that"
        else:
            words += (
                f"of {len(self.tried)} readings, tried on {self.count} training images, "
                f"it fits best{self._by_how_much(reading)}"
            )
        self.notes.append(f"{words}. For another: --mean and --std.")
        self._say_order()
        return reading

    def _say_order(self) -> None:
        if len({trial.reading.reverse for trial in self.weighing.left}) == 2:
            self.notes.append(
                "RGB and BGR could not be told apart: RGB. For the other: --channel-order bgr."
            )

    def _by_how_much(self, reading: PixelReading) -> str:
        """The evidence, against the best reading that was ruled out."""
        words = []
        left = {id(trial) for trial in self.weighing.left}
        for kind, scores in self.weighing.scores.items():
            by_trial = {id(trial): trial.reading for trial in self.weighing.trials}
            own = max(score for key, score in scores.items() if by_trial[key] is reading)
            others = {score: by_trial[key] for key, score in scores.items() if key not in left}
            if others:
                score = max(others)
                text = MEASURES[kind].format(abs(own), abs(score))
                words.append(f"{text} as {others[score].name}")
        if words:
            return f" ({'; '.join(words)})"
        return ""

    def _equal(self, left: Sequence[PixelReading]) -> PixelReading:
        """Several do about as well on the data's own classes.

        Of equals, that with the smallest values.

        Larger ones than it was trained with often give the same answers, only louder; smaller ones
        do not.
        """
        most = max(map(self._accuracy, left))
        equals = [reading for reading in left if self._accuracy(reading) >= most - EQUAL]
        best = max(equals, key=lambda reading: float(np.mean(reading.std)))
        best = self._best_of([reading for reading in left if reading.range == best.range])
        others = [reading for reading in left if not reading.alike(best)]
        names = "; ".join(f"{other.name} ({self._accuracy(other):.1%})" for other in others)
        self.notes.append(
            f"Pixels are given to the network as {best.name}, under which it answers "
            f"{self._accuracy(best):.1%} of {self.count} training images right. No reading won "
            f"clearly, for it does about as well with {names}: if it was trained with one of "
            "them, ask for it by --mean and --std."
        )
        return best

    def _accuracy(self, reading: PixelReading) -> float:
        (trial,) = [trial for trial in self.weighing.left if trial.reading is reading]
        return self.weighing.accuracy[id(trial)]

    def _knows_pictures(self) -> bool:
        """Whether it has learned from pictures, so that a wrong range would spoil something."""
        return self.weighing.fits or has_smooth_filters(self.trying.network)

    def _question(self, left: Sequence[PixelReading]) -> str:
        options = "\n".join(f"  {reading.asked_for}   {reading.name}" for reading in left)
        return (
            "which values the network was trained with cannot be told: "
            f"{len(self.tried)} readings were tried on {self.count} training images, and none won "
            f"clearly. Add that which it was trained with:\n{options}"
        )

    def _unknown(self) -> PixelReading:
        """No reading loses: the data's own statistics, with which training begins well."""
        in_rgb = [reading for reading in self.tried if not reading.reverse] or list(self.tried)
        own = next((r for r in in_rgb if r.range.startswith("the data's")), in_rgb[0])
        self.notes.append(
            f"Pixels are given to the network by {own.name}, for nothing shows what it was trained "
            f"with: {len(self.tried)} readings were tried on {self.count} training images, and "
            "none "
            "won clearly. If it was trained, ask for its values by --mean and --std."
        )
        return own
