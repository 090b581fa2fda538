"""The report in a real browser: it loads whole and fits a phone.

It asks for nothing and complains of nothing.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np
import pytest

import allotrope
from allotrope.report import write_report
from chromium import Chromium, find_chromium
from explainable import pictured, run_folder

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "report"
DESKTOP, TABLET, PHONE = 1280, 820, 390


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A headless browser; skipped if none is installed, except in CI."""
    program = find_chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(
                "no Chromium or Chrome in the path, and CI must have one: apt-get install chromium"
            )
        pytest.skip("no Chromium or Chrome in the path")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The report of a complete run."""
    return write_report(
        pathlib.Path(shutil.copytree(FIXTURE, tmp_path_factory.mktemp("runs") / "digits-1"))
    )


@pytest.fixture(scope="module")
def hard_page(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The report of 100 classes with long and hostile names; no candidate meets the target."""
    folder = pathlib.Path(shutil.copytree(FIXTURE, tmp_path_factory.mktemp("runs") / "hard"))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    names = [f"<script>console.error({index})</script>{'unbroken' * 30}" for index in range(100)]
    run["data"] |= {"classes": names, "name": "n" * 300, "source": "/data/" + "s" * 300}
    run["data"]["summary"]["class_counts"] = {"train": dict.fromkeys(names, 500)}
    run["test"]["confusion"] = [
        [int((true * 7 + column) % 5 == 0) + 90 * (true == column) for column in range(100)]
        for true in range(100)
    ]
    run["test"]["per_class"] = [
        {"class": name, "precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 100}
        for name in names
    ]
    for mistake in run["test"]["mistakes"]:
        mistake |= {"true": names[0], "predicted": names[1], "file": "f" * 400}
    run |= {
        "status": "target-missed",
        "delivered": None,
        "nearest_miss": run["candidates"][0],
        "command": "allotrope fit " + "c" * 400,
    }
    run["candidates"][1] |= {"runtime": "r" * 100, "reason": "because" * 60}
    run["network_details"]["table"] = "t" * 500
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return write_report(folder)


def complaints(browser: Chromium) -> list[str]:
    """Everything the browser logged, threw or fetched besides the page and what is inside it."""
    addresses = [event["request"]["url"] for event in browser.of("Network.requestWillBeSent")]
    lines = [f"fetched {address}" for address in addresses[1:] if not address.startswith("data:")]
    lines += [f"logged {event['entry']['text']}" for event in browser.of("Log.entryAdded")]
    lines += [f"console {event['args']}" for event in browser.of("Runtime.consoleAPICalled")]
    return lines + [
        f"threw {event['exceptionDetails']['text']}"
        for event in browser.of("Runtime.exceptionThrown")
    ]


def overflow(browser: Chromium) -> int:
    """By how many pixels the page is wider than the window."""
    return int(
        browser.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, TABLET, PHONE, 320])
def test_loads_whole_and_fits(
    browser: Chromium, page: pathlib.Path, width: int, dark: bool
) -> None:
    browser.open(page, width, dark=dark)
    assert complaints(browser) == []
    assert overflow(browser) <= 0
    assert (
        browser.evaluate("[...document.images].filter(image => image.naturalWidth > 0).length")
        == 12
    )
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 150) == dark


@pytest.mark.parametrize(("width", "dark"), [(DESKTOP, False), (320, True)])
def test_an_explained_picture_loads_whole_and_fits(
    browser: Chromium, tmp_path: pathlib.Path, width: int, dark: bool
) -> None:
    network = pictured("cnn", channels=(3, 4), hidden=(5,))
    pixels = np.arange(144, dtype=np.uint8).reshape(12, 12)
    run = run_folder(tmp_path / ("n" * 120), network)
    allotrope.explain(run, pixels, out=tmp_path / "way.html")
    browser.open(tmp_path / "way.html", width, dark=dark)
    assert complaints(browser) == []
    assert overflow(browser) <= 0
    pictures = browser.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(pictures) > 12 and min(pictures) > 0


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_hostile_and_long_names_do_no_harm(
    browser: Chromium, hard_page: pathlib.Path, width: int
) -> None:
    browser.open(hard_page, width)
    assert complaints(browser) == []
    assert overflow(browser) <= 0
    assert browser.evaluate("document.scripts.length") == 0


CHARTS = """
(() => {
  const measured = chart => {
    const inside = chart.getBoundingClientRect();
    const scale = inside.width / chart.viewBox.baseVal.width;
    const texts = [...chart.querySelectorAll('text')].filter(
      text => text.checkVisibility({visibilityProperty: true})
    );
    const sizes = texts.map(text => parseFloat(getComputedStyle(text).fontSize));
    const isOutside = text => {
      const box = text.getBoundingClientRect();
      return box.left < inside.left - 2 || box.right > inside.right + 2;
    };
    return {
      name: chart.getAttribute('aria-label'),
      smallest: Math.min(...sizes) * scale,
      outside: texts.filter(isOutside).map(text => text.textContent),
    };
  };
  const charts = [...document.querySelectorAll('svg[role=img]')];
  return charts.filter(chart => chart.checkVisibility()).map(measured);
})()
"""


@pytest.mark.parametrize("width", [DESKTOP, TABLET, PHONE])
def test_charts_are_drawn_once_with_text_that_can_be_read(
    browser: Chromium, page: pathlib.Path, width: int
) -> None:
    browser.open(page, width)
    charts = browser.evaluate(CHARTS)
    assert [chart["name"].split(" ")[0] for chart in charts] == [
        "Validation",
        "Confusion",
        "Loss",
        "Accuracy,",
        "Learning",
    ]
    for chart in charts:
        assert chart["smallest"] >= 9, chart
        assert chart["outside"] == [], chart


TIPS = """
[...document.querySelectorAll('.tip text')]
  .filter(text => text.checkVisibility({visibilityProperty: true}))
  .map(text => text.textContent)
"""
MARK = """
(() => {
  const mark = document.querySelector('.scatter-1124 .hover circle');
  mark.scrollIntoView({block: 'center', behavior: 'instant'});
  const box = mark.getBoundingClientRect();
  return {x: box.x + box.width / 2, y: box.y + box.height / 2};
})()
"""


def test_pointing_at_a_mark_shows_its_numbers(browser: Chromium, page: pathlib.Path) -> None:
    browser.open(page, DESKTOP)
    assert browser.evaluate(TIPS) == []
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", **browser.evaluate(MARK))
    assert "ONNX Runtime int8: delivered" in browser.evaluate(TIPS)


def test_prints_everything(browser: Chromium, page: pathlib.Path) -> None:
    browser.open(page, DESKTOP)
    browser.send("Emulation.setEmulatedMedia", media="print")
    shown = browser.evaluate(
        "[...document.querySelectorAll('details pre')].every(part => "
        "part.getBoundingClientRect().height > 50)"
    )
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.send("Emulation.setEmulatedMedia", media="")
    assert shown
    assert ground == "rgb(255, 255, 255)"


def test_these_checks_can_fail(browser: Chromium, tmp_path: pathlib.Path) -> None:
    planted = tmp_path / "planted.html"
    planted.write_text(
        "<!DOCTYPE html><meta name=viewport content='width=device-width'><div "
        "style='width:900px'>wide</div>"
        "<img src='missing.png'><script>console.error('planted'); throw new "
        "Error('planted')</script>",
        encoding="utf-8",
    )
    browser.open(planted, PHONE)
    lines = " ".join(complaints(browser))
    assert "fetched file://" in lines and "console" in lines and "threw" in lines
    assert overflow(browser) > 400
