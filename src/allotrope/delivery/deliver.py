"""Puts the chosen candidate, labels and predict.py into a folder that works without Allotrope."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

from allotrope.delivery.finished import Columns, columns_in
from allotrope.inputs.text.tokens.token_ids import TOKENIZER
from allotrope.runtimes import runtime
from allotrope.storage import replace_file, writing

FOLDER, FILE = "delivered", "model.onnx"
TEMPLATE = "allotrope.delivery.template"
PREDICTOR = (
    "allotrope.inputs.table.cell_numbers",
    "allotrope.inputs.table.cell_codes",
    "allotrope.inputs.text.tokens.token_ids",
    "allotrope.delivery.asked",
    "allotrope.delivery.text_lines",
    "allotrope.delivery.object_rows",
    "allotrope.delivery.table_rows",
    "allotrope.delivery.token_texts",
    "allotrope.delivery.predictor",
)
"""What reads arguments and says answers, each after what it needs."""
PICTURES = ("allotrope.inputs.image.formats", "allotrope.inputs.image.decoding")
"""What reads pictures; the first without Pillow."""
VOLUMES = (
    "allotrope.inputs.volume.scan_grid",
    "allotrope.inputs.volume.nifti",
    "allotrope.inputs.volume.dicom",
    "allotrope.inputs.volume.volume_files",
    "allotrope.delivery.scans",
)
"""What reads volumes."""


def deliver(best: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write `folder`/delivered for the row that was chosen.

    Gives the row with the file that lies there.

    What the file's metadata says of its inputs and tasks is what predict.py reads and answers.
    Raises: RunFolderError if the folder cannot be written.
    """
    delivered = folder / FOLDER
    with writing(delivered):
        delivered.mkdir(exist_ok=True)
        shutil.copyfile(folder / best["file"], delivered / FILE)
    columns = columns_in(delivered / FILE)
    if any(each["kind"] == "tokens" for each in columns["inputs"]):
        with writing(delivered):
            shutil.copyfile(folder / TOKENIZER, delivered / TOKENIZER)
    for name, names in _labels(columns):
        text = "".join(f"{_one_line(each)}\n" for each in names)
        replace_file(delivered / name, text.encode())
    program = predict_program(best, FILE, columns)
    replace_file(delivered / "predict.py", program.encode())
    return {**best, "file": f"{FOLDER}/{FILE}"}


def _labels(columns: Columns) -> Iterator[tuple[str, list[str]]]:
    """A file with the names of classes or labels for each task that has such."""
    named = [task for task in columns["tasks"] if "classes" in task or "labels" in task]
    for task in named:
        file = "labels.txt"
        if len(named) > 1:
            file = f"labels-{re.sub(r'[^A-Za-z0-9._-]+', '-', task['name'])}.txt"
        yield file, task.get("classes") or task["labels"]


def predict_program(row: dict[str, Any], file: str, columns: Columns) -> str:
    """The text of predict.py: the very session that was measured, and `predict`'s reading."""
    session = runtime(row["runtime"]).session_module
    if session is None:
        raise ValueError(f"{row['runtime']} is a baseline, which is never delivered")
    kinds = {each["kind"] for each in columns["inputs"]}
    pictures = PICTURES if "image" in kinds else PICTURES[:1]
    volumes = VOLUMES if "volume" in kinds else ()
    carried = [*pictures, session, *PREDICTOR, *volumes]
    sources = [_source(module) for module in carried]
    template = _source(TEMPLATE)
    imports = sorted({line for source in [template, *sources] for line in _imports(source)})
    settings = {
        "FILE": file,
        "PRECISION": row["precision"],
        "OPTIONS": row.get("options", {}),
        "COLUMNS": columns,
    }
    program = _body(template)
    for name, value in settings.items():
        program = _assigned(program, name, value)
    title = f'"""{ast.get_docstring(ast.parse(template))}\n"""'
    head = "\n".join([title, "", "from __future__ import annotations", "", *imports])
    return "\n\n\n".join([head, *map(_body, sources), program]) + "\n"


def _assigned(program: str, name: str, value: Any) -> str:
    """The program with another value for a name of its own."""

    def line(match: re.Match[str]) -> str:
        return f"{match[1]} = {value!r}"

    return re.sub(rf"(?m)^({name}\b.*?) = .*$", line, program, count=1)


def _source(module: str) -> str:
    """The text of a module, which is not imported: a session's would import its runtime here."""
    spec = util.find_spec(module)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def _imports(source: str) -> list[str]:
    """The import lines of a module, without those that have no place in a program of its own."""
    lines = source.splitlines()
    nodes = [
        node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    imports = [lines[node.lineno - 1].partition("  #")[0] for node in nodes]
    return [line for line in imports if not line.startswith(("from allotrope", "from __future__"))]


def _body(source: str) -> str:
    """What comes after the imports of a module."""
    nodes = [
        node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    last = max(node.end_lineno or 0 for node in nodes)
    return "\n".join(source.splitlines()[last:]).strip()


def _one_line(name: str) -> str:
    return " ".join(name.splitlines()) or name
