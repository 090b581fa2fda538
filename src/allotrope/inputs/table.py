"""Rows of numbers as an input: raw numbers in, standardized by nodes in front of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from allotrope.errors import DataError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.image.mixing import mixup
from allotrope.inputs.mixture import Mixture
from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained
from allotrope.wording import counted

COLUMNS_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Table(Input):
    """A row float32 [n, len(columns)] of numbers in the user's units; NaN if one is missing.

    `mean` and `std` are of the training rows. A column of which numbers are `missing` there has a
    second feature that says so.
    """

    kind: ClassVar[str] = "table"

    columns: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()

    @property
    def features(self) -> int:
        """How many numbers an example has behind `prepare`."""
        return len(self.columns) + len(self.missing)

    def value(self) -> Value:
        """float32 ["n", columns]."""
        return Value(self.name, np.dtype(np.float32), ("n", len(self.columns)))

    def fitted(self, x: np.ndarray) -> Self:
        """With mean and deviation of each column, without what is missing."""
        known = ~np.isnan(x)
        count = np.maximum(known.sum(0), 1)
        values = np.where(known, x, 0).astype(np.float64)
        mean = values.sum(0) / count
        square = np.where(known, (values - mean) ** 2, 0).sum(0) / count
        std = np.sqrt(square)
        std[std < 1e-12 * np.maximum(np.abs(mean), 1e-300)] = 1.0  # constant, but for rounding
        gaps = np.flatnonzero(~known.all(0))
        return replace(
            self,
            mean=tuple(mean.tolist()),
            std=tuple(np.where(std > 0, std, 1.0).tolist()),
            missing=tuple(gaps.tolist()),
        )

    def draw_mixture(
        self, count: int, rng: np.random.Generator, strength: Augmentation
    ) -> Mixture | None:
        """Mixup; there is nothing to cut boxes from."""
        return mixup(count, rng, strength.mixup) if strength.mixup else None

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Each row blended with another one; a number is missing if it is in one of the two."""
        return mixture.blended(x)

    def described(self, x: np.ndarray) -> str:
        """The columns, and in how many rows numbers are missing."""
        shown = ", ".join(self.columns[:COLUMNS_SHOWN])
        more = len(self.columns) - COLUMNS_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        gaps = int(np.isnan(x).any(1).sum())
        numbers = counted(len(self.columns), "number")
        text = f"{numbers} ({shown}{rest})"
        return f"{text}; some are missing in {gaps:,} of {len(x):,} rows" if gaps else text

    def prepare(self, network: Network) -> Network:
        """Raw numbers in place of float32 [n, features].

        Each is (number - mean) / std, 0 if it is missing; behind these a 1 for each of the
        `missing` columns that is.
        """
        self._check(network)
        inner = f"{self.name}.standardized"
        return chained(self._preparation(inner), network.renamed({self.name: inner}))

    def _preparation(self, output: str) -> Network:
        build = Builder(self.name)
        x = build.input(self.name, np.float32, ("n", len(self.columns)))
        mean = build.constant(np.asarray(self.mean, np.float32), f"{self.name}.mean")
        std = np.asarray(self.std, np.float32)
        scale = build.constant(std, f"{self.name}.std")
        gaps = build.add("IsNaN", [x], name=f"{self.name}.gaps")
        filled = build.add("Where", [gaps, mean, x], name=f"{self.name}.filled")
        centered = build.add("Sub", [filled, mean], name=f"{self.name}.centered")
        features = build.add("Div", [centered, scale], name=f"{self.name}.scaled")
        if self.missing:
            columns = build.constant(np.asarray(self.missing, np.int64), f"{self.name}.missing")
            chosen = build.add("Gather", [gaps, columns], {"axis": 1}, name=f"{self.name}.chosen")
            flags = build.add("Cast", [chosen], {"to": 1}, name=f"{self.name}.flags")
            features = build.add(
                "Concat", [features, flags], {"axis": 1}, name=f"{self.name}.features"
            )
        build.output(features, output)
        return build.network()

    def _check(self, network: Network) -> None:
        x = next((value for value in network.inputs if value.name == self.name), None)
        fits = x is not None and x.dtype == np.float32 and x.shape is not None
        if not fits or x is None or x.shape is None or x.shape[1:] != (self.features,):
            listed = ", ".join(f"'{x.name}' {x.dtype} {x.shape}" for x in network.inputs)
            raise UsageError(
                f"input '{self.name}' needs a network with an input of its name, float32 "
                f"[n, {self.features}]; this network takes {listed or 'nothing'}."
            )

    def read(self, argument: str) -> np.ndarray:
        """A row from numbers with commas between them; nothing between two commas is missing.

        Raises: DataError if there are not as many as columns, or one is no number.
        """
        cells = [cell.strip() for cell in argument.split(",")]
        try:
            row = [float(cell) if cell else np.nan for cell in cells]
        except ValueError:
            row = []
        if len(row) != len(self.columns):
            raise DataError(
                f"'{argument}' is no row of '{self.name}': expected "
                f"{counted(len(self.columns), 'number')} with commas between them, for "
                f"{', '.join(self.columns)}."
            )
        return np.asarray(row, np.float32)

    def show(self, x: np.ndarray) -> Shown:
        """A cell a column."""
        cells = zip(self.columns, x.tolist(), strict=True)
        return Shown(cells=tuple((name, "" if np.isnan(v) else f"{v:.6g}") for name, v in cells))
