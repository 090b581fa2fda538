"""Which one of several classes an example belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from allotrope.config import Recipe
from allotrope.errors import DataError, UsageError
from allotrope.network.network import Network
from allotrope.tasks.calibration import best_temperature, calibration
from allotrope.tasks.class_losses import (
    CLASS_LOSSES,
    LOGIT_ADJUSTED,
    ORDINAL,
    class_weights,
    cross_entropy,
)
from allotrope.tasks.confusion import (
    Codes,
    area_under_curve,
    confusion,
    macro_f1,
    per_class,
    quadratic_kappa,
    typical_answers,
    worst_mistakes,
)
from allotrope.tasks.contract import (
    Answers,
    Encoded,
    Explained,
    Labels,
    Task,
    loss_in_float64,
)
from allotrope.tasks.embedding_losses import EMBEDDING_LOSSES
from allotrope.tasks.ending import EndingStep
from allotrope.tasks.means import missing
from allotrope.tasks.metric import ACCURACY, AUC, KAPPA, MACRO_F1, Metric
from allotrope.tasks.operating_point import at_operating_point, best_operating_point
from allotrope.tasks.probabilities import log_softmax, softmax, surprise

CLASSES_SHOWN = 20
TEMPERATURE = 4.0
"""By which a teacher's logits and its student's are divided."""
EXPLAINED = 4
"""So many right answers are explained, and as many wrong ones."""


@dataclass(frozen=True, kw_only=True)
class Classification(Task):
    """One of `classes`; labels are their numbers, int64 [n], below 0 if unknown.

    The network gives logits, the delivered file probabilities [n, k]: those of the logits divided
    by the `temperature`. Of two classes the second is the positive one, and `operating_point` is a
    threshold of its probability.
    """

    kind: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, MACRO_F1, AUC, KAPPA)
    losses: ClassVar[tuple[str, ...]] = tuple(CLASS_LOSSES)
    ballot: ClassVar[str | None] = "Hardmax"

    classes: tuple[str, ...]
    metric: Metric = ACCURACY
    minimized: str = "cross-entropy"
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    log_shares: tuple[float, ...] | None = None
    temperature: float = 1.0
    operating_point: float | None = None

    @property
    def size(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def decided_by(self, name: str) -> Self:
        """As for every task; the area under a curve needs two classes."""
        if name == AUC.name and self.size != 2:
            raise UsageError(
                f"metric auc does not fit '{self.name}': it needs two classes, found {self.size}. "
                f"Take {ACCURACY.name} or {MACRO_F1.name}."
            )
        if name == KAPPA.name and not self._ordered:
            raise UsageError(
                f"metric {name} does not fit {self._without_order} or take {ACCURACY.name} or "
                f"{MACRO_F1.name}."
            )
        return super().decided_by(name)

    @property
    def _ordered(self) -> bool:
        """Whether there are several classes and their names are numbers that rise."""
        if self.size < 3 or not all(re.fullmatch(r"-?\d+", name) for name in self.classes):
            return False
        numbers = list(map(int, self.classes))
        return all(low < high for low, high in pairwise(numbers))

    @property
    def _without_order(self) -> str:
        """The task as one whose classes are not known to have an order, and a remedy."""
        listed = ", ".join(map(repr, self.classes[:CLASSES_SHOWN]))
        return (
            f"'{self.name}': it needs classes in an order, found {listed}. Number them in a column "
            "of a table, such as 0, 1, 2 (names of folders: 00, 01, 02),"
        )

    def misfit(self, loss: str) -> str:
        """Ordered classes have their own loss, others not."""
        if loss != ORDINAL or self._ordered:
            return ""
        return f"loss {loss} does not fit {self._without_order} or take another loss."

    def counted(self, labels: Labels) -> dict[str, Any]:
        """How many examples each class has."""
        counts = np.bincount(labels[~missing(labels)], minlength=self.size)
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def described(self, labels: Labels) -> str:
        """From how many to how many a class has, and the first classes by that."""
        counts = self.counted(labels)
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:CLASSES_SHOWN])
        more = f" and {len(ordered) - CLASSES_SHOWN} more" if len(ordered) > CLASSES_SHOWN else ""
        return f"{min(counts.values()):,} to {max(counts.values()):,} ({shown}{more})"

    def problems(self, split: str, labels: Labels) -> list[str]:
        """Codes out of range, no label at all, and in training a single class."""
        known = labels[~missing(labels)]
        if not len(known):
            return [f"'{self.name}' has no label in {split}"]
        if known.max() >= self.size:
            return [f"'{self.name}' has class {known.max()} in {split}, expected below {self.size}"]
        if split == "train" and len(np.unique(known)) < 2:
            return [f"'{self.name}' is always '{self.classes[known[0]]}' in {split}"]
        return []

    def trained_by(self, recipe: Recipe, labels: Labels) -> Self:
        """The loss's name, its smoothing and the weights of classes."""
        counts = np.bincount(labels[~missing(labels)], minlength=self.size)
        weights = class_weights(recipe.class_weights, counts)
        minimized, log_shares = self.takes(recipe.loss), None
        # Classes that are drawn equally often are equally frequent to the network.
        if minimized == LOGIT_ADJUSTED and recipe.sampling != "balanced":
            # A class without examples counts as one with one.
            log_shares = tuple(np.log(np.maximum(counts, 1) / counts.sum()).tolist())
        return replace(
            self,
            minimized=minimized,
            log_shares=log_shares,
            label_smoothing=recipe.label_smoothing,
            class_weights=None if weights is None else tuple(weights.tolist()),
        )

    def encode(self, labels: Labels) -> Encoded:
        """One-hot rows; a class that is unknown is a row of zeros that counts nothing."""
        unknown = missing(labels)
        if not unknown.any():
            return Encoded(self._one_hot[labels], None)
        targets = self._one_hot[np.where(unknown, 0, labels)]
        weights = np.asarray(~unknown, np.float32)
        return Encoded(targets * weights[:, None], weights)

    @cached_property
    def _one_hot(self) -> NDArray[np.float32]:
        return np.eye(self.size, dtype=np.float32)

    @cached_property
    def _weights(self) -> NDArray[np.float32] | None:
        return _constant(self.class_weights)

    @cached_property
    def _shares(self) -> NDArray[np.float32] | None:
        return _constant(self.log_shares)

    def loss(self, p: Any, output: Any, target: Any, weight: Any | None) -> Any:
        """What `CLASS_LOSSES` has for its name, of logits."""
        if self._shares is not None:
            output = p.add(output, p.cast(p.constant(self._shares), p.dtype(output)))
        compute = CLASS_LOSSES[self.minimized]
        smoothing, weights = self.label_smoothing, self._weights
        return compute(p, output, target, weight, label_smoothing=smoothing, weights=weights)

    def as_targets(self, answers: Answers) -> NDArray[np.float32]:
        """The probabilities."""
        return np.asarray(answers, np.float32)

    def taught(self, output: Answers) -> NDArray[np.float32]:
        """The teacher's probabilities at `TEMPERATURE`, which show what it takes for alike."""
        return np.asarray(softmax(output.astype(np.float64) / TEMPERATURE), np.float32)

    def loss_of_taught(self, p: Any, output: Any, target: Any) -> Any:
        """Cross-entropy at `TEMPERATURE`, times its square, as which its gradients shrink."""
        each = cross_entropy(p, p.divide(output, TEMPERATURE), target)
        return p.multiply(each, TEMPERATURE**2)

    def scores(self, output: Answers, labels: Labels) -> dict[str, float]:
        """Accuracy as a fraction, the mean loss without smoothing and weights.

        AUC if there are two classes.
        """
        output, labels = self._known(output, labels)
        scores = {
            "accuracy": float(np.mean(output.argmax(axis=1) == labels)),
            "loss": self._plain_loss(output, labels),
        }
        area = area_under_curve(output, labels)
        if area is not None:
            scores["auc"] = area
        if self.metric == MACRO_F1:
            scores["macro_f1"] = self._macro_f1(output, labels)
        if self.metric == KAPPA:
            scores[KAPPA.name] = self._kappa(output, labels)
        return scores

    def _plain_loss(self, logits: Answers, labels: Codes) -> float:
        """The mean loss, each example and class counted once."""
        if self.minimized in _OF_CROSS_ENTROPY:
            return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())
        plain = replace(self, label_smoothing=0.0, class_weights=None)
        return loss_in_float64(plain, logits, labels)

    def settled(self, output: Answers, labels: Labels) -> Self:
        """With the temperature of the least cross-entropy, and of two classes a threshold."""
        output, labels = self._known(output, labels)
        task = replace(self, temperature=best_temperature(output, labels))
        return task._with_operating_point(task.answers(output), labels)

    def settled_by(self, answers: Answers, labels: Labels) -> Self:
        """Without a temperature; of two classes with a threshold."""
        return replace(self, temperature=1.0)._with_operating_point(*self._known(answers, labels))

    def _with_operating_point(self, probabilities: Answers, labels: Codes) -> Self:
        if self.size != 2:
            return self
        point = best_operating_point(probabilities[:, 1], labels == 1)
        return replace(self, operating_point=point)

    def ending(self) -> Sequence[EndingStep]:
        """Logits by the temperature, softmax."""
        softmax_step = EndingStep("Softmax", attributes={"axis": -1})
        if self.temperature == 1:
            return (softmax_step,)
        return (EndingStep("Div", np.asarray(self.temperature)), softmax_step)

    def finish(self, network: Network) -> Network:
        """With the names of the classes, in metadata `classes` too if this is the only output."""
        ended = super().finish(network)
        if len(network.outputs) > 1:
            return ended
        return ended.changed(metadata={"classes": json.dumps(list(self.classes))})

    def answers(self, output: Answers) -> Answers:
        """Probabilities, in float64."""
        return softmax(output / self.temperature)

    def raw(self, answers: Answers) -> Answers:
        """Logits but for what all classes have in common, in float64."""
        least = np.finfo(np.float64).tiny
        return np.asarray(np.log(np.maximum(answers.astype(np.float64), least)) * self.temperature)

    def answered(self, answers: Answers, labels: Labels) -> float:
        """The metric, from probabilities."""
        answers, labels = self._known(answers, labels)
        if self.metric == MACRO_F1:
            return self._macro_f1(answers, labels)
        if self.metric == KAPPA:
            return self._kappa(answers, labels)
        if self.metric == AUC:
            area = area_under_curve(answers, labels)
            return float("nan") if area is None else area
        return float(np.mean(answers.argmax(axis=1) == labels))

    def constant(self, labels: Labels) -> tuple[Answers, str]:
        """The most frequent class, which has the best macro F1 of all constant answers too.

        By kappa all are worth 0.
        """
        frequent = int(np.bincount(labels[~missing(labels)], minlength=self.size).argmax())
        return self._one_hot[frequent], f"always '{self.classes[frequent]}'"

    def account(self, output: Answers, labels: Labels, listed: int = 16) -> dict[str, Any]:
        """`scores`, `confusion` (rows true, columns predicted), `per_class`, `mistakes`.

        And `calibration`, with the error that there was `before` the temperature; of two classes
        `operating_point`.
        """
        rows = np.flatnonzero(~missing(labels))
        known, codes = self._known(output, labels)
        probabilities = self.answers(known)
        table = confusion(known.argmax(axis=1), codes, self.size)
        before = calibration(softmax(known), codes)["expected_error"]
        mistakes = worst_mistakes(probabilities, codes, self.classes, listed)
        return {
            **self.scores(output, labels),
            "confusion": table.tolist(),
            "per_class": per_class(table, self.classes),
            "calibration": {**calibration(probabilities, codes), "before": before},
            **self._at_operating_point(probabilities, codes),
            "mistakes": [{**each, "index": int(rows[each["index"]])} for each in mistakes],
        }

    def _at_operating_point(self, probabilities: Answers, labels: Codes) -> dict[str, Any]:
        if self.operating_point is None or len(np.unique(labels)) != 2:
            return {}
        point = at_operating_point(probabilities[:, 1], labels == 1, self.operating_point)
        return {"operating_point": {"positive": self.classes[1], **point}}

    def figures(self, answers: Answers, labels: Labels) -> dict[str, Any]:
        """`calibration`, of the file's probabilities, and their `loss`; of two classes `auc`."""
        known = self._known(answers, labels)
        area = area_under_curve(*known)
        areas = {} if area is None else {"auc": area}
        return {**areas, "loss": surprise(*known), "calibration": calibration(*known)}

    def explained(self, output: Answers, labels: Labels) -> list[Explained]:
        """Typical right answers, and the wrong ones of the most confidence.

        For an answer speaks its logit less the mean of all, as what all have in common changes no
        probability.
        """
        rows = np.flatnonzero(~missing(labels))
        known, codes = self._known(output, labels)
        probabilities = self.answers(known)
        asked = (probabilities, codes, self.classes, EXPLAINED)
        answers = [*typical_answers(*asked), *worst_mistakes(*asked)]
        slopes = self._one_hot[probabilities.argmax(axis=1)] - np.float32(1 / self.size)
        return [
            Explained(
                index := int(rows[each["index"]]),
                {**each, "index": index},
                slopes[each["index"]],
            )
            for each in answers
        ]

    @property
    def level(self) -> str:
        """The probability of the second of two classes."""
        return f"probability of {self.classes[1]}" if self.size == 2 else ""

    def remarks(self, account: dict[str, Any]) -> list[str]:
        """The temperature and what it changed; of two classes what is right at the threshold."""
        remarks = []
        if self.temperature != 1:
            error, before = (account["calibration"][key] for key in ("expected_error", "before"))
            remarks.append(
                f"probabilities of {self.name} are calibrated: logits are divided by "
                f"{self.temperature:.3g}, chosen on validation data; on test data confidence and "
                f"accuracy are {error:.1%} apart on average, {before:.1%} without"
            )
        point = account.get("operating_point")
        if point is not None:
            figures = [
                f"{name} {point[name]['value']:.1%} ({point[name]['low']:.1%} to "
                f"{point[name]['high']:.1%})"
                for name in ("sensitivity", "specificity")
            ]
            remarks.append(
                f"{point['positive']} from {point['threshold']:.1%} on, chosen on validation data: "
                f"{', '.join(figures)} on test"
            )
        return remarks

    def _kappa(self, answers: Answers, labels: Codes) -> float:
        return quadratic_kappa(confusion(answers.argmax(axis=1), labels, self.size))

    def _macro_f1(self, answers: Answers, labels: Codes) -> float:
        return macro_f1(confusion(answers.argmax(axis=1), labels, self.size))

    def _known(self, answers: Answers, labels: Labels) -> tuple[Answers, Codes]:
        """The examples with a label. Raises: DataError if there are none."""
        known = ~missing(labels)
        if not known.any():
            raise DataError(f"there are no examples to judge '{self.name}' by; one is needed.")
        return (answers, labels) if known.all() else (answers[known], labels[known])


_OF_CROSS_ENTROPY = ("cross-entropy", LOGIT_ADJUSTED, "kl-divergence", *EMBEDDING_LOSSES)
"""Losses that are cross-entropy of plain labels."""


def _constant(values: tuple[float, ...] | None) -> NDArray[np.float32] | None:
    """Values of classes as an array that stays as it is."""
    if values is None:
        return None
    array = np.asarray(values, np.float32)
    array.flags.writeable = False  # frameworks keep constants that cannot change
    return array
