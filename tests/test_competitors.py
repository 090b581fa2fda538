"""Competitors of a round of `shrink`: who takes part, who wins, and what is left of the time."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from allotrope import read
from allotrope.architectures.students import students
from allotrope.config import Recipe
from allotrope.network import zoo
from allotrope.network.summary import multiply_adds
from allotrope.progress import Progress
from allotrope.shrinking.choose_widths import Prediction
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import pruned
from allotrope.tasks.metric import ACCURACY
from allotrope.verbs.pipeline.asked_teacher import teaching_quantizer
from allotrope.verbs.pipeline.competitors import Competitor, best_of, is_deep, time_left
from allotrope.verbs.pipeline.nearest_cut import TimedCut
from allotrope.verbs.pipeline.shrunk_values import Timed
from shrunk import fit, shrink

COSTS = {"latency_ms": 1.0, "size_bytes": 10, "weights": 5, "multiply_adds": 7}
FORM = ("openvino", "int8", "nncf")


@pytest.fixture(scope="module")
def digits():
    return read("digits")


def timed(network):
    return TimedCut(network, Prediction(None, None, 0.5, ()), Timed(FORM, COSTS), 1.0)


def bench_of(data, network=None):
    plan = SimpleNamespace(data=data, tasks=data.tasks, network=network)
    return SimpleNamespace(plan=plan, show=Progress())


def test_only_a_deep_cut_has_others_beside_it():
    network = zoo.mlp(4, (1, 8, 8), hidden=(64,))
    known = groups(network)
    numbers = [group.number for group in known]
    bench = bench_of(read("digits"), network)
    assert not is_deep(bench, timed(pruned(network, numbers[:16], known)))
    assert is_deep(bench, timed(pruned(network, numbers[:60], known)))


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


def test_networks_compete_for_a_small_file(tmp_path):
    """A whole run whose rounds are long enough for a race."""
    options = {"out": tmp_path, "saliency": False, "quiet": True}
    whole = fit("digits", network="cnn", epochs=3, **options)
    run = shrink(whole.folder, max_size="0.07x", max_drop=90, epochs=17, **options)
    raced = [each["cut"]["competitors"] for each in run.json["rounds"]]
    compared = max(raced, key=len)
    assert compared[0]["name"] == "the cut network"
    assert any(each["name"].startswith("resnet8 of width") for each in compared)
    assert sum(each["won"] for each in compared) == 1
    assert run.json["delivered"]["size_bytes"] <= 0.07 * whole.json["delivered"]["size_bytes"]
    page = (run.folder / "report.html").read_text()
    assert "What competed" in page and "resnet8 of width" in page
