"""The pages on concepts: every name, figures as they were measured, the same in both languages."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from allotrope.optimizer_options import OPTIMIZERS
from allotrope.recipe_choices import ACTIVATIONS, NORMALIZATIONS, SCHEDULES
from allotrope.tasks import KINDS
from translated import differences

ROOT = Path(__file__).parent.parent
PAIRS = (
    ("README.md", "README.zh-CN.md"),
    ("docs/concepts.md", "docs/concepts.zh-CN.md"),
)
PAGES = PAIRS[1]
LOSSES = {loss for kind in KINDS.values() for loss in kind.losses}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def marks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("concept_marks")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("names", [OPTIMIZERS, SCHEDULES, ACTIVATIONS, NORMALIZATIONS, LOSSES])
def test_the_page_has_every_name(names, page):
    assert [name for name in names if f"`{name}`" not in text(page)] == []


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_those_that_were_measured(marks, page):
    results = json.loads(text("docs/concepts.json"))
    written = marks.written(text(page), results)
    assert written == text(page), "python benchmarks/concepts.py --write makes the pages anew"
    # Every concept that is measured stands in the page, and nothing else does.
    rows = importlib.import_module("concept_rows")
    marked = re.findall(r"<!--effect ([^ <>]+?)-->", text(page))
    assert sorted(marked) == sorted(concept.key for concept in rows.CONCEPTS)


def test_a_figure_is_the_mean_difference_with_its_interval(marks):
    facts = {"factor": 100.0, "metric": "accuracy"}
    cells = [{"0": 0.80, "1": 0.82, "2": 0.84}, {"0": 0.81, "1": 0.83, "2": 0.88}]
    bare, other = ({seed: {"metric": x} for seed, x in each.items()} for each in cells)
    worse = {seed: {"metric": 0.4} for seed in bare}
    broken = {**other, "1": {"metric": None, "reason": "the loss is no number"}}
    rows = {"a": bare, "a/other": other, "a/worse": worse, "a/same": bare, "a/broken": broken}
    results = {"problems": {"a": facts}, "rows": rows}
    # Differences 1, 1 and 4: mean 2, deviation sqrt 3, and t is 4.303.
    assert marks.effect("a/other", results) == "+2.00 ± 4.30"
    assert marks.effect("a/worse", results) == "**−42.00 ± 4.97**"
    assert marks.effect("a/same", results) == "0.00 ± 0.00"
    assert marks.effect("a/broken", results) == marks.effect("a/new", results) == "–"
    assert marks.bare("a", results) == "82.00 ± 4.97"
    few = {**results, "rows": {name: dict(list(each.items())[:2]) for name, each in rows.items()}}
    assert (
        marks.effect("a/other", few) == "+1.00 (n = 2)" and marks.bare("a", few) == "81.00 (n = 2)"
    )
    page = "x <!--effect a/other-->?<!--/--> y <!--bare a-->?<!--/-->"
    assert marks.written(page, results) == (
        "x <!--effect a/other-->+2.00 ± 4.30<!--/--> y <!--bare a-->82.00 ± 4.97<!--/-->"
    )


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_say_the_same(english, chinese):
    assert differences(text(english), text(chinese)) == []
    # Each leads to the other one in its first lines.
    names = Path(english).name, Path(chinese).name
    assert f"[中文]({names[1]})" in text(english) and f"[English]({names[0]})" in text(chinese)


def test_the_comparer_sees_what_is_wrong():
    english = "# A\n\nIt takes 1,594 s with `--loss x`.\n\n| a | 0.5 |\n\n```\nrun --fast\n```\n"
    chinese = "# 甲\n\n用 `--loss x` 需 1,594 秒。\n\n| 甲 | 0.5 |\n\n```\nrun --fast\n```\n"
    assert differences(english, chinese) == []
    for right, wrong in (("1,594", "1,549"), ("0.5", "0.6"), ("loss x", "loss y"), ("fast", "f")):
        assert len(differences(english, chinese.replace(right, wrong))) == 1
    assert differences(english, chinese.replace("| 甲 | 0.5 |\n", "")) != []
    linked = differences("[a](b.md)", "[甲](b.zh-CN.md)"), differences("[a](b.md)", "[甲](c.md)")
    assert linked[0] == [] and len(linked[1]) == 1


def test_pictures_of_the_page_are_there():
    for page in PAGES:
        named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text(page))
        assert len(named) == 8 and all((ROOT / "docs" / name).is_file() for name in named)
