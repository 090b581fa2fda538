"""Puts the chosen candidate into a folder that works without Allotrope: the file, labels.txt and predict.py."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

from allotrope.runtimes import runtime
from allotrope.storage import replace_file, writing

FOLDER, FILE = "delivered", "model.onnx"


def deliver(
    best: dict[str, Any],
    classes: Sequence[str],
    image: tuple[int, int, int],
    folder: Path,
    value_range: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Write `folder`/delivered for the row that was chosen; gives the row with the file that lies there.

    `image` is (channels, height, width). `value_range` are the values that are black and white in pictures
    of more than 8 bits a channel; None if such were not trained on.
    Raises: RunFolderError where the folder cannot be written.
    """
    delivered = folder / FOLDER
    with writing(delivered):
        delivered.mkdir(exist_ok=True)
        shutil.copyfile(folder / best["file"], delivered / FILE)
    channels, height, width = image
    program = predict_program(best, FILE, (height, width, channels), value_range)
    replace_file(delivered / "labels.txt", "".join(f"{_one_line(name)}\n" for name in classes).encode())
    replace_file(delivered / "predict.py", program.encode())
    return {**best, "file": f"{FOLDER}/{FILE}"}


def predict_program(row: dict[str, Any], file: str, image: tuple[int, int, int], value_range: tuple[float, float] | None = None) -> str:
    """The text of predict.py for a candidate: the very session that was measured, and the very decoding that training saw.

    `image` is (height, width, channels).
    """
    session_module = runtime(row["runtime"]).session_module
    if session_module is None:
        raise ValueError(f"{row['runtime']} is a baseline, which is never delivered")
    template, session = _source("allotrope.delivery.template"), _source(session_module)
    decoding = _source("allotrope.inputs.image.decoding")
    imports = sorted({*_imports(template), *_imports(session), *_imports(decoding)})
    program = _body(template)
    settings = {"FILE": file, "PRECISION": row["precision"], "OPTIONS": row.get("options", {}), "IMAGE": image}
    settings["VALUE_RANGE"] = value_range
    for name, value in settings.items():
        program = re.sub(rf"(?m)^({name}\b.*?) = .*$", rf"\1 = {value!r}", program, count=1)
    head = f'"""{ast.get_docstring(ast.parse(template))}\n"""\n\nfrom __future__ import annotations\n\n' + "\n".join(imports)
    return "\n\n\n".join([head, _body(decoding), _body(session), program]) + "\n"


def _source(module: str) -> str:
    """The text of a module, which is not imported: a session's would import its runtime here."""
    found = util.find_spec(module)
    assert found is not None and found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


def _imports(source: str) -> list[str]:
    """The import lines of a module, without those that have no place in a program of its own."""
    lines = source.splitlines()
    found = [lines[node.lineno - 1].partition("  #")[0] for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [line for line in found if not line.startswith(("from allotrope", "from __future__"))]


def _body(source: str) -> str:
    """What comes after the imports of a module."""
    last = max(node.end_lineno or 0 for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom))
    return "\n".join(source.splitlines()[last:]).strip()


def _one_line(name: str) -> str:
    return " ".join(name.splitlines()) or name
