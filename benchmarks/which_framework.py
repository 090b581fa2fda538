"""Which framework for what: `allotrope compare` on seven kinds of problems, and the page of it.

    python benchmarks/which_framework.py --data ../shared/data --out docs/which-framework.md

Takes some 25 minutes on two cores that nothing else uses. Each problem is a race of its own, with
processes of their own for each framework; what was measured is written to a .json file beside the
page after each of them, and a command that was stopped goes on behind the last. `--only text_cnn`
measures these alone, `--again` measures them anew, and `--from FILE.json` makes the page again and
measures nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from framework_page import page
from framework_picture import picture
from framework_problems import PROBLEMS, Problem, asked, named

import allotrope
from allotrope.config import parse_seconds
from allotrope.measure.machine import describe
from allotrope.run_words import inside

FIGURES = (
    "framework",
    "reason",
    "version",
    "settings",
    "import_seconds",
    "compile_seconds",
    "batch",
    "training",
    "inference",
    "step",
    "peak_memory",
    "validation_metric",
    "test_metric",
    "seconds_to_metric",
    "agreement",
    "recommended",
)
"""What the page needs of a framework's row."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/which-framework.md"))
    parser.add_argument("--from", dest="results", type=Path, help="measure nothing")
    parser.add_argument("--only", help=", ".join(problem.name for problem in PROBLEMS))
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--frameworks", help="all by default")
    parser.add_argument("--budget", default="200s", help="of each race")
    parser.add_argument("--epochs", type=float, help="fewer than a problem's own, for a trial")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def raced(problem: Problem, how: argparse.Namespace, work: Path) -> dict[str, Any]:
    """One race, as much of its run.json as the page is made of."""
    source, own = asked(problem, how.data, work)
    frameworks = how.frameworks and how.frameworks.split(",")
    race = allotrope.compare(
        source,
        frameworks=frameworks,
        budget=problem.share * parse_seconds(how.budget),
        epochs=how.epochs or problem.epochs,
        seeds=how.seeds,
        threads=how.threads,
        # Of each framework the same arithmetic; layout and compilation are its own best.
        precision="float32",
        out=work / "runs",
        **own,
    )
    print(race, flush=True)
    run = inside(race.json)
    details = run["network_details"]
    kinds = [each["kind"] for each in run["data"]["inputs"]]
    return {
        "name": problem.name,
        "title": problem.title,
        "about": problem.about,
        "network": run["network"],
        "weights": details["weights"],
        # Of a text they depend on its length.
        "multiply_adds": None if "text" in kinds else details["multiply_adds"],
        "metric": run["data"]["tasks"][0]["metric"],
        "task": run["data"]["tasks"][0],
        "goal": run["metric_goal"],
        "verdict": run["verdict"],
        "race": run["race"],
        "seconds": run["seconds"],
        "rows": [{key: row[key] for key in FIGURES if key in row} for row in run["frameworks"]],
    }


def measured(how: argparse.Namespace, file: Path) -> dict[str, Any]:
    """All races, those that were held before first; each is written down as it ends."""
    results: dict[str, Any] = {"problems": [], **describe()}
    if file.is_file():
        results = json.loads(file.read_text(encoding="utf-8"))
    order = [each.name for each in PROBLEMS]
    for problem in named(how.only):
        there = [one for one in results["problems"] if one["name"] == problem.name]
        if there and not how.again:
            continue
        print(f"\n=== {problem.title}", flush=True)
        with tempfile.TemporaryDirectory() as work:
            race = raced(problem, how, Path(work))
        others = [one for one in results["problems"] if one["name"] != problem.name]
        races = sorted([*others, race], key=lambda one: order.index(one["name"]))
        results = {**results, **describe(), "problems": races}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def main() -> None:
    """Measures what is to be measured, and writes the page with its picture."""
    how = options()
    if how.results is not None:
        results = json.loads(how.results.read_text(encoding="utf-8"))
    else:
        results = measured(how, how.out.with_suffix(".json"))
    image = how.out.with_suffix(".svg")
    image.write_text(picture(results), encoding="utf-8")
    how.out.write_text(page(results, image.name), encoding="utf-8")
    print(f"written: {how.out}, {image}")


if __name__ == "__main__":
    main()
