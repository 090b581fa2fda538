"""How large something is, in units of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from allotrope.config import Recipe
from allotrope.errors import DataError, UsageError
from allotrope.tasks.contract import Answers, Encoded, Labels, Task, loss_in_float64
from allotrope.tasks.ending import EndingStep
from allotrope.tasks.metric import MAE, R2, RMSE, Metric
from allotrope.tasks.regression_losses import POISSON, REGRESSION_LOSSES, regression_loss
from allotrope.tasks.residuals import Values, errors, farthest, points, quantiles
from allotrope.wording import significant


@dataclass(frozen=True, kw_only=True)
class Regression(Task):
    """One number or a row of them; labels are floats [n] or [n, k], NaN if unknown.

    The network learns (label - mean) / deviation, each of the training split; the delivered file
    answers in units, [n, k]. `parts` name the numbers of a row.
    """

    kind: ClassVar[str] = "regression"
    metrics: ClassVar[tuple[Metric, ...]] = (RMSE, MAE, R2)
    losses: ClassVar[tuple[str, ...]] = REGRESSION_LOSSES

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    parts: tuple[str, ...] = ()
    unit: str = ""
    metric: Metric = RMSE
    minimized: str = "mean-squared-error"
    quantile: float = 0.5

    @property
    def size(self) -> int:
        """The numbers of an answer."""
        return len(self.mean)

    @property
    def level(self) -> str:
        """The quantity, if it is one number."""
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.name}{unit}" if self.size == 1 else ""

    def metric_text(self, value: float) -> str:
        """An error is in the unit of the labels; R² has none."""
        unit = self.unit * self.metric.relative
        return f"{super().metric_text(value)} {unit}".rstrip()

    def counted(self, labels: Labels) -> dict[str, Any]:
        """How many labels are known, where they lie, and how many are missing."""
        values = _rows(labels)
        known = values[~np.isnan(values)]
        counts = super().counted(labels)
        if not len(known):
            return counts
        ends = {"lowest": known.min(), "mean": known.mean(), "highest": known.max()}
        return {**counts, **{name: float(value) for name, value in ends.items()}}

    def described(self, labels: Labels) -> str:
        """From where to where, and the mean."""
        counts = self.counted(labels)
        gaps = f", missing in {counts['missing']:,}" if counts["missing"] else ""
        lowest, mean, highest = (
            significant(counts[name], 6) for name in ("lowest", "mean", "highest")
        )
        return f"{lowest} to {highest}, {mean} on average{gaps}"

    def problems(self, split: str, labels: Labels) -> list[str]:
        """Infinities, no label at all, and in training a number that never varies."""
        values = _rows(labels)
        infinite = np.flatnonzero(np.isinf(values).any(axis=1))
        if len(infinite):
            named = ", ".join(str(row) for row in infinite[:5])
            return [f"'{self.name}' has {len(infinite)} infinite values in {split} (rows {named})"]
        known = ~np.isnan(values)
        if not known.any():
            return [f"'{self.name}' has no label in {split}"]
        if split != "train":
            return []
        return [
            f"'{self._part(index)}' {_sameness(column)} in {split}"
            for index, column in enumerate(values.T)
            if len(np.unique(column[~np.isnan(column)])) < 2
        ]

    def trained_by(self, recipe: Recipe, labels: Labels) -> Self:
        """The loss's name, and mean and deviation of what is known."""
        values, minimized = _rows(labels), self.takes(recipe.loss)
        mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        if minimized == POISSON:
            self._check_counts(values)
            # A count is a multiple of the mean count, of which the network gives the logarithm.
            mean, deviation = np.zeros_like(mean), mean
        return replace(
            self,
            minimized=minimized,
            quantile=recipe.quantile,
            mean=tuple(mean.tolist()),
            deviation=tuple(deviation.tolist()),
        )

    def _check_counts(self, values: Values) -> None:
        """Raises UsageError for labels that are no counts."""
        below = int((values < 0).sum())
        if below:
            raise UsageError(
                f"loss {POISSON} is for counts, and '{self.name}' has {below} values below 0, down "
                f"to {np.nanmin(values):g}. Take {', '.join(self.losses[:3])}."
            )

    def encode(self, labels: Labels) -> Encoded:
        """Standardized values; those that are unknown are 0 and count nothing."""
        values = (_rows(labels) - np.asarray(self.mean)) / np.asarray(self.deviation)
        unknown = np.isnan(values)
        targets = np.where(unknown, 0, values).astype(np.float32)
        if not unknown.any():
            return Encoded(targets, None)
        weights = np.asarray(~unknown, np.float32)
        return Encoded(targets, weights[:, 0] if labels.ndim == 1 else weights)

    def loss(self, p: Any, output: Any, target: Any, weight: Any | None) -> Any:
        """Of standardized values, so that tasks in different units count alike."""
        return regression_loss(p, self.minimized, output, target, weight, self.quantile)

    def scores(self, output: Answers, labels: Labels) -> dict[str, float]:
        """The loss that is minimized; RMSE, MAE in units and R²."""
        known = self._known(self.answers(output), labels)
        return {"loss": loss_in_float64(self, output, labels), **errors(*known)}

    def ending(self) -> Sequence[EndingStep]:
        """Values in units: times the deviation, plus the mean; of counts first exp."""
        if self.minimized == POISSON:
            return (EndingStep("Exp"), EndingStep("Mul", np.asarray(self.deviation)))
        return (
            EndingStep("Mul", np.asarray(self.deviation)),
            EndingStep("Add", np.asarray(self.mean)),
        )

    def answers(self, output: Answers) -> Answers:
        """Values in units, in float64."""
        if self.minimized == POISSON:
            return np.exp(output.astype(np.float64)) * np.asarray(self.deviation)
        return output.astype(np.float64) * np.asarray(self.deviation) + np.asarray(self.mean)

    def raw(self, answers: Answers) -> Answers:
        """Standardized values, or logarithms of counts, in float64."""
        if self.minimized == POISSON:
            counts = np.maximum(answers.astype(np.float64), np.finfo(np.float64).tiny)
            return np.asarray(np.log(counts / np.asarray(self.deviation)))
        values = answers.astype(np.float64) - np.asarray(self.mean)
        return np.asarray(values / np.asarray(self.deviation))

    def answered(self, answers: Answers, labels: Labels) -> float:
        """The metric, from values in units."""
        return errors(*self._known(answers, labels)).get(self.metric.name, float("nan"))

    def constant(self, labels: Labels) -> tuple[Answers, str]:
        """The mean, which has the least squared error, or the median, the least absolute one."""
        values = _rows(labels)
        if self.metric == MAE:
            return np.nanmedian(values, axis=0), "always the training median"
        return np.nanmean(values, axis=0), "always the training mean"

    def account(self, output: Answers, labels: Labels, listed: int = 16) -> dict[str, Any]:
        """`scores`, `points`, `quantiles` of the error, `worst` examples.

        `guess`: RMSE of the mean.

        A row of several numbers has an account for each of them in `parts`.
        """
        answers, values = self.answers(output), _rows(labels)
        scores = self.scores(output, labels)
        if self.size == 1:
            return {**scores, **self._account(answers, values, 0, listed)}
        few = max(1, listed // self.size)
        parts = {
            self._part(index): self._account(answers, values, index, few)
            for index in range(self.size)
            if not np.isnan(values[:, index]).all()
        }
        return {**scores, "parts": parts}

    def _account(self, answers: Answers, values: Values, index: int, listed: int) -> dict[str, Any]:
        rows = np.flatnonzero(~np.isnan(values[:, index]))
        answered, truth = answers[rows, index], values[rows, index]
        return {
            **errors(answered, truth),
            "guess": float(np.sqrt(np.mean((truth - self._usual(index)) ** 2))),
            "quantiles": quantiles(answered, truth),
            "points": points(answered, truth),
            "worst": farthest(answered, truth, rows, listed),
        }

    def _usual(self, index: int) -> float:
        """The mean of the training labels."""
        return self.deviation[index] if self.minimized == POISSON else self.mean[index]

    def _part(self, index: int) -> str:
        if self.size == 1:
            return self.name
        return self.parts[index] if self.parts else f"{self.name}[{index}]"

    def _known(self, answers: Answers, labels: Labels) -> tuple[Values, Values]:
        """All numbers that are known, one after another. Raises: DataError if there are none."""
        values = _rows(labels)
        known = ~np.isnan(values)
        if not known.any():
            raise DataError(f"there are no examples to judge '{self.name}' by; one is needed.")
        return answers.astype(np.float64)[known], values[known]


def _rows(labels: Labels) -> NDArray[np.float64]:
    """Labels [n] or [n, k] as float64 [n, k]."""
    return labels.astype(np.float64).reshape(len(labels), -1)


def _sameness(column: Values) -> str:
    known = column[~np.isnan(column)]
    return f"is always {known[0]:g}" if len(known) else "has no label"
