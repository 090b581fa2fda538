"""What is made of the cells of a table on disk: columns by page, of numbers or of texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

import numpy as np

from allotrope.data.number_forms import NumbersFound, numbers_by_page, parsed
from allotrope.data.sources.held_cells import EACH
from allotrope.data.sources.text_keeper import TakenTexts, TextKeeper
from allotrope.data.store.cell_pages import Cells, PagedCells, pages_of_cells
from allotrope.data.store.column_pages import NUMBER, NumberPages, TextPages
from allotrope.data.store.run_file import RunFile
from allotrope.data.store.store import NoRoom
from allotrope.inputs.table.cell_numbers import NumberForm


def numbers_of_parts(
    parts: Mapping[str, Cells], keepers: Mapping[str, TextKeeper | None]
) -> NumbersFound | None:
    """How the numbers of a column by split are written, as `numbers_found` says.

    Raises: DataError if its different cells do not fit in memory and have to be looked at together.
    """
    pages = (page for cells in parts.values() for page in pages_of_cells(cells))
    return numbers_by_page(pages, partial(_distinct, parts, keepers))


def _distinct(parts: Mapping[str, Cells], keepers: Mapping[str, TextKeeper | None]) -> set[str]:
    distinct: set[str] = set()
    for split, cells in parts.items():
        keeper = keepers[split]
        for page in pages_of_cells(cells):
            # Names and ids differ in every row: what does not fit is said before memory is full.
            distinct.update(page)
            if keeper is not None:
                each = 2 * EACH + len(page[0])
                keeper.require_for(each * len(distinct), "the different texts of a column")
    return distinct


def paged_numbers(
    columns: Mapping[str, PagedCells], forms: Mapping[str, NumberForm], keeper: TextKeeper
) -> dict[str, NumberPages]:
    """The numbers of columns of one table in these forms, on disk. Raises: NoRoom."""
    if not columns:
        return {}
    # What another command made of the same cells in the same forms is used again.
    places = tuple((cells.place, forms[name]) for name, cells in columns.items())
    first = next(iter(columns.values()))
    key = "numbers", first.cells.file.folder.name, places
    if keeper.opened(key) is None:
        size = len(first) * len(columns) * NUMBER.itemsize
        with keeper.taking([key], size) as taken:
            for name, cells in columns.items():
                _take_numbers(cells, forms[name], taken, key)
    stored = keeper.opened(key)
    if stored is None:
        raise NoRoom(f"numbers that were written to {keeper.store.folder} are not there")
    file, starts = cast(RunFile, stored.rows.file), first.starts
    # The pages of a column, and behind them the rows that hold no number.
    return {name: NumberPages(file, at * len(starts), starts) for at, name in enumerate(columns)}


def _take_numbers(cells: PagedCells, form: NumberForm, taken: TakenTexts, key: object) -> None:
    strange = []
    for start, page in zip(cells.starts, cells.pages(), strict=False):
        values, rows = parsed(page, form)
        taken.add_bytes(key, values.tobytes())
        strange.append(rows + start)
    taken.add_bytes(key, np.concatenate(strange).tobytes())


def paged_texts(
    name: str, cells: PagedCells, longest: int, dtype: np.dtype, named: bool, keeper: TextKeeper
) -> TextPages:
    """A column of texts, made whenever it is asked for."""
    require = partial(keeper.require_for, what=f"the texts of '{name}' as a whole")
    return TextPages(cells, longest, named, dtype, require)
