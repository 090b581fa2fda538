"""Puts the report together and writes it as one file that needs no network and runs no script."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from allotrope.report import formatting, sections
from allotrope.report.answers import answers, whose
from allotrope.report.answers.worst import rows_alike
from allotrope.report.candidate_rows import read_candidates
from allotrope.report.columns_counting import columns_counting
from allotrope.report.curves import learning_curves, thinned
from allotrope.report.headline import headline
from allotrope.report.judged import judged
from allotrope.report.layers_rounded import layers_rounded
from allotrope.report.members_united import members_united
from allotrope.report.race_page import comparison_page
from allotrope.report.rates_tried import rates_tried
from allotrope.report.run_folder import RunFolder, read_run
from allotrope.report.scatter import scatter
from allotrope.report.shrinking import shrinking
from allotrope.report.tuning_section import tuning_section
from allotrope.report.unlabelled_used import unlabelled_used
from allotrope.storage import replace_file

FILTERS = (
    formatting.count,
    formatting.duration,
    formatting.milliseconds,
    formatting.percent,
    formatting.points,
    formatting.runtime_name,
    formatting.shortened,
    formatting.significant,
    formatting.size,
    formatting.times,
    formatting.words,
)
SCATTER_SIZES = (
    (1124, 400),
    (720, 380),
    (358, 330),
)  # wide window, tablet, phone: one is shown, so that text keeps its size
UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


def write_report(folder: Path) -> Path:
    """Writes `report.html` into the folder of a run, from whatever is there; gives its path.

    Raises: RunFolderError if run.json cannot be read or the report cannot be written.
    """
    page = template("report.html").render(_page(read_run(Path(folder))))
    path = Path(folder) / "report.html"
    replace_file(path, without_unprintable(page))
    return path


def without_unprintable(page: str) -> bytes:
    """The page as a file, without characters that no page may have."""
    text = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)
    return text.encode("utf-8", "backslashreplace")


@functools.cache
def template(name: str) -> jinja2.Template:
    """A page's template, with the filters and the style that all pages have."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("allotrope.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update({function.__name__: function for function in FILTERS})
    environment.globals["rows_alike"] = rows_alike
    environment.globals["style"] = Markup(environment.get_template("style.css").render())
    return environment.get_template(name)


def _page(folder: RunFolder) -> dict[str, Any]:
    """Everything that the templates name.

    `parts` are the sections: name, title, and what must not be empty for it to be shown.
    """
    run = folder.record
    if run.text("kind") == "compare":
        own = comparison_page(folder)
    else:
        own = _fit_page(folder)
    common = {
        "balance": sections.class_balance(run, run.texts("data", "classes")),
        "data_facts": sections.data_facts(run),
        "network_facts": sections.network_facts(run),
        "recipe": sections.options(run.record("recipe")),
        "environment": sections.environment(run),
        "repeat_note": sections.repeat_note(run),
        "usage": sections.usage(run),
        "candidates": read_candidates(run),
    }
    parts = [
        *own["parts"],
        ("data", "Data", common["data_facts"] or common["balance"]),
        ("network", "Network and recipe", common["network_facts"] or common["recipe"]),
        ("repeat", "Repeat it", run.text("command") or common["environment"]),
    ]
    return {"run": run, **common, **own, "parts": parts}


def _fit_page(folder: RunFolder) -> dict[str, Any]:
    """What the report of `fit` has of its own."""
    run = folder.record
    candidates = read_candidates(run)
    page = {
        "head": headline(run, candidates),
        "scatters": [chart for size in SCATTER_SIZES if (chart := scatter(candidates, *size))],
        "shrinking": shrinking(run, SCATTER_SIZES),
        "tuning": tuning_section(run, SCATTER_SIZES),
        "ensemble": members_united(run),
        "few_labels": unlabelled_used(run),
        "sensitivity": layers_rounded(run),
        "measurement_note": sections.measurement_note(run),
        "curves": [
            *rates_tried(run),
            *learning_curves(folder.history, run.number("training", "best_epoch"), judged(run)),
        ],
        "history": thinned(folder.history),
        "history_columns": sections.history_columns(run, folder.history),
        "training_facts": sections.training_facts(run),
        "answers": answers(folder),
        "answering": whose(run),
        "importance": columns_counting(run),
        "race_rows": sections.race_rows(run),
        "race_note": sections.race_note(run),
        "settings": sections.settings_facts(run),
    }
    page["parts"] = [
        ("shrinking", "Shrinking", page["shrinking"]),
        ("tuning", "Tuning", page["tuning"]),
        ("few_labels", "Few labels", page["few_labels"]),
        ("ensemble", "Ensemble", page["ensemble"]),
        ("candidates", "Candidates", candidates.rows),
        ("sensitivity", "Sensitivity to rounding", page["sensitivity"]),
        ("answers", "Test data", page["answers"]),
        ("importance", "What answers rest on", page["importance"]),
        ("training", "Training", page["curves"] or page["training_facts"]),
        ("settings", "Settings", page["race_rows"] or page["settings"]),
    ]
    return page
