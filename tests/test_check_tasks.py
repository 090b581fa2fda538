"""check trains a network with several inputs and outputs for its tasks, in two frameworks.

Every framework learns these tasks in the contract of frameworks. Some labels are missing.
`python benchmarks/agreement.py --networks several --steps 50` makes fifty steps.
"""

import numpy as np
import pytest

import allotrope
from allotrope.errors import UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.learned import learned_tasks, random_labels
from allotrope.testing.framework_cases import SEVERAL, several
from tested import TESTED

TASKS = ["label=classification", "age=regression", "signs=multilabel"]
KINDS = dict(text.split("=") for text in TASKS)
FIRST_AND_HELD = tuple(dict.fromkeys((TESTED[0], TESTED[-1])))
OUTPUTS = {name: (9, size) for name, size in SEVERAL.items()}


def test_several_inputs_and_tasks_agree():
    proof = allotrope.check(
        several(),
        precision=["float64"],
        tasks=TASKS,
        missing=1 / 3,
        steps=10,
        directions=4,
        frameworks=FIRST_AND_HELD,
        quiet=True,
    )
    said = str(proof)
    assert proof.agrees, said
    assert "classification of 'label' and regression of 'age' and multilabel of 'signs'" in said
    rows = [row for row in proof.json["rows"] if row["parts"]]
    assert {row["framework"] for row in rows} == set(FIRST_AND_HELD)
    assert all("training slopes" in row["parts"] and "first loss" in row["parts"] for row in rows)
    compared = [row["parts"] for row in rows if "losses" in row["parts"]]
    assert len(compared) == len(FIRST_AND_HELD) - 1
    assert all(parts["losses"]["error"] <= 1e-8 for parts in compared)
    assert all(parts["gradients"]["error"] <= 1e-9 for parts in compared)


def computation_of(made, precision="float64", missing=0.3):
    computation = Computation(
        "", precision, 9, {"n": 9}, 0, 0.1, outputs=OUTPUTS, tasks=KINDS, missing=missing
    )
    computation.__dict__["declared"] = made
    return computation


def test_a_batch_has_a_target_and_a_weight_for_each_task_in_the_precision():
    batch = computation_of(several()).batch_of(3)
    assert set(batch.inputs) == {"image", "numbers"} and batch.inputs["image"].dtype == np.uint8
    assert {name: target.shape for name, target in batch.targets.items()} == OUTPUTS
    assert all(x.dtype == np.float64 for x in (*batch.targets.values(), *batch.weights.values()))
    assert set(batch.weights) == set(SEVERAL)
    assert all(0 < weight.mean() < 1 for weight in batch.weights.values())
    whole = computation_of(several(), missing=0.0).batch_of(3)
    assert not whole.weights


def test_its_loss_is_the_sum_of_those_of_the_tasks():
    computation = computation_of(several())
    batch = computation.batch_of(1)
    outputs = computation.trained.run(batch.inputs)
    p = ReferencePrimitives()
    parts = [
        one.loss(p, outputs[one.name], batch.targets[one.name], batch.weights[one.name])
        for one in computation.learned
    ]
    loss = computation.plan.loss(p, outputs, batch.targets, batch.weights)
    assert float(loss) == pytest.approx(float(sum(parts)))


@pytest.mark.parametrize("name", SEVERAL)
def test_labels_are_missing_at_random_and_never_all(name):
    (task,) = learned_tasks({name: KINDS[name]}, OUTPUTS)
    labels = random_labels(task, 3000, 1 / 3, np.random.default_rng(0))
    if labels.dtype.kind == "i":
        unknown = labels < 0
    else:
        unknown = np.isnan(labels).reshape(3000, -1).all(1)
    assert 0.3 < unknown.mean() < 0.37 and not unknown[0]
    assert len(np.unique(labels[~unknown])) > 1


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"label": "classificaton"}, "Did you mean 'classification'"),
        ({"lable": "regression"}, r"'lable' is no output .* label, age, signs"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(kinds, message):
    with pytest.raises(UsageError, match=message):
        learned_tasks(kinds, OUTPUTS)


def test_a_part_of_the_labels_is_a_part():
    with pytest.raises(UsageError, match=r"missing is 1\.0, expected at least 0 and below 1"):
        allotrope.check(several(), tasks=TASKS, missing=1.0, quiet=True)
