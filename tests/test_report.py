"""The report is made from whatever a run left, and shows it honestly.

It lets nothing hostile out of its quotes.
"""

from __future__ import annotations

import copy
import html
import json
import pathlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from allotrope.errors import RunFolderError
from allotrope.report import write_report

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "report"
SECTIONS = ["candidates", "answers", "training", "settings", "data", "network", "repeat"]
HOSTILE = "<script>alert('x')</script>\"'&{{7*7}}"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of a complete run folder."""
    return pathlib.Path(shutil.copytree(FIXTURE, tmp_path / "digits-1"))


@pytest.fixture
def run() -> dict[str, Any]:
    """The run.json of that folder."""
    record: dict[str, Any] = json.loads((FIXTURE / "run.json").read_text(encoding="utf-8"))
    return record


def report(folder: pathlib.Path, run: Any = None) -> str:
    """The source of the report of `folder`, with `run` for its run.json."""
    if run is not None:
        (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return write_report(folder).read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """What a reader sees of a page: no tags, no style, plain spaces."""
    plain = re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S))
    return " ".join(html.unescape(plain).replace("\u202f", " ").split())


def sections_of(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


def test_says_what_is_delivered_and_why(folder: pathlib.Path) -> None:
    said = words_of(report(folder))
    assert (
        "ONNX Runtime int8 is delivered: right on 96.39 % of the test images, 0.0484 ms an image"
        in said
    )
    assert "8.51× the speed of PyTorch float32, 33.4 KB on disk" in said
    assert (
        "7 candidates were measured and 1 could not be; 5 besides the baseline meet the target"
        in said
    )
    assert "this is the fastest of them" in said
    assert "95 % interval 93.9 % to 97.9 %, 360 images" in said


def test_has_every_section(folder: pathlib.Path) -> None:
    page = report(folder)
    assert sections_of(page) == SECTIONS
    said = words_of(page)
    for text in (
        "ONNX Runtime has no bfloat16 convolution on this processor",
        "validation accuracy 97.92% is 0.69 points under float32, over the 0.5 allowed",
        "compiling was not tried",
        "scikit-learn's built-in digits",
        "allotrope fit digits",
        "AMD EPYC 9R14",
        "one-cycle",
        "n × 16 × 8 × 8",
    ):
        assert text in said, text
    assert page.count("<img ") == 12


def test_needs_no_network_and_no_script(folder: pathlib.Path) -> None:
    page = report(folder)
    assert "default-src 'none'" in page
    an_icon = r"<link(?! rel=\"icon\" href=\"data:,\")"
    wanted = (r"<script", r"javascript:", r"@import", r"url\(", an_icon, r"<iframe", r"\son\w+=")
    assert re.search("|".join(wanted), page) is None
    addresses = re.findall(r"(?:src|href|srcset|action)=\"([^\"]*)\"", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http:" not in page and "https:" not in page


def test_names_are_shown_as_text(folder: pathlib.Path, run: dict[str, Any]) -> None:
    run = json.loads(json.dumps(run).replace('"8"', json.dumps(HOSTILE)))
    run["test"]["mistakes"][0]["file"] = f"photos/{HOSTILE}.png"
    run["data"]["name"] = run["data"]["source"] = run["run"] = run["command"] = run["network"] = (
        HOSTILE
    )
    run["data"]["summary"]["notes"] = [HOSTILE]
    run["data"]["summary"]["unreadable"] = [{"file": HOSTILE, "reason": HOSTILE}]
    run["data"]["summary"]["duplicates"] = [[HOSTILE, HOSTILE]]
    run["network_details"] |= {
        "table": HOSTILE,
        "reasons": [HOSTILE],
        "arguments": {HOSTILE: HOSTILE},
    }
    run["candidates"][1] |= {
        "form": HOSTILE,
        "runtime": HOSTILE,
        "precision": HOSTILE,
        "reason": HOSTILE,
        "file": HOSTILE,
    }
    run["settings_race"]["rows"][0] |= {"precision": HOSTILE, "reason": HOSTILE, "layout": HOSTILE}
    run["environment"]["versions"] = {HOSTILE: HOSTILE}
    page = report(folder, run)
    assert "<script" not in page
    assert "49" not in re.findall(r"&amp;(\S\S)", page)
    assert words_of(page).count(HOSTILE) > 25


def test_names_that_are_no_unicode_can_be_written(
    folder: pathlib.Path, run: dict[str, Any]
) -> None:
    run["test"]["mistakes"][0]["file"] = "caf\udce9\0\x1b[2J\u202e.png"
    page = report(folder, run)
    assert "caf\\udce9" in page
    assert re.search(r"[\0-\x08\x1b]", page) is None
    assert "<bdi>caf" in page


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "/etc/hostname",
        "notes.png",
        "",
        "missing.png",
        "pictures",
        "a\0b",
        "large.png",
    ],
)
def test_only_pictures_of_the_folder_are_embedded(
    folder: pathlib.Path, run: dict[str, Any], name: str
) -> None:
    picture = (folder / "pictures" / "mistake-00.png").read_bytes()
    (folder.parent / "secret.png").write_bytes(picture)
    (folder / "notes.png").write_text("not a picture", encoding="utf-8")
    (folder / "large.png").write_bytes(picture + bytes(3_000_000))
    run["test"]["mistakes"] = [run["test"]["mistakes"][0] | {"picture": name}]
    assert "<img " not in report(folder, run)


def test_link_out_of_the_folder_is_not_followed(folder: pathlib.Path, run: dict[str, Any]) -> None:
    (folder / "pictures" / "mistake-00.png").rename(folder.parent / "secret.png")
    (folder / "pictures" / "mistake-00.png").symlink_to(folder.parent / "secret.png")
    assert report(folder, run).count("<img ") == 11


def test_an_early_end_leaves_sections_out(folder: pathlib.Path, run: dict[str, Any]) -> None:
    (folder / "history.csv").unlink()
    page = report(
        folder, {"schema": 1, "status": "failed", "reason": "the loss is not a number at step 12"}
    )
    assert sections_of(page) == []
    assert "The run failed: the loss is not a number at step 12" in words_of(page)
    assert "before there was anything to deliver" in words_of(page)
    assert sections_of(report(folder, {"data": run["data"], "command": run["command"]})) == [
        "data",
        "repeat",
    ]
    assert "not finished" in words_of(report(folder, {}))
    assert "under way, or was killed" in words_of(report(folder, {"status": "running"}))


def test_interrupted_run_is_called_so(folder: pathlib.Path, run: dict[str, Any]) -> None:
    beginning = {name: run[name] for name in ("schema", "run", "data", "network", "validation")}
    said = words_of(report(folder, beginning | {"status": "interrupted"}))
    assert "The run was interrupted" in said
    assert "right on 98.61 % of the validation images; no file is delivered" in said
    assert "is delivered:" not in said


def test_missed_target_names_the_nearest_miss(folder: pathlib.Path, run: dict[str, Any]) -> None:
    for candidate in run["candidates"]:
        candidate |= {"passes": False, "reason": "size 33,400 bytes is over 20,000 bytes"}
    run |= {"status": "target-missed", "delivered": None, "nearest_miss": run["candidates"][2]}
    run["target"] |= {"max_latency": 0.02, "max_size": 20_000}
    said = words_of(report(folder, run))
    assert (
        "No candidate meets the target, so nothing is delivered. The nearest miss is ONNX Runtime "
        "int8" in said
    )
    assert "It misses the target: size 33,400 bytes is over 20,000 bytes." in said
    assert "✓" not in said.split("Test data")[1].split("Settings")[0]


@pytest.mark.parametrize(
    ("best", "words"),
    [
        ("fastest", "this is the fastest of them, ±0 points"),
        ("fastest-weighed", "the fastest of them with single images and batches weighed alike"),
        ("best", "this is the most accurate of those that are as fast as the fastest"),
        ("smallest", "the smallest of the most accurate of those that are as fast as the fastest"),
        ("of a later version", "this is the one that was chosen"),
    ],
)
def test_the_rule_that_chose_is_named(folder, run, best, words):
    run["delivered"]["best"] = best
    assert words in words_of(report(folder, run))


def test_half_a_row_of_history_is_left_out(folder: pathlib.Path) -> None:
    whole = report(folder)
    with (folder / "history.csv").open("a", encoding="utf-8") as file:
        file.write("\n,,,\nnan,1,2\n2")
    page = report(folder)
    assert page.count("<figure>") == whole.count("<figure>")
    assert "nan" not in words_of(page)


def test_numbers_that_are_none_are_dashes(folder: pathlib.Path, run: dict[str, Any]) -> None:
    run["candidates"][1]["latency_ms"]["median"] = float("nan")
    run["test"]["loss"] = float("inf")
    run["candidates"][3]["size_bytes"] = 10**400
    page = report(folder, run)
    assert re.search(r"\b(nan|inf|None)\b", words_of(page)) is None


def shortened(folder: pathlib.Path, run: dict[str, Any]) -> dict[str, Any]:
    """The run with all its fields and few rows in its lists: hundreds of pages are made of it."""
    rows = (folder / "history.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(rows[:4]), encoding="utf-8")
    test, race = run["test"], run["settings_race"]
    test["mistakes"], test["per_class"] = test["mistakes"][:1], test["per_class"][:2]
    test["confusion"] = [row[:2] for row in test["confusion"][:2]]
    run["data"]["classes"] = run["data"]["classes"][:2]
    # The baseline, what is delivered, and one that could not be measured.
    run["candidates"] = [run["candidates"][row] for row in (0, 2, 7)]
    race["rows"] = race["rows"][:2]
    return run


def fields_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field; of a list only the first item."""
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value[:1])
    for name, part in parts:
        yield (*path, name)
        yield from fields_of(part, (*path, name))


@pytest.mark.parametrize(
    "instead", ["missing", None, "text", -1.5, [], [[None]], {"a": {"b": 1}}], ids=str
)
def test_any_field_may_be_missing_or_of_another_kind(
    folder: pathlib.Path, run: dict[str, Any], instead: Any
) -> None:
    assert sections_of(report(folder, shortened(folder, run))) == SECTIONS
    paths = list(fields_of(run))
    assert len(paths) > 150
    for path in paths:
        changed = copy.deepcopy(run)
        parent = changed
        for name in path[:-1]:
            parent = parent[name]
        if instead == "missing":
            del parent[path[-1]]
        else:
            parent[path[-1]] = instead
        assert "</html>" in report(folder, changed), path


@pytest.mark.parametrize("count", [2, 100, 300])
def test_many_classes(folder: pathlib.Path, run: dict[str, Any], count: int) -> None:
    names = [f"class number {index}" for index in range(count)]
    run["data"]["classes"] = names
    confusion = [
        [90 if true == column else (true * 7 + column) % 11 == 1 for column in range(count)]
        for true in range(count)
    ]
    run["test"]["confusion"] = [[int(value) for value in row] for row in confusion]
    run["test"]["per_class"] = [
        {"class": name, "precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 100}
        for name in names
    ]
    page = report(folder, run)
    assert page.count('class="cell right"') == (count if count <= 120 else 0)
    assert ("The other 80 classes" in page) == (count == 100)
    assert "Most frequent mistakes" in page
    assert len(page) < 1_000_000


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '"text"', "[" * 100_000, "\ufeff{}"])
def test_broken_run_json_is_named(folder: pathlib.Path, content: str) -> None:
    (folder / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"run\.json"):
        write_report(folder)


def test_a_folder_that_is_no_run_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RunFolderError, match=r"no run folder: it has no run\.json"):
        write_report(tmp_path)


def test_a_report_that_cannot_be_written_leaves_nothing_behind(folder: pathlib.Path) -> None:
    (folder / "report.html").mkdir()
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_report(folder)
    assert not list(folder.glob(".report.html*"))


def test_is_quick_and_small(folder: pathlib.Path) -> None:
    start = time.process_time()
    page = report(folder)
    assert time.process_time() - start < 1
    assert len(page) < 200_000


def palettes() -> list[dict[str, str]]:
    """The colours of light and dark."""
    import allotrope.report

    style = (pathlib.Path(allotrope.report.__file__).parent / "templates" / "style.css").read_text(
        encoding="utf-8"
    )
    return [dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in style.split(":root {")[1:3]]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_in_light_and_dark() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    light, dark = palettes()
    assert light["page"] != dark["page"]
    for palette in (light, dark):
        for text in ("ink", "muted", "accent", "good", "warning", "bad"):
            for ground in ("page", "panel"):
                assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
        assert all(contrast(palette[f"c{index}"], palette["page"]) >= 3 for index in range(7))


PICTURES = {"kind": "image", "name": "front", "height": 8, "width": 8, "channels": 1}
NUMBERS = {"kind": "table", "name": "row", "columns": ["height", "width"]}


@pytest.mark.parametrize(
    ("inputs", "argument", "packages"),
    [
        ([NUMBERS], "ROWS.csv", "NumPy and"),
        ([PICTURES, NUMBERS], "ROWS.csv", "NumPy, Pillow and"),
        ([PICTURES, {**PICTURES, "name": "back"}], "ROWS.csv", "NumPy, Pillow and"),
    ],
)
def test_examples_are_images_only_if_they_are_nothing_else(
    folder: pathlib.Path, run: dict[str, Any], inputs: list[Any], argument: str, packages: str
) -> None:
    run["data"] = {**run["data"], "inputs": inputs}
    run["network_details"]["reasons"] = []
    del run["data"]["image"]
    del run["data"]["summary"]["sizes"]
    del run["data"]["summary"]["modes"]
    page = report(folder, run)
    assert not re.search(r"\b(image|picture|pixel)s?\b", words_of(page), re.IGNORECASE)
    assert "right on 96.39 % of the test examples, 0.0484 ms an example" in words_of(page)
    assert f"delivered/predict.py {argument} in the run folder; it needs {packages}" in words_of(
        page
    )


def test_numbers_and_their_nouns_agree(folder: pathlib.Path, run: dict[str, Any]) -> None:
    run["measurement"] |= {"threads": 1, "rounds": 1, "warmup": 2}
    assert "1 thread, 1 interleaved round, 2 warm-up runs;" in words_of(report(folder, run))
