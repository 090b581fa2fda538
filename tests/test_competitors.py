"""Competitors of a round of `shrink`: who takes part, who wins, and what is left of the time."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from allotrope import read
from allotrope.architectures.students import students
from allotrope.config import Recipe, Target
from allotrope.network import zoo
from allotrope.network.summary import multiply_adds
from allotrope.progress import Progress
from allotrope.report import write_report
from allotrope.shrinking.choose_widths import Prediction
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import pruned
from allotrope.tasks.metric import ACCURACY
from allotrope.verbs.pipeline.asked_teacher import teaching_quantizer
from allotrope.verbs.pipeline.competitors import (
    Competitor,
    best_of,
    is_deep,
    students_within,
    time_left,
)
from allotrope.verbs.pipeline.nearest_cut import NEAR, TimedCut
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_measured import as_it_came
from allotrope.verbs.pipeline.shrunk_values import Timed, Workbench
from planned import of_digits
from quick import BRIEF, one_candidate
from shrunk import fit, shrink

COSTS = {"latency_ms": 1.0, "size_bytes": 10, "weights": 5, "multiply_adds": 7}
FORM = ("openvino", "int8", "nncf")


@pytest.fixture(scope="module")
def digits():
    """Fewer of them: what suits the pictures is looked for anew for each width of a student."""
    whole, few = read("digits"), np.arange(150)
    splits = {split: part.take(few) for split, part in whole.splits.items()}
    return replace(whole, splits=splits)


def timed(network):
    return TimedCut(network, Prediction(None, None, 0.5, ()), Timed(FORM, COSTS), 1.0)


def bench_of(data, network=None):
    plan = SimpleNamespace(data=data, tasks=data.tasks, network=network)
    return SimpleNamespace(plan=plan, show=Progress())


def test_only_a_deep_cut_has_others_beside_it(digits):
    network = zoo.mlp(4, (1, 8, 8), hidden=(64,))
    known = groups(network)
    numbers = [group.number for group in known]
    bench = bench_of(digits, network)
    assert not is_deep(bench, timed(pruned(network, numbers[:16], known)))
    assert is_deep(bench, timed(pruned(network, numbers[:63], known)))


def test_students_are_networks_for_the_data_and_narrower_ones_do_less(digits):
    families = students(digits)
    assert [each.family for each in families] == ["whitened_cnn", "resnet8"]
    like = Recipe(epochs=3.0, seed=4)
    for family in families:
        choices = [family.built(digits, width, like) for width in family.widths[-3:]]
        work = [multiply_adds(choice.network) for choice in choices]
        assert sorted(work, reverse=True) == work and work[0] > work[-1]
        assert {choice.recipe.epochs for choice in choices} == {3.0}
        assert choices[0].recipe.label_smoothing == 0
        assert [value.name for value in choices[0].network.outputs] == ["label"]
    texts = read({"text": ["a b", "c d"] * 20, "label": ["x", "y"] * 20}, target="label")
    assert students(texts) == ()


def learned(accuracies, stopped="epochs"):
    """What a training would give that ends with these accuracies, by name."""

    def by(one, recipe):
        rows = [
            {"step": step, "validation_accuracy": value, "validation_loss": 1.0}
            for step, value in enumerate((0.1, accuracies[one.name]))
        ]
        asked.append((one.name, recipe.epochs))
        return SimpleNamespace(history=rows, stopped=stopped, epochs=recipe.epochs)

    asked: list = []
    return by, asked


def both(recipe):
    network = zoo.mlp(4, (1, 8, 8))
    cut = Competitor("cut", timed(network), recipe)
    return [cut, Competitor("student", timed(network), replace(recipe, seed=9), False)]


def test_the_best_after_a_part_of_the_time_wins(digits):
    recipe = Recipe(epochs=50.0)
    by, asked = learned({"cut": 0.7, "student": 0.8})
    winner, facts = best_of(bench_of(digits), both(recipe), recipe, by)
    assert winner.name == "student" and winner.recipe.seed == 9
    assert [(each["name"], each["won"]) for each in facts] == [("cut", False), ("student", True)]
    assert facts[1]["validation_metric"] == 0.8 and facts[1]["size_bytes"] == 10
    assert asked == [("cut", 3.0), ("student", 3.0)]
    by, _ = learned({"cut": 0.8, "student": 0.7})
    assert best_of(bench_of(digits), both(recipe), recipe, by)[0].name == "cut"


def test_without_time_for_a_race_the_cut_goes_on(digits):
    recipe = Recipe(epochs=2.0)
    by, asked = learned({})
    winner, facts = best_of(bench_of(digits), both(recipe), recipe, by)
    assert winner.name == "cut" and facts == [] and asked == []


def test_ctrl_c_in_a_race_is_the_end(digits):
    recipe = Recipe(epochs=50.0)
    by, _ = learned({"cut": 0.7, "student": 0.8}, "interrupted")
    with pytest.raises(KeyboardInterrupt):
        best_of(bench_of(digits), both(recipe), recipe, by)


def test_the_race_is_paid_from_the_budget():
    began = time.monotonic() - 40
    assert time_left(Recipe(budget=100.0), began, 5.0).budget == pytest.approx(60, abs=1)
    assert time_left(Recipe(budget=30.0), began, 5.0).budget == 5
    assert time_left(Recipe(epochs=3.0), began, 5.0).budget is None


def test_a_teacher_in_int8_is_one_that_answers_as_well():
    def row(form, metric, throughput, runtime="openvino"):
        names = {"runtime": runtime, "precision": "int8", "form": form}
        return {**names, "validation_metric": metric, "throughput": throughput}

    def chosen(*rows):
        before = SimpleNamespace(rows=rows, reference={"validation_metric": 0.93})
        return teaching_quantizer(before, ACCURACY)

    good, better = row("nncf", 0.929, 900), row("onnxruntime", 0.93, 400)
    assert chosen(good, better) == "nncf"
    assert chosen(row("nncf", 0.92, 900), better) == "onnxruntime"
    assert chosen(row("nncf", 0.92, 900)) is None
    assert chosen(row("nncf", 0.93, 900, "onnxruntime"), row("before", 0.93, 900)) is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("competitors")
    options = {"out": folder, "saliency": False, "quiet": True}
    return fit("digits", network="cnn", epochs=2, **options)


def test_students_are_as_small_as_was_asked_for(digits, tmp_path):
    network = of_digits(zoo.cnn(10, (1, 8, 8)))
    plan = SimpleNamespace(data=digits, tasks=digits.tasks, network=network)
    bench = Workbench(plan, tmp_path, one_candidate, 1, Progress(), BRIEF)
    for folder in ("before", "cut"):
        (tmp_path / folder).mkdir()
    before = as_it_came(bench, tmp_path / "before", None, lambda ms, size: Target(max_size=size))
    recipe = Recipe(epochs=20.0)
    half = Goal(None, 0.5 * before.whole["size_bytes"], 1.0)
    within = list(students_within(bench, before, half, recipe, tmp_path / "cut"))
    assert [one.name.split(" of width ")[0] for one in within] == ["whitened_cnn", "resnet8"]
    assert not any(one.has_learned for one in within)
    assert all(one.cut.timed.costs["size_bytes"] <= NEAR * half.size for one in within)
    hardly = Goal(None, 1.0 + before.least["size_bytes"] / 4, 1.0)
    assert not list(students_within(bench, before, hardly, recipe, tmp_path / "cut"))


def test_the_report_shows_what_competed(whole, tmp_path):
    run = shrink(
        whole.folder, max_size="0.6x", max_drop=60, epochs=0.3, out=tmp_path, saliency=False
    )
    record = json.loads((run.folder / "run.json").read_text())
    assert "What competed" not in (run.folder / "report.html").read_text()
    names = {"the cut network": 0.91, "resnet8 of width 2": 0.87}
    record["rounds"][0]["cut"]["competitors"] = [
        {**COSTS, "name": name, "validation_metric": value, "won": value > 0.9}
        for name, value in names.items()
    ]
    (run.folder / "run.json").write_text(json.dumps(record))
    page = write_report(run.folder).read_text()
    shown = page[page.index("What competed in round 1") :]
    assert "resnet8 of width 2" in shown and "87.00" in shown and "went on" in shown
