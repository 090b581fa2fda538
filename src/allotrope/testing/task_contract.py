"""What every kind of task must do, as tests: inherit `TaskContract` and name a task."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import DataError, UsageError
from allotrope.frameworks import TRAINING
from allotrope.frameworks import framework as find
from allotrope.frameworks import missing as missing_framework
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.build import Builder
from allotrope.network.columns import columns_of
from allotrope.network.network import Network
from allotrope.runtimes import runtime
from allotrope.tasks import task_of
from allotrope.tasks.contract import Answers, Labels, Task
from allotrope.tasks.guess import guess
from allotrope.tasks.means import missing
from allotrope.tasks.several import joint_loss
from allotrope.training.plan import training_plan

FEW = 12
"""So many examples of which slopes are measured."""
STEP = 1e-6
"""By how much an output is moved to measure a slope, in float64."""


class TaskContract:
    """The tests. `task` is the one under test, `labels` [n, …] are a column of it without gaps.

    `right` are raw outputs [n, size] that answer `labels` nearly right, `gappy` the labels with
    some missing.
    """

    task: ClassVar[Task]
    labels: ClassVar[Labels]
    right: ClassVar[Answers]
    gappy: ClassVar[Labels]

    @pytest.fixture(params=TRAINING)
    def name(self, request: pytest.FixtureRequest) -> str:
        """A framework that trains; a fixture that is given instead may go over others."""
        reason = missing_framework(request.param)
        if reason is not None:
            pytest.skip(reason)
        return str(request.param)

    def loss(
        self,
        output: Answers,
        target: np.ndarray,
        weight: np.ndarray | None,
        task: Task | None = None,
    ) -> float:
        """The loss of a task, by default of the one under test, in float64."""
        arrays = (output, target, weight)
        wide = [None if array is None else array.astype(np.float64) for array in arrays]
        return float((task or self.task).loss(ReferencePrimitives(), wide[0], wide[1], wide[2]))

    # --- targets

    def test_targets_are_rows_of_float32(self) -> None:
        targets, weights = self.task.encode(self.labels)
        assert targets.dtype == np.float32
        assert targets.shape == (len(self.labels), self.task.size)
        assert weights is None

    def test_what_is_missing_counts_nothing_and_is_finite(self) -> None:
        targets, weights = self.task.encode(self.gappy)
        assert weights is not None and weights.dtype == np.float32
        assert len(weights) == len(self.gappy) and 0 < weights.mean() < 1
        assert np.isfinite(targets).all()
        gaps = missing(self.gappy)
        assert weights.shape in (gaps.shape, gaps.shape[:1])
        complete = np.flatnonzero(~gaps.reshape(len(gaps), -1).any(axis=1))
        np.testing.assert_array_equal(
            targets[complete], self.task.encode(self.labels).targets[complete]
        )

    # --- the loss

    def test_the_loss_is_lower_for_right_answers(self) -> None:
        targets, _ = self.task.encode(self.labels)
        right = self.loss(self.right, targets, None)
        assert math.isfinite(right)
        assert right < self.loss(self.right[::-1], targets, None)

    def test_weights_of_one_are_as_no_weights(self) -> None:
        targets, _ = self.task.encode(self.labels)
        ones = np.ones(len(self.labels))
        plain = self.loss(self.right, targets, None)
        assert self.loss(self.right, targets, ones) == pytest.approx(plain, rel=1e-12)

    def test_examples_with_weight_0_take_no_part(self) -> None:
        targets, weights = self.task.encode(self.labels)[0], np.ones(len(self.labels))
        weights[::3] = 0
        counted = weights > 0
        spoilt, lies = self.right.copy(), targets.copy()
        spoilt[~counted], lies[~counted] = 100, 0.5
        alone = self.loss(self.right[counted], targets[counted], None)
        assert self.loss(spoilt, lies, weights) == pytest.approx(alone, rel=1e-12)

    def test_a_weight_counts_as_often_as_it_says(self) -> None:
        targets = self.task.encode(self.labels).targets
        weights = np.ones(len(self.labels))
        weights[0] = 3
        repeated = [0, 0, *range(len(self.labels))]
        thrice = self.loss(self.right[repeated], targets[repeated], None)
        assert self.loss(self.right, targets, weights) == pytest.approx(thrice, rel=1e-12)

    def test_a_batch_without_any_label_has_a_loss_of_0(self) -> None:
        targets = self.task.encode(self.labels).targets
        assert self.loss(self.right, targets, np.zeros(len(self.labels))) == 0

    @pytest.mark.parametrize("size", [1e4, -1e4])
    def test_large_outputs_do_not_overflow(self, size: float) -> None:
        targets = self.task.encode(self.labels).targets
        with np.errstate(all="raise", under="ignore"):
            assert math.isfinite(self.loss(self.right + size * self.right, targets, None))

    # --- in every framework

    @pytest.mark.parametrize("weighted", [False, True])
    def test_the_loss_and_its_gradient_are_the_references_slopes(
        self, name: str, weighted: bool
    ) -> None:
        """A step of plain descent at learning rate 1 moves free outputs by their gradient."""
        rows = slice(None, None, max(1, len(self.labels) // FEW))
        output = self.right[rows].astype(np.float64) * 0.5
        targets, _ = self.task.encode(self.labels[rows])
        weights = np.linspace(0, 2, len(output)) if weighted else None
        loss, gradient = _step(name, self.task, output, targets, weights)
        assert loss == pytest.approx(self.loss(output, targets, weights), rel=1e-9)
        slopes = np.zeros_like(output)
        for place in np.ndindex(*output.shape):
            ahead, behind = output.copy(), output.copy()
            ahead[place] += STEP
            behind[place] -= STEP
            difference = self.loss(ahead, targets, weights) - self.loss(behind, targets, weights)
            slopes[place] = difference / (2 * STEP)
        np.testing.assert_allclose(gradient, slopes, atol=1e-6)
        assert np.abs(gradient).max() > 1e-4
        if weighted:
            np.testing.assert_array_equal(gradient[0], 0)

    # --- answers

    def test_the_loss_of_the_scores_is_the_one_that_is_minimized(self) -> None:
        targets = self.task.encode(self.labels).targets
        loss = self.task.scores(self.right, self.labels)["loss"]
        assert loss == pytest.approx(self.loss(self.right, targets, None), rel=1e-6)

    def test_what_is_missing_is_not_judged(self) -> None:
        gaps = missing(self.gappy).reshape(len(self.gappy), -1).any(axis=1)
        spoilt = self.right.copy()
        whole = missing(self.gappy).reshape(len(self.gappy), -1).all(axis=1)
        spoilt[whole] = 77
        assert whole.any() and gaps.any()
        assert self.task.scores(spoilt, self.gappy) == self.task.scores(self.right, self.gappy)

    def test_the_delivered_file_answers_as_the_task_says(self, tmp_path: Path) -> None:
        outputs, file = self.right.astype(np.float32), tmp_path / "model.onnx"
        self.task.finish(passing(self.task)).save(file)
        session = runtime("onnxruntime").open(file, "float32", threads=1)
        answers = session.run_whole({"x": outputs})[self.task.name]
        np.testing.assert_allclose(answers, self.task.answers(outputs), rtol=1e-5, atol=1e-6)
        score = self.task.scores(outputs, self.labels)[self.task.metric.name]
        assert self.task.answered(answers, self.labels) == pytest.approx(score, rel=1e-4)

    def test_a_raw_output_can_be_told_from_answers(self) -> None:
        """What an account says of a file is made of its answers."""
        answers = self.task.answers(self.right)
        again = self.task.answers(self.task.raw(answers))
        np.testing.assert_allclose(again, answers, rtol=1e-6, atol=1e-12)
        assert np.isfinite(self.task.raw(np.round(answers))).all()

    def test_answers_as_targets_are_best_learned_by_giving_them(self) -> None:
        targets = self.task.as_targets(self.task.answers(self.right))
        encoded = self.task.encode(self.labels)
        assert targets.shape == encoded.targets.shape
        assert targets.dtype == np.float32
        # Others, such as the focal one, would have a student answer less surely than its teacher.
        usual = replace(self.task, minimized=self.task.losses[0])
        least = self.loss(self.right, targets, None, usual)
        noise = np.random.default_rng(0).normal(size=self.right.shape)
        for part in (-0.3, 0.3):
            assert self.loss(self.right + part * noise, targets, None, usual) > least

    def test_right_answers_are_better_than_wrong_ones(self) -> None:
        answers = self.task.answers(self.right)
        right = self.task.answered(answers, self.labels)
        wrong = self.task.answered(answers[::-1], self.labels)
        assert self.task.metric.better(right, wrong)
        assert self.task.metric.drop(right, wrong) > 1

    def test_no_constant_answer_is_better_than_the_one_that_is_best(self) -> None:
        """Of those that answer some example rightly, none has a better metric."""
        best = guess(self.task, self.labels, self.labels)
        for answer in self.task.answers(self.right)[:50]:
            constant = np.broadcast_to(answer, self.right.shape)
            other = self.task.answered(constant, self.labels)
            assert self.task.metric.rank(other) <= self.task.metric.rank(best.value) + 1e-9
        assert best.words.startswith("always ")

    def test_a_constant_answer_knows_what_is_known(self) -> None:
        """Missing labels say nothing, neither in training nor where it is judged."""
        known = ~missing(self.gappy).reshape(len(self.gappy), -1).any(axis=1)
        seen = guess(self.task, self.gappy[known], self.labels)
        empty = np.full_like(self.gappy[:7], np.nan if self.gappy.dtype.kind == "f" else -1)
        gappy = np.concatenate([self.gappy[known], empty])
        assert guess(self.task, gappy, self.labels) == seen
        assert guess(self.task, self.labels, gappy) == guess(
            self.task, self.labels, self.gappy[known]
        )

    @pytest.mark.parametrize("spoilt", ["nothing", "one"])
    def test_the_account_is_plain_and_has_the_scores(self, spoilt: str) -> None:
        labels = self.labels if spoilt == "nothing" else self.gappy
        account = self.task.account(self.right, labels)
        json.dumps(account, allow_nan=False)
        scores = self.task.scores(self.right, labels)
        assert {name: account[name] for name in scores} == scores

    def test_nothing_to_judge_by_is_an_error(self) -> None:
        nothing = self._nothing()
        with pytest.raises(DataError, match=f"no examples to judge '{self.task.name}' by"):
            self.task.scores(self.right, nothing)

    def _nothing(self) -> Labels:
        """The column with no label at all."""
        gap = self.gappy[missing(self.gappy)].flat[0]
        return np.full_like(self.gappy, gap)

    # --- what it says of itself

    def test_the_file_says_what_task_its_output_is(self) -> None:
        network = self.task.finish(passing(self.task))
        assert [value.name for value in network.outputs] == [self.task.name]
        (facts,) = columns_of(network.metadata)["tasks"]
        assert task_of(facts) == self.task

    def test_an_output_that_does_not_fit_is_refused(self) -> None:
        with pytest.raises(
            UsageError, match=f"task '{self.task.name}' needs an output of its name"
        ):
            self.task.finish(passing(self.task, name="another"))
        with pytest.raises(UsageError, match=rf"\[n, {self.task.size}\]; this network gives"):
            self.task.finish(passing(self.task, size=self.task.size + 1))

    def test_a_metric_of_another_task_is_refused(self) -> None:
        with pytest.raises(
            UsageError, match=f"unknown metric for {self.task.kind} '{self.task.name}'"
        ):
            self.task.decided_by("no such metric")
        for metric in self.task.metrics:
            if metric == self.task.metric:
                assert self.task.decided_by(metric.name) == self.task

    # --- labels that cannot be learned from

    def test_good_labels_have_no_problems(self) -> None:
        for split in ("train", "validation", "test"):
            assert self.task.problems(split, self.labels) == []
            assert self.task.problems(split, self.gappy) == []

    def test_a_split_without_labels_is_named(self) -> None:
        (problem,) = self.task.problems("validation", self._nothing())
        assert f"'{self.task.name}'" in problem and "validation" in problem

    def test_labels_that_are_always_the_same_are_refused_in_training(self) -> None:
        constant = np.repeat(self.labels[:1], len(self.labels), axis=0)
        assert self.task.problems("train", constant)
        assert self.task.trained_by(Recipe(), self.labels).encode(self.labels).targets.std() > 0


def passing(task: Task, name: str = "", size: int = 0) -> Network:
    """A network that gives what it is given, under the task's name."""
    builder = Builder()
    x = builder.input("x", "float32", ("n", size or task.size))
    builder.output(builder.add("Identity", [x], name=name or task.name))
    return builder.network()


def _step(
    name: str, task: Task, output: Answers, targets: np.ndarray, weights: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """The loss of these outputs in a framework, in float64, and its gradient by each of them."""
    builder = Builder()
    x = builder.input("x", "float64", output.shape)
    free = builder.weight("free", np.zeros_like(output))
    builder.output(builder.add("Add", [x, free]), task.name)
    recipe = Recipe(optimizer="sgd", weight_decay=0.0)
    trainer = find(name).trainer(
        builder.network(), training_plan(builder.network(), recipe, joint_loss([task])), Settings()
    )
    wide = {} if weights is None else {task.name: weights}
    batch = Batch({"x": output}, {task.name: targets.astype(np.float64)}, wide)
    loss = float(trainer.step(batch, 1.0, 1))
    return loss, -trainer.weights()["free"]
