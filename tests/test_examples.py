"""Every script of examples/ does what it says, with a short training and one candidate."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import pytest

from quick import fit

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
NEEDED = {"volumes": "nibabel", "tables": "pandas"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_and_answers(path, tmp_path, capsys):
    pytest.importorskip(NEEDED.get(path.stem, "sklearn"))
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    how = {"epochs": 1, "threads": 1, "max_drop": 100, "quiet": True, "out": tmp_path}
    run = example.main(partial(fit, **how))
    assert run.json["status"] == "done"
    assert (run.folder / "delivered" / "predict.py").is_file()
    assert capsys.readouterr().out.strip()


def test_there_is_one_for_every_kind():
    assert {path.stem for path in EXAMPLES} >= {
        "pictures",
        "texts",
        "tables",
        "volumes",
        "several_labels",
        "several_tasks",
        "onnx_file",
    }
