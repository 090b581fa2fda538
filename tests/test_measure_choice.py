"""The choice among measured candidates, on tables made by hand."""

from __future__ import annotations

import pytest

from allotrope.config import Target
from allotrope.measure.choice import (
    choose,
    distinction,
    float32_metric,
    judge,
    nearest_miss,
)
from allotrope.tasks.metric import ACCURACY, RMSE


def row(runtime, precision="int8", latency=1.0, throughput=1000.0, size=1000, accuracy=0.9, **more):
    figures = {
        "latency_ms": {"median": latency, "p90": latency, "spread": 0.0},
        "throughput": throughput,
        "size_bytes": size,
    }
    return {
        "runtime": runtime,
        "precision": precision,
        "validation_metric": accuracy,
        **figures,
        **more,
    }


def chosen(rows, target):
    best = choose(judge(rows, target, ACCURACY), target, ACCURACY)
    return best and best["runtime"]


def test_fastest_that_passes_is_chosen():
    rows = [
        row("a", "float32", latency=2.0),
        row("b", latency=0.5),
        row("c", latency=0.1, accuracy=0.5),
    ]
    assert chosen(rows, Target()) == "b"


def test_baseline_is_never_chosen():
    rows = [row("pytorch", "float32", latency=0.01, baseline=True), row("a", "float32")]
    assert chosen(rows, Target()) == "a"


def test_without_a_latency_limit_both_uses_count():
    quick_alone = row("alone", latency=1.0, throughput=100.0)
    quick_in_batches = row("batches", latency=2.0, throughput=1000.0)
    assert chosen([quick_alone, quick_in_batches], Target()) == "batches"


def test_with_a_latency_limit_latency_decides():
    quick_alone = row("alone", latency=1.0, throughput=100.0)
    quick_in_batches = row("batches", latency=2.0, throughput=1000.0)
    assert chosen([quick_alone, quick_in_batches], Target(max_latency=5)) == "alone"


@pytest.mark.parametrize(("latency", "expected"), [(1.04, "accurate"), (1.06, "fast")])
def test_of_those_as_fast_the_most_accurate_is_chosen(latency, expected):
    rows = [
        row("fast", accuracy=0.896),
        row("accurate", latency=latency, throughput=1000.0 / latency, accuracy=0.9, size=2000),
    ]
    assert chosen(rows, Target()) == chosen(rows, Target(max_latency=5)) == expected


def test_of_equals_the_smaller_is_chosen():
    assert chosen([row("a", size=2000), row("b", size=1000)], Target()) == "b"


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (Target(max_latency=0.5), "latency"),
        (Target(max_size=500), "size"),
        (Target(max_drop=0.1), "validation accuracy"),
    ],
)
def test_each_limit_rejects_with_its_reason(target, word):
    judged = judge(
        [row("a", "float32", latency=0.1, size=1, accuracy=0.95), row("b", accuracy=0.9)],
        target,
        ACCURACY,
    )
    assert [candidate["passes"] for candidate in judged] == [True, False]
    assert judged[1]["reason"].startswith(word)


def test_every_limit_that_is_missed_is_named():
    judged = judge(
        [row("a", "float32", accuracy=0.99), row("b", latency=9, size=9000)],
        Target(max_latency=5, max_size=1500),
        ACCURACY,
    )
    assert [part.split()[0] for part in judged[1]["reason"].split("; ")] == [
        "latency",
        "size",
        "validation",
    ]


def test_exactly_the_allowed_drop_passes():
    judged = judge(
        [row("a", "float32", accuracy=0.9), row("b", accuracy=0.895)],
        Target(max_drop=0.5),
        ACCURACY,
    )
    assert judged[1]["passes"]


def test_an_error_is_better_if_it_is_lower_and_drops_by_per_cent_of_itself():
    rows = [
        row("a", "float32", latency=2.0, accuracy=4.0),
        row("b", accuracy=4.02),
        row("c", latency=0.1, accuracy=4.1),
    ]
    assert float32_metric([*rows, row("d", "float32", accuracy=9.0)], RMSE) == 4.0
    judged = judge(rows, Target(max_drop=0.5), RMSE)
    assert [candidate["passes"] for candidate in judged] == [True, True, False]
    assert judged[2]["reason"] == "validation RMSE 4.100 is 2.50 % over float32, 0.5 allowed"
    assert judged[1]["reason"] == "meets the target: +0.50 % of validation RMSE against float32"
    assert choose(judged, Target(), RMSE)["runtime"] == "b"
    as_fast = judge(
        [row("worse", "float32", accuracy=4.01), row("better", size=2000, accuracy=4.0)],
        Target(),
        RMSE,
    )
    assert choose(as_fast, Target(), RMSE)["runtime"] == "better"


def test_a_limited_loss_decides_what_a_few_rows_cannot():
    rows = [
        {**row("lucky", "float32", latency=0.5, accuracy=0.92), "validation_loss": 0.3},
        {**row("best", "float32", accuracy=0.9), "validation_loss": 0.25},
        {**row("fast", latency=0.1, accuracy=0.9), "validation_loss": 0.2524},
        {**row("worse", latency=0.1, accuracy=0.9), "validation_loss": 0.26},
        {**row("dropped", latency=0.1, accuracy=0.89), "validation_loss": 0.25},
    ]
    judged = judge(rows, Target(max_drop=0.1, max_worse=1.0), ACCURACY)
    assert [each["passes"] for each in judged] == [False, True, True, False, False]
    reason = "validation loss 0.26 is 4% above the best, 1% allowed"
    assert judged[3]["reason"] == reason
    assert choose(judged, Target(max_drop=0.1, max_worse=1.0), ACCURACY)["runtime"] == "fast"
    assert judge(rows, Target(max_drop=0.1), ACCURACY)[0]["passes"]
    assert nearest_miss(judged[3:], Target(max_drop=0.1, max_worse=1.0), ACCURACY) is not None


def test_what_is_no_number_never_wins():
    rows = [
        row("a", "float32", latency=2.0),
        row("nan", accuracy=float("nan")),
        row("none", latency=1.01, accuracy=None),
    ]
    judged = judge(rows, Target(), ACCURACY)
    assert not judged[1]["passes"]
    assert (
        choose([judged[0], {**judged[2], "latency_ms": rows[0]["latency_ms"]}], Target(), ACCURACY)[
            "runtime"
        ]
        == "a"
    )


def test_the_drop_is_counted_from_float32_only():
    rows = [row("a", "float32", accuracy=0.9), row("b", accuracy=0.99)]
    assert float32_metric(rows, ACCURACY) == 0.9
    assert float32_metric([row("b", accuracy=0.99)], ACCURACY) is None


def test_test_accuracy_decides_nothing():
    rows = [row("a", "float32", latency=2.0, test_metric=0.99), row("b", test_metric=0.1)]
    assert chosen(rows, Target()) == "b"


def test_a_failed_candidate_keeps_its_reason_and_never_passes():
    failed = {"runtime": "c", "precision": "int8", "reason": "the process was killed"}
    judged = judge([row("a", "float32"), failed], Target(), ACCURACY)
    assert judged[1] == {**failed, "passes": False}
    assert choose(judged[1:], Target(), ACCURACY) is None


def test_nearest_miss_has_the_smallest_excess():
    target = Target(max_latency=1.0, max_size=1000)
    rows = [
        row("a", latency=3.0, size=500),
        row("b", latency=1.2, size=1100),
        row("c", latency=0.5, size=2000),
    ]
    assert choose(judge(rows, target, ACCURACY), target, ACCURACY) is None
    assert nearest_miss(rows, target, ACCURACY)["runtime"] == "b"


def test_no_nearest_miss_if_nothing_ran():
    assert (
        nearest_miss(
            [{"runtime": "a", "precision": "float32", "reason": "not installed"}],
            Target(),
            ACCURACY,
        )
        is None
    )


@pytest.mark.parametrize(
    ("word", "rows"),
    [
        ("fastest", [row("a"), row("b", latency=2.0)]),
        ("fastest-weighed", [row("a", throughput=9000.0), row("b", latency=0.9)]),
        ("best", [row("a", latency=1.01, accuracy=0.91), row("b")]),
        ("smallest", [row("a", latency=1.01, size=900), row("b")]),
    ],
)
def test_in_what_the_chosen_one_is_the_best(word, rows):
    rows = judge(rows, Target(max_drop=5.0), ACCURACY)
    best = choose(rows, Target(), ACCURACY)
    assert best["runtime"] == "a"
    assert distinction(best, rows, Target(), ACCURACY) == word


def together(size=5000, latency=5.0, accuracy=0.92):
    return row("all", "float32", latency=latency, size=size, accuracy=accuracy, form="ensemble")


def test_an_ensemble_is_delivered_if_one_network_loses_too_much_beside_it():
    rows = [row("one", "float32", accuracy=0.9), together()]
    assert chosen(rows, Target(max_drop=0.1)) == "all"
    assert chosen(rows, Target(max_drop=3)) == "one"


@pytest.mark.parametrize("limit", [{"max_size": 2000}, {"max_latency": 2.0}])
def test_an_ensemble_over_a_limit_is_no_measure_for_one_network(limit):
    rows = [row("one", "float32", accuracy=0.9), row("small", latency=0.5), together()]
    judged = judge(rows, Target(max_drop=0.1, **limit), ACCURACY)
    assert chosen(rows, Target(max_drop=0.1, **limit)) == "small"
    assert [bool(each.get("reference")) for each in judged] == [True, False, False]
    assert "is over" in judged[2]["reason"]


def test_if_nothing_meets_the_limits_the_nearest_miss_is_named():
    target = Target(max_size=500, max_drop=0.1)
    judged = judge([row("one", "float32", accuracy=0.9), together()], target, ACCURACY)
    assert choose(judged, target, ACCURACY) is None
    assert nearest_miss(judged, target, ACCURACY)["runtime"] == "one"


def test_an_int8_ensemble_that_loses_too_much_is_no_measure_either():
    rows = [row("one", "float32", accuracy=0.9), together()]
    rows.append({**together(size=1500, accuracy=0.89), "precision": "int8", "runtime": "rounded"})
    assert chosen(rows, Target(max_size=2000, max_drop=0.1)) == "one"
