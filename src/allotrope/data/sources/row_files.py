"""Which files right in a folder hold its rows: tables, objects, parquet or labelled lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from allotrope.data.encodings import printable
from allotrope.data.sources.frames.parquet import is_parquet
from allotrope.data.sources.json_lines import is_json_lines
from allotrope.data.sources.lines.read_lines import may_be_lines
from allotrope.data.sources.split_files import split_files, visible_files
from allotrope.data.sources.table.table_text import is_table
from allotrope.errors import DataError

TABLES, OBJECTS, PARQUET, LINES = "tables", "files of objects", "parquet files", "files of lines"
FORMS: Mapping[str, Callable[[Path], bool]] = {
    TABLES: is_table,
    OBJECTS: is_json_lines,
    PARQUET: is_parquet,
    LINES: may_be_lines,
}


def row_files(folder: Path) -> tuple[str, list[Path]]:
    """The form of the folder's rows and their files; no form if there are none.

    Of several forms the one of which a name says training. Any text may be called .txt: lines are
    data only if their names say splits.

    Raises: DataError if several forms may be the data.
    """
    files = {form: visible_files(folder, wanted) for form, wanted in FORMS.items()}
    splits = {form: split_files(paths).by_split for form, paths in files.items()}
    trained = [form for form in FORMS if "train" in splits[form]]
    present = [form for form in FORMS if files[form] and form != LINES]
    lines = [LINES] if splits[LINES] else []
    chosen = trained or present or lines
    if len(chosen) > 1:
        listed = "; ".join(
            f"{form} ({', '.join(printable(path.name) for path in files[form][:4])})"
            for form in chosen
        )
        raise DataError(
            f"{folder}: may be read in {len(chosen)} ways, from {listed}. Name one of the files, "
            "or leave files of one form there."
        )
    return (chosen[0], files[chosen[0]]) if chosen else ("", [])
