"""The parts of the report that compute: numbers as text, scales, intervals, labels, confusion."""

from __future__ import annotations

import itertools

import pytest

from allotrope.data.summary import modes_in_words
from allotrope.report import formatting
from allotrope.report.confusion_matrix import confused_pairs, confusion_matrix
from allotrope.report.curves import learning_curves, thinned
from allotrope.report.headline import interval
from allotrope.report.label_places import Box, _box, placed
from allotrope.report.layers_rounded import layers_rounded
from allotrope.report.record import Record
from allotrope.report.scale import AxisScale, spanning
from allotrope.report.sections import RaceRow
from allotrope.report.tips import tip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.significant(0.048449), "0.0484"),
        (formatting.significant(9.999), "10.0"),
        (formatting.significant(1234567), "1 234 567"),
        (formatting.significant(0), "0"),
        (formatting.significant(1.23e-7), "1.23e-07"),
        (formatting.significant(None), "–"),
        (formatting.percent(0.98614), "98.61 %"),
        (formatting.count(1234.4), "1 234"),
        (formatting.short_count(100_600), "101 K"),
        (formatting.size(33_410), "33.4 KB"),
        (formatting.size(999), "999 B"),
        (formatting.size(2_000_000), "2.00 MB"),
        (formatting.milliseconds(12_345), "12.3 s"),
        (formatting.duration(0.312), "0.31 s"),
        (formatting.duration(41.2), "41.2 s"),
        (formatting.duration(302), "5 min 2 s"),
        (formatting.duration(4830), "1 h 20 min"),
        (formatting.duration(3599.9), "1 h 0 min"),
        (formatting.times(8.512), "8.51×"),
        (formatting.times(0.5988), "0.60×"),
        (formatting.points(-0.00694), "−0.69"),
        (formatting.points(-1e-9), "±0"),
        (formatting.words([0.5, 0.75]), "0.5, 0.75"),
        (formatting.words(None), "none"),
        (formatting.words(False), "no"),
        (formatting.shortened("abcdef", 4), "abc…"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text.replace("\u202f", " ") == expected


RANGES = [(0.9861, 0.9862), (0.031, 0.9), (1e-9, 1e9), (0.04, 1.2), (1.1, 1.2)]


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"),
    [(*ends, True) for ends in RANGES] + [(*ends, False) for ends in [*RANGES, (0, 1), (-3, 2)]],
)
def test_ticks_are_round_few_and_inside(low: float, high: float, logarithmic: bool) -> None:
    scale = AxisScale(low, high, 50, 350, logarithmic)
    for most in (3, 6, 10):
        ticks = scale.ticks(most)
        assert 1 <= len(ticks) <= most + 1
        assert all(50 <= tick.place <= 350 for tick in ticks)
        assert len({tick.label for tick in ticks}) == len(ticks)
        assert all(scale(float(tick.label)) == pytest.approx(tick.place, abs=0.2) for tick in ticks)


def test_a_scale_holds_its_values_and_clips_others() -> None:
    scale = spanning([1, 10, 100], 0, 300, logarithmic=True)
    assert scale(10) == pytest.approx(150, abs=0.2)
    assert scale(-5) == 0
    assert scale(1e9) == 300
    for same in ([3.0], [0.0, 0.0]):
        assert spanning(same, 0, 100)(same[0]) == 50


def test_interval_agrees_with_published_values() -> None:
    """Newcombe 1998, table I, score method: 81 of 263 gives 0.2553 to 0.3662.

    0 of 20 gives 0 to 0.1611.
    """
    assert interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_labels_avoid_each_other_and_the_marks() -> None:
    points = [(100.0, 50.0), (130.0, 50.0), (160.0, 50.0)]
    frame = Box(50, 20, 350, 250)
    labels = placed(["the first label", "", "the third label"], points, frame)
    boxes = [_box(label) for label in labels]
    assert len(labels) == 2
    for one, other in itertools.combinations(boxes, 2):
        assert one.overlap(other) == 0
    for box in boxes:
        assert box.outside(frame) == 0
        assert all(box.overlap(Box(x - 5, y - 5, x + 5, y + 5)) == 0 for x, y in points)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (357, 300), (180, 150)])
def test_tips_stay_in_the_chart(x: float, y: float) -> None:
    box = tip(["a line of the length that names of candidates have"] * 3, x, y, 358, 330)
    assert 0 <= box.x <= 358 - box.width
    assert 0 <= box.y <= 330 - box.height


def test_confusion_says_what_is_taken_for_what() -> None:
    names, counts = ["cat", "dog", "cow"], [[8, 2, 0], [0, 10, 0], [1, 3, 6]]
    matrix = confusion_matrix(names, counts)
    assert matrix is not None
    assert len(matrix.cells) == 6
    assert [(pair.true, pair.predicted, pair.count) for pair in confused_pairs(names, counts)] == [
        ("cow", "dog", 3),
        ("cat", "dog", 2),
        ("cow", "cat", 1),
    ]
    worst = next(cell for cell in matrix.cells if cell.text == "3")
    assert worst.kind == "wrong"
    assert worst.strength == max(cell.strength for cell in matrix.cells)
    assert worst.x == pytest.approx(matrix.left + matrix.cell, abs=0.1)
    assert worst.y == pytest.approx(matrix.top + 2 * matrix.cell, abs=0.1)
    assert worst.title.replace("\u202f", " ") == "cow taken for dog: 3 (30.0 % of its examples)"


def test_long_histories_are_thinned_and_keep_their_end() -> None:
    history = [{"epoch": float(epoch), "loss": 1 / (1 + epoch)} for epoch in range(1001)]
    rows = thinned(history)
    assert len(rows) <= 240
    assert rows[-1]["epoch"] == 1000
    (chart,) = learning_curves(history, 1000, [])
    assert chart.title == "Loss (log scale)"
    assert len(chart.bands) == len(rows)
    assert chart.best == chart.right


def test_one_epoch_makes_no_curve() -> None:
    assert learning_curves([{"epoch": 1.0, "loss": 2.0}], 1, []) == []
    assert learning_curves([], None, []) == []


@pytest.mark.parametrize(
    ("modes", "text"),
    [
        ({"L": 1797}, "all grey"),
        ({"RGB": 1200, "L": 13, "I;16": 2}, "1,200 colour, 13 grey, 2 grey of 16 bits"),
        ({}, ""),
    ],
)
def test_modes_are_said_in_words(modes: dict[str, int], text: str) -> None:
    assert modes_in_words(modes) == text


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"chosen": True, "agrees": True, "reason": "chosen"}, ("good", "✓ chosen", "")),
        ({"agrees": True, "reason": "slower"}, ("plain", "agrees", "slower")),
        ({"reason": "not tried: it would take long"}, ("plain", "not tried", "it would take long")),
        ({"reason": "failed: no compiler"}, ("bad", "✕ not usable", "failed: no compiler")),
        ({"reason": "its loss does not agree"}, ("bad", "✕ not usable", "its loss does not agree")),
    ],
)
def test_a_setting_that_was_not_tried_is_not_called_bad(
    row: dict[str, object], verdict: tuple[str, str, str]
) -> None:
    assert RaceRow(Record(row), None, 0.0).verdict == verdict


def test_layers_are_listed_with_what_rounding_each_alone_loses() -> None:
    layers = [
        {
            "layer": f"conv{number}",
            "operator": "Conv",
            "error": 0.4 / 2**number,
            "float": not number,
        }
        for number in range(25)
    ]
    layers[0] |= {"error": None, "drop": 3.5}
    row = {"runtime": "onnxruntime", "form": "mixed-onnxruntime", "sensitivity": layers}
    section = layers_rounded(Record({"candidates": [{"runtime": "openvino"}, row]}))
    assert section is not None
    (file,) = section.files
    assert (len(file.rows), len(file.others)) == (20, 5)
    assert file.note == "1 of 25 layers in float."
    first, second = file.rows[:2]
    assert (first.in_float, first.drop, first.share, first.error_percent) == (True, 3.5, 1.0, None)
    assert (second.in_float, second.share, second.error_percent) == (False, 1.0, 20.0)


def test_layers_are_listed_of_what_was_tried_in_vain_and_else_not_at_all() -> None:
    layers = [{"layer": "fc", "operator": "Gemm", "error": 0.5, "float": True}]
    section = layers_rounded(Record({"candidates": [], "mixed": [{"sensitivity": layers}]}))
    assert section is not None
    assert section.files[0].note.startswith("Not even all layers but one")
    assert layers_rounded(Record({"candidates": [{"runtime": "openvino"}]})) is None
