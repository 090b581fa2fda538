"""What speaks for and against each reading of a network's input, once all were tried.

Evidence only rules readings out, and each kind of it only where it is sure: what is left is what
the network may be meant to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.inputs.image.pretrained.trial import Trial

SURE = 3.5
"""How many standard deviations two counts of right answers must lie apart (McNemar 1947)."""
SURE_OF_OTHERS = 5.0
"""The same where the answers are about other classes than the data's, on which a wrong reading may
do better by chance."""
LEANING, SURE_LIKELIHOOD = 1.5, 4.0
"""If right answers lie this far apart, a mean loss decides that is so many standard errors larger.

Alone it does not: values that are too large shout the same answers, and if these are right, the
loss is smaller."""
FAR = (3.0, 0.05)
"""A reading is out whose distance from the network's statistics is this many times the least, and
this much, larger."""
FITS = 0.045
"""The largest distance at which statistics count as met: networks on images like those they learned
from have 0.001 to 0.02."""
NEAR = (1.25, 0.002)
"""If they are met, a reading is out whose distance is this many times the least, and this much,
larger."""
BRIGHTNESS, CONTRAST = (95.0, 140.0), (50.0, 80.0)
"""Mean and deviation of the pixels of usual photographs: the farther the data is from them, the
less can be told."""
RIDGE = 0.01


@dataclass
class Weighing:
    """Readings that are `left`, and by each kind of evidence how good the others were."""

    trials: Sequence[Trial]
    left: list[Trial]
    scores: dict[str, Mapping[int, float]] = field(default_factory=dict)
    accuracy: Mapping[int, float] = field(default_factory=dict)
    """Of each trial, by its identity, if the network's classes may be the data's."""
    above_chance: bool = False
    fits: bool = False


def weigh(
    trials: Sequence[Trial], images: np.ndarray, labels: np.ndarray, same_classes: bool
) -> Weighing:
    """What is left of the readings that were tried on `images` [n, h, w, c] with `labels` [n].

    `same_classes`: whether the network's classes may be the data's, in their order.
    """
    weighing = Weighing(trials, [trial for trial in trials if trial.finite])
    if not weighing.left:
        return weighing
    if trials[0].distances:
        _by_statistics(weighing, images)
    if same_classes:
        _by_answers(weighing, labels)
    if not weighing.above_chance:
        _by_separation(weighing, labels)
    return weighing


# --- the statistics of its normalizations


def _by_statistics(weighing: Weighing, images: np.ndarray) -> None:
    best = min(weighing.left, key=lambda trial: trial.distance)
    weighing.fits = best.distance <= FITS

    def out(trial: Trial) -> bool:
        if weighing.fits:
            times, more = NEAR
        else:
            times, more = FAR
        behind = trial.distance > times * best.distance + more
        return behind and _told_apart(trial, best, images)

    _rule_out(weighing, "statistics", out, lambda trial: -trial.distance)


def _told_apart(trial: Trial, best: Trial, images: np.ndarray) -> bool:
    """Whether two readings differ by more than the data differs from usual photographs.

    Images of half the usual contrast look, under one reading, as usual ones do under another that
    halves.
    """
    one, other = trial.reading, best.reading
    if one.alike(other):
        return True
    dark, light = BRIGHTNESS
    flat, strong = CONTRAST
    mean, deviation = float(images.mean()), max(float(images.std()), 1.0)
    brightness = max(dark - mean, mean - light, 0.0)
    contrast = max(float(np.log(flat / deviation)), float(np.log(deviation / strong)), 0.0)
    odd = max(contrast, brightness / 40)
    scale = abs(np.log(np.mean(one.std) / np.mean(other.std)))
    shift = abs(np.mean(one.mean) - np.mean(other.mean))
    return bool(scale > 2.5 * odd + 0.1 or (scale < 0.1 and shift > 4 * brightness + 60))


# --- its answers, if its classes are the data's


def _by_answers(weighing: Weighing, labels: np.ndarray) -> None:
    right = {id(trial): trial.logits.argmax(1) == labels for trial in weighing.left}
    losses = {id(trial): _losses(trial.logits, labels) for trial in weighing.left}
    best = max(
        weighing.left, key=lambda trial: (right[id(trial)].mean(), -losses[id(trial)].mean())
    )
    weighing.accuracy = {key: float(answers.mean()) for key, answers in right.items()}
    guessing = np.bincount(labels).max() / len(labels)
    deviation = np.sqrt(guessing * (1 - guessing) / len(labels)) + 1e-9
    weighing.above_chance = bool(right[id(best)].mean() > guessing + SURE * deviation)
    if not weighing.above_chance:
        return

    def out(trial: Trial) -> bool:
        behind = _apart(right[id(best)], right[id(trial)])
        worse = losses[id(trial)] - losses[id(best)]
        unlikely = worse.mean() / (worse.std() / np.sqrt(len(worse)) + 1e-12)
        return behind >= SURE or (behind >= LEANING and unlikely >= SURE_LIKELIHOOD)

    _rule_out(weighing, "accuracy", out, lambda trial: weighing.accuracy[id(trial)])


def _losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of each example; at most 20, so that no single one decides."""
    shifted = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    return np.minimum(losses, 20.0)


# --- whether its answers tell the data's classes apart, whatever they mean


def _by_separation(weighing: Weighing, labels: np.ndarray) -> None:
    classes = len(np.unique(labels))
    if len(labels) < 4 * classes or weighing.left[0].logits.shape[1] < 2:
        return
    right = {id(trial): _separated(trial.logits, labels) for trial in weighing.left}
    best = max(weighing.left, key=lambda trial: right[id(trial)].mean())

    def out(trial: Trial) -> bool:
        # The order of colours changes little in what is told apart: another one may be of more use
        # to this data.
        other_range = not trial.reading.alike(best.reading)
        return other_range and _apart(right[id(best)], right[id(trial)]) >= SURE_OF_OTHERS

    _rule_out(weighing, "separation", out, lambda trial: float(right[id(trial)].mean()))


def _separated(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which examples a ridge regression on the answers of all others gives the right class: [n]."""
    spread = logits.std(0)
    scaled = (logits - logits.mean(0)) / np.where(spread > 0, spread, 1)
    features = np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)
    target = np.eye(labels.max() + 1)[labels]
    # The hat matrix over examples, of which there are fewer than numbers in an answer, gives all
    # left-out predictions at once.
    kernel = features @ features.T
    hat = kernel @ np.linalg.inv(kernel + RIDGE * len(labels) * np.eye(len(labels)))
    left_out = target - (target - hat @ target) / (1 - np.diag(hat))[:, None]
    return np.asarray(left_out.argmax(1) == labels)


# ---


def _apart(better: np.ndarray, worse: np.ndarray) -> float:
    """Standard deviations between two series of answers to the same questions (McNemar 1947)."""
    difference = better.astype(int) - worse
    differing = int(np.count_nonzero(difference))
    return float(difference.sum() / max(differing, 1) ** 0.5)


def _rule_out(
    weighing: Weighing, kind: str, out: Callable[[Trial], bool], score: Callable[[Trial], float]
) -> None:
    staying = [trial for trial in weighing.left if not out(trial)]
    if len(staying) < len(weighing.left):
        weighing.scores[kind] = {id(trial): score(trial) for trial in weighing.left}
    weighing.left = staying
