"""Rows of a table as an input: numbers and codes in, features for a network by nodes in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from allotrope.errors import DataError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.by_page import each_column, pages
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.mixture import MixedColumns, Mixture, mixed_columns
from allotrope.inputs.table.cell_codes import cell_in_words, coded, dated
from allotrope.inputs.table.cell_numbers import NumberForm, number_in
from allotrope.inputs.table.column_statistics import LARGEST, SMOOTH, statistics_of
from allotrope.inputs.table.date_cycles import Cycle, turned, turned_nodes
from allotrope.inputs.table.front_nodes import Front, front
from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained
from allotrope.wording import counted

COLUMNS_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Table(Input):
    """A row float32 [n, len(columns)] of numbers in the user's units and of codes.

    NaN stands for what is missing. `categories` are the texts of each column of codes, () for one
    of numbers: the first text has code 1; 0 stands for any other. `dates` are the forms of dates,
    "" for other columns; a date is a number, the days since 1970. `written` are samples of numbers
    that are not written plainly (`NumberForm`). () means that no column is so.

    The rest is of the training rows: `center` and `scale` of numbers, the `missing` columns in
    which something lacks, the `levels`: the codes that are frequent enough to learn from, and the
    `cycles` that dates go through.
    """

    kind: ClassVar[str] = "table"
    blends: ClassVar[bool] = True

    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...] = ()
    dates: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()
    levels: tuple[tuple[int, ...], ...] = ()
    cycles: tuple[Cycle, ...] = ()

    @cached_property
    def coded(self) -> tuple[int, ...]:
        """The places of columns of codes."""
        return tuple(place for place, texts in enumerate(self.categories) if texts)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The places of columns of numbers, dates among them."""
        return tuple(place for place in range(len(self.columns)) if place not in set(self.coded))

    @cached_property
    def flags(self) -> tuple[tuple[int, int], ...]:
        """Column and code of each feature that is 1 for this code alone."""
        return tuple((place, code) for place in self.coded for code in self.levels[place])

    @property
    def features(self) -> int:
        """How many numbers an example has behind `prepare`."""
        return len(self.numbers) + len(self.missing) + len(self.flags) + 2 * len(self.cycles)

    def value(self) -> Value:
        """float32 ["n", columns]."""
        return Value(self.name, np.dtype(np.float32), ("n", len(self.columns)))

    def fitted(self, x: np.ndarray) -> Self:
        """With what its features are made by: see `column_statistics`."""
        coded, dates = set(self.coded), self.dates or ("",) * len(self.columns)
        columns = [
            statistics_of(column, place in coded, bool(dates[place]))
            for place, column in enumerate(each_column(x))
        ]
        levels = tuple(column.levels for column in columns) if coded else ()
        gaps = [place for place, column in enumerate(columns) if column.missing]
        cycles = [(place, days) for place, one in enumerate(columns) for days in one.periods]
        return replace(
            self,
            center=tuple(column.center for column in columns),
            scale=tuple(column.scale for column in columns),
            missing=tuple(gaps),
            levels=levels,
            cycles=tuple(cycles),
        )

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Some cells from other rows of the batch, each column apart, if the strength says so."""
        if not strength.swapped_cells:
            return x
        others = np.argsort(rng.random(x.shape), axis=0)
        taken = np.take_along_axis(x, others, axis=0)
        return np.where(rng.random(x.shape) < strength.swapped_cells, taken, x)

    def draw_mixture(
        self, count: int, rng: np.random.Generator, strength: Augmentation
    ) -> Mixture | None:
        """Mixup, or columns of another row; by turns if both are on."""
        turns = bool(strength.mixup and strength.cutmix)
        if strength.cutmix and not (turns and rng.random() < 0.5):
            return mixed_columns(count, len(self.columns), rng, strength.cutmix)
        return super().draw_mixture(count, rng, strength)

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Each row blended with another one, or with columns of it if these are of this table.

        A number is missing if it is in one of the two.

        A code is that of the row with the larger share: between two there is none.
        """
        if isinstance(mixture, MixedColumns) and mixture.taken.shape == x.shape:
            return np.where(mixture.taken, x[mixture.other], x)
        blended = mixture.blended(x)
        for place in self.coded:
            own = mixture.share >= 0.5
            blended[:, place] = np.where(own, x[:, place], x[mixture.other, place])
        return blended

    def described(self, x: np.ndarray) -> str:
        """The columns, and in how many rows something is missing."""
        dated = [place for place, form in enumerate(self.dates) if form]
        plain = [place for place in self.numbers if place not in dated]
        groups = {"number": plain, "date": dated, "category": self.coded}
        text = "; ".join(self._listed(places, noun) for noun, places in groups.items() if places)
        gaps = sum(int(np.isnan(page).any(1).sum()) for page in pages(x))
        return f"{text}; some are missing in {gaps:,} of {len(x):,} rows" if gaps else text

    def _listed(self, places: Sequence[int], noun: str) -> str:
        """`3 numbers (a, b, c)`."""
        names = ", ".join(self.columns[place] for place in places[:COLUMNS_SHOWN])
        more = len(places) - COLUMNS_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        return f"{counted(len(places), noun)} ({names}{rest})"

    # --- what a network sees of a row

    def prepare(self, network: Network) -> Network:
        """Raw rows in place of float32 [n, features].

        First the numbers, scaled robustly and clipped smoothly, 0 if one is missing; then a 1 for
        each of the `missing` columns that is; then a 1 for each of the `levels` that a row has;
        then sine and cosine of each of the `cycles`, 0 if the date is missing.
        """
        self._check(network)
        inner = f"{self.name}.features"
        return chained(front(self._front(), inner), network.renamed({self.name: inner}))

    def _front(self) -> Front:
        return Front(
            name=self.name,
            columns=len(self.columns),
            numbers=np.asarray(self.numbers, np.int64),
            center=np.asarray(self.center, np.float32)[list(self.numbers)],
            scale=np.asarray(self.scale, np.float32)[list(self.numbers)],
            missing=np.asarray(self.missing, np.int64),
            flags=np.asarray(self.flags, np.int64).reshape(-1, 2),
            cycles=self.cycles,
        )

    def with_cycles(self, x: np.ndarray) -> np.ndarray:
        """Raw rows [n, columns + 2 * cycles] for what takes no features: trees."""
        return np.concatenate([x, turned(x, self.cycles)], axis=1) if self.cycles else x

    def with_cycles_before(self, network: Network, inner: str) -> Network:
        """The same as nodes before the input `inner` of a network."""
        if not self.cycles:
            return network.renamed({inner: self.name})
        build = Builder(self.name)
        x = build.input(self.name, np.float32, ("n", len(self.columns)))
        turned = turned_nodes(build, x, self.cycles, f"{self.name}.cycles")
        build.output(build.add("Concat", [x, turned], {"axis": 1}, name=f"{self.name}.rows"), inner)
        return chained(build.network(), network)

    def numbers_seen(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """The features of numbers that the nodes make of raw rows, one column [n] after another."""
        for place, column in enumerate(each_column(x)):
            if place not in self.coded:
                scaled = (column - np.float64(self.center[place])) * np.float64(self.scale[place])
                scaled = np.clip(np.nan_to_num(scaled, nan=0.0), -LARGEST, LARGEST)
                yield np.asarray(scaled / np.sqrt(1 + (scaled / SMOOTH) ** 2), np.float32)

    def _check(self, network: Network) -> None:
        x = next((value for value in network.inputs if value.name == self.name), None)
        fits = x is not None and x.dtype == np.float32 and x.shape is not None
        if not fits or x is None or x.shape is None or x.shape[1:] != (self.features,):
            listed = ", ".join(f"'{x.name}' {x.dtype} {x.shape}" for x in network.inputs)
            raise UsageError(
                f"input '{self.name}' needs a network with an input of its name, float32 "
                f"[n, {self.features}]; this network takes {listed or 'nothing'}."
            )

    # --- columns alone

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns."""
        return self.columns

    @property
    def quantities(self) -> tuple[str, ...]:
        """The columns of numbers that are no dates."""
        dated = {place for place, form in enumerate(self.dates) if form}
        return tuple(self.columns[place] for place in self.numbers if place not in dated)

    def part_of(self, x: np.ndarray, part: str) -> np.ndarray:
        """A column [n] of rows x [n, columns]."""
        return x[:, self.columns.index(part)]

    def with_part(self, x: np.ndarray, part: str, values: np.ndarray) -> np.ndarray:
        """Rows with another column [n]."""
        changed = x.copy()
        changed[:, self.columns.index(part)] = values
        return changed

    # --- rows for people

    def read(self, argument: str) -> np.ndarray:
        """A row from cells with commas between them; nothing between two commas is missing.

        Raises: DataError if there are not as many as columns, or one is no number or date.
        """
        cells = [cell.strip() for cell in argument.split(",")]
        noun = "cell" if self.categories or self.dates else "number"
        expected = (
            f"'{argument}' is no row of '{self.name}': expected "
            f"{counted(len(self.columns), noun)} with commas between them, for "
            f"{', '.join(self.columns)}."
        )
        if len(cells) != len(self.columns):
            raise DataError(expected)
        try:
            row = [self._value(place, cell) for place, cell in enumerate(cells)]
        except ValueError:
            raise DataError(expected) from None
        return np.asarray(row, np.float32)

    def _value(self, place: int, cell: str) -> float:
        if not cell:
            return np.nan
        if place in self.coded:
            return float(coded([cell], self.categories[place])[0])
        form = self.dates[place] if self.dates else ""
        if form:
            return float(dated([cell], form)[0])
        written = self.written[place] if self.written else ""
        return number_in(cell, NumberForm.of(written))

    def show(self, x: np.ndarray) -> Shown:
        """A cell a column."""
        texts = self.categories or ((),) * len(self.columns)
        dates = self.dates or ("",) * len(self.columns)
        cells = zip(self.columns, x.tolist(), texts, dates, strict=True)
        words = ((name, cell_in_words(number, own, form)) for name, number, own, form in cells)
        return Shown(cells=tuple(words))
