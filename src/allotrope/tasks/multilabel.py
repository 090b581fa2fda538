"""Which of several labels an example has: none, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from allotrope.config import Recipe
from allotrope.errors import DataError, unknown_name
from allotrope.tasks.class_losses import CLASS_WEIGHTS
from allotrope.tasks.contract import Answers, Encoded, Labels, Task, loss_in_float64
from allotrope.tasks.ending import EndingStep
from allotrope.tasks.flag_figures import Flags, areas, counts, f1_scores, most_wrong, per_label
from allotrope.tasks.flag_losses import FLAG_LOSSES, balanced
from allotrope.tasks.means import missing
from allotrope.tasks.metric import MACRO_AUC, MACRO_F1, MICRO_F1, Metric
from allotrope.tasks.thresholds import BELIEVED, USUAL, best_threshold
from allotrope.wording import agreeing, counted

LABELS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class MultiLabel(Task):
    """Each of `labels` is there or not: a column [n, k] of 1 and 0.

    NaN, or -1 in integers, if unknown.

    The network gives logits, the delivered file probabilities [n, k]; a label is given from its
    threshold on. `balance` says what a flag that is set, and one that is not, count in the loss.
    """

    kind: ClassVar[str] = "multilabel"
    metrics: ClassVar[tuple[Metric, ...]] = (MACRO_F1, MICRO_F1, MACRO_AUC)
    losses: ClassVar[tuple[str, ...]] = tuple(FLAG_LOSSES)

    labels: tuple[str, ...]
    thresholds: tuple[float, ...] = ()
    metric: Metric = MACRO_F1
    minimized: str = "binary-cross-entropy"
    balance: tuple[tuple[float, ...], ...] | None = None

    @property
    def size(self) -> int:
        """The number of labels."""
        return len(self.labels)

    @cached_property
    def _thresholds(self) -> NDArray[np.float64]:
        return np.asarray(self.thresholds or (USUAL,) * self.size)

    @cached_property
    def _balance(self) -> NDArray[np.float32] | None:
        if self.balance is None:
            return None
        balance = np.asarray(self.balance, np.float32)
        balance.flags.writeable = False  # frameworks keep constants that cannot change
        return balance

    def counted(self, labels: Labels) -> dict[str, Any]:
        """How many examples have each label."""
        flags = np.count_nonzero(labels == 1, axis=0)
        return dict(zip(self.labels, flags.tolist(), strict=True))

    def described(self, labels: Labels) -> str:
        """How many examples have each label, the most frequent first."""
        ordered = sorted(self.counted(labels).items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:LABELS_SHOWN])
        more = f" and {len(ordered) - LABELS_SHOWN} more" if len(ordered) > LABELS_SHOWN else ""
        return f"{counted(self.size, 'label')} ({shown}{more})"

    def problems(self, split: str, labels: Labels) -> list[str]:
        """Flags that are neither 0 nor 1, no flag at all, in training labels that never vary."""
        flags = _flags(labels)
        known = flags[~np.isnan(flags)]
        if not len(known):
            return [f"'{self.name}' has no label in {split}"]
        others = np.unique(known[(known != 0) & (known != 1)])
        if len(others):
            shown = ", ".join(f"{value:g}" for value in others[:5])
            return [f"'{self.name}' has {shown} in {split}, expected 0 or 1"]
        if split != "train":
            return []
        return [
            f"'{self.name}': label '{name}' {_sameness(column)} in {split}"
            for name, column in zip(self.labels, flags.T, strict=True)
            if len(np.unique(column[~np.isnan(column)])) < 2
        ]

    def trained_by(self, recipe: Recipe, labels: Labels) -> Self:
        """What set and unset flags count. Smoothing is for classes, of which one must be right."""
        if recipe.class_weights not in CLASS_WEIGHTS:
            raise unknown_name("class weighting", recipe.class_weights, CLASS_WEIGHTS)
        balance = None
        if recipe.class_weights == "balanced":
            balance = tuple(map(tuple, balanced(_flags(labels)).tolist()))
        return replace(self, minimized=self.takes(recipe.loss), balance=balance)

    def encode(self, labels: Labels) -> Encoded:
        """Flags as they are; those that are unknown are 0 and count nothing."""
        flags = _flags(labels)
        unknown = np.isnan(flags)
        targets = np.where(unknown, 0, flags).astype(np.float32)
        return Encoded(targets, np.asarray(~unknown, np.float32) if unknown.any() else None)

    def loss(self, p: Any, output: Any, target: Any, weight: Any | None) -> Any:
        """Binary cross-entropy from logits, or the focal one."""
        return FLAG_LOSSES[self.minimized](p, output, target, weight, self._balance)

    def as_targets(self, answers: Answers) -> NDArray[np.float32]:
        """The probabilities."""
        return np.asarray(answers, np.float32)

    def taught(self, output: Answers) -> NDArray[np.float32]:
        """The teacher's probabilities."""
        return np.asarray(self.answers(output), np.float32)

    def scores(self, output: Answers, labels: Labels) -> dict[str, float]:
        """The loss without balance; macro and micro F1; the mean area of the labels."""
        flags = self._known(labels)
        plain = replace(self, balance=None)
        return {
            "loss": loss_in_float64(plain, output, labels),
            **self._figures(self.answers(output), output, flags),
        }

    def settled(self, output: Answers, labels: Labels) -> Self:
        """With the threshold of the best F1 for each label, in part as it is expected."""
        probabilities, flags = self.answers(output), _flags(labels)
        known = ~np.isnan(flags)
        thresholds = [
            best_threshold(probabilities[known[:, k], k], flags[known[:, k], k] == 1, BELIEVED)
            for k in range(self.size)
        ]
        return replace(self, thresholds=tuple(thresholds))

    def ending(self) -> Sequence[EndingStep]:
        """Sigmoid."""
        return (EndingStep("Sigmoid"),)

    def answers(self, output: Answers) -> Answers:
        """Probabilities, in float64."""
        return 1 / (1 + np.exp(-np.clip(output.astype(np.float64), -700, 700)))

    def raw(self, answers: Answers) -> Answers:
        """Logits, in float64; those of 0 and 1 are large numbers."""
        least = np.finfo(np.float32).eps / 2
        sure = np.clip(answers.astype(np.float64), np.finfo(np.float64).tiny, 1 - least)
        return np.asarray(np.log(sure) - np.log1p(-sure))

    def answered(self, answers: Answers, labels: Labels) -> float:
        """The metric, from probabilities."""
        flags = self._known(labels)
        # An interval asks a thousand times, and areas take longer than all else.
        figures = self._f1(answers, flags)
        if self.metric.name not in figures:
            figures = self._figures(answers, answers, flags)
        return figures.get(self.metric.name, float("nan"))

    def constant(self, labels: Labels) -> tuple[Answers, str]:
        """All labels: F1 of each is the better the more examples are said to have it.

        By micro F1 only the most frequent ones, as many as are worth the false ones among them.
        """
        if self.metric != MICRO_F1:
            return np.ones(self.size), "always all labels"
        shares = np.nanmean(_flags(labels), axis=0)
        order = np.argsort(-shares, kind="stable")
        # F1 = 2 * hits / (said + there), in shares of the examples, of the first 1, 2, … labels.
        figures = 2 * np.cumsum(shares[order]) / (np.arange(1, self.size + 1) + shares.sum())
        said = order[: 1 + int(figures.argmax())]
        answer = np.zeros(self.size)
        answer[said] = 1.0
        return answer, f"always the most frequent {agreeing(len(said), 'label')}"

    def account(self, output: Answers, labels: Labels, listed: int = 16) -> dict[str, Any]:
        """`scores`, `per_label`, and the `worst` examples."""
        probabilities, flags = self.answers(output), _flags(labels)
        table = counts(probabilities >= self._thresholds, flags)
        return {
            **self.scores(output, labels),
            "per_label": per_label(self.labels, table, areas(output, flags), self._thresholds),
            "worst": most_wrong(probabilities, flags, self.labels, listed),
        }

    def _figures(self, answers: Answers, ranked: Answers, flags: Flags) -> dict[str, float]:
        """F1 of the probabilities.

        The mean area by what ranks the same and is not rounded to 0 or 1.
        """
        figures = self._f1(answers, flags)
        defined = [area for area in areas(ranked, flags) if area is not None]
        return {**figures, **({"macro_auc": float(np.mean(defined))} if defined else {})}

    def _f1(self, answers: Answers, flags: Flags) -> dict[str, float]:
        return f1_scores(counts(answers >= self._thresholds, flags))

    def _known(self, labels: Labels) -> Flags:
        """The flags. Raises: DataError if none is known."""
        flags = _flags(labels)
        if np.isnan(flags).all():
            raise DataError(f"there are no examples to judge '{self.name}' by; one is needed.")
        return flags


def _flags(labels: Labels) -> Flags:
    """The column as float64 [n, k], NaN if missing."""
    flags = labels.astype(np.float64)
    flags[missing(labels)] = np.nan
    return flags


def _sameness(column: NDArray[np.float64]) -> str:
    known = column[~np.isnan(column)]
    if not len(known):
        return "has no flag"
    return "is always there" if known[0] else "is never there"
