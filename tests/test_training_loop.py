"""The loop on real digits: it learns, keeps the best, and stops for the right reason."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import RunFolderError, TrainingError, UsageError
from allotrope.network import zoo
from allotrope.progress import Progress
from allotrope.tasks import Classification
from allotrope.training.checkpoints import BEST, LAST, read
from allotrope.training.loop import train
from allotrope.training.tail_mean import SAMPLES
from allotrope.training.underway import Intervals
from alone import ALONE, alone, check_alone
from planned import of_digits

RECIPE = Recipe(learning_rate=0.2, batch_size=64, epochs=3, augmentation="none", average=0.9)
SETTINGS = Settings(threads=1)


def small_network():
    options = {"channels": (8,), "hidden": (16,), "normalization": "batch", "dropout": 0.1}
    return of_digits(zoo.cnn(10, (1, 8, 8), **options))


@pytest.fixture(scope="module")
def network():
    return small_network()


def same_weights(one, other):
    """Whether two trainings ended in the same bits."""
    weights, others = one.network.weights, other.network.weights
    return all(np.array_equal(weights[name], others[name]) for name in weights)


class Watching(Progress):
    """Keeps everything it is told."""

    def __init__(self):
        self.ticks, self.rows, self.lines = [], [], []

    def step(self, tick):
        self.ticks.append(tick)

    def epoch(self, row):
        self.rows.append(row)

    def say(self, line):
        self.lines.append(line)


def test_it_learns_and_says_how_it_went(digits, network):
    show = Watching()
    trained = train(network, digits, RECIPE, SETTINGS, progress=show)
    steps = len(digits.train) // 64
    assert trained.stopped == "finished" and trained.steps == 3 * steps and trained.epochs == 3.0
    assert trained.best["validation_accuracy"] > 0.85
    assert [row["epoch"] for row in trained.history] == [1.0, 2.0, 3.0]
    assert show.rows == trained.history
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert trained.examples_per_second > 0 and trained.seconds > 0
    assert all(0 <= tick.fraction <= 1 and tick.examples_per_second > 0 for tick in show.ticks)
    # The first step, which may compile, tells nothing of the speed.
    assert show.ticks[0].epoch == 2 / steps


def test_the_best_weights_are_what_is_given_back(digits, network):
    trained = train(network, digits, replace(RECIPE, epochs=2), SETTINGS)
    logits = trained.network.run({"image": digits.validation["image"]}, "pytorch")["label"]
    task = Classification(name="label", classes=digits.tasks[0].classes)
    again = task.scores(logits, digits.validation["label"])
    assert again["accuracy"] == trained.best["validation_accuracy"]
    assert again["loss"] == pytest.approx(trained.best["validation_loss"], rel=1e-4)


@pytest.fixture(scope="module")
def taught(digits, network):
    return train(network, digits, RECIPE, SETTINGS)


def test_what_training_does_not_make_better_is_given_back_as_it_came(digits, taught, tmp_path):
    spoiling = replace(RECIPE, learning_rate=50.0, clip_norm=1.0, average=None, epochs=1)
    options = {"folder": tmp_path, "has_learned": True}
    trained = train(taught.network, digits, spoiling, SETTINGS, **options)
    assert (trained.best["epoch"], trained.best["loss"], trained.epochs) == (0, None, 1)
    assert trained.best["validation_accuracy"] == taught.best["validation_accuracy"]
    for name, array in taught.network.weights.items():
        np.testing.assert_array_equal(trained.network.weights[name], array)
    again = train(taught.network, digits, spoiling, SETTINGS, resume=True, **options)
    assert again.history == trained.history


def test_what_has_learned_is_validated_first_and_may_become_better(digits, network):
    trained = train(network, digits, replace(RECIPE, epochs=1), SETTINGS, has_learned=True)
    assert [row["epoch"] for row in trained.history] == [0, 1]
    assert trained.best is trained.history[1]


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(digits, network):
    def of_seed(seed):
        return train(network, digits, replace(RECIPE, epochs=0.5, seed=seed), SETTINGS)

    first, same, other = of_seed(1), of_seed(1), of_seed(2)
    assert same_weights(first, same)
    name = sorted(network.trainable)[0]
    assert not np.array_equal(first.network.weights[name], other.network.weights[name])


def test_a_fraction_of_an_epoch_is_trained_and_evaluated(digits, network):
    trained = train(network, digits, replace(RECIPE, epochs=0.3), SETTINGS)
    assert trained.steps == round(0.3 * (len(digits.train) // 64)) and len(trained.history) == 1


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns(digits, network, optimizer):
    rate = 0.2 if optimizer in ("sgd", "momentum") else 0.02
    recipe = replace(RECIPE, optimizer=optimizer, learning_rate=rate, clip_norm=5.0)
    trained = train(network, digits, recipe, SETTINGS)
    assert trained.history[-1]["validation_loss"] < 1.5 < np.log(10)


def test_a_budget_is_kept_and_the_schedule_reaches_its_end(digits, network):
    trained = train(network, digits, replace(RECIPE, epochs=None, budget=1.0), SETTINGS)
    assert trained.stopped == "budget"
    assert 0.5 < trained.seconds < 3.0  # what a busy machine may add; `test_training_pace` is exact
    assert trained.history[-1]["step"] == trained.steps
    assert trained.history[-1]["learning_rate"] < 0.5 * RECIPE.learning_rate


def test_patience_stops_early(digits, network):
    still = replace(RECIPE, learning_rate=0.0, average=None, weight_decay=0.0)
    trained = train(network, digits, replace(still, epochs=50, patience=2), SETTINGS)
    assert trained.stopped == "early stop" and len(trained.history) < 10


def test_neither_epochs_nor_budget_is_an_error(digits, network):
    with pytest.raises(UsageError, match="neither"):
        train(network, digits, replace(RECIPE, epochs=None), SETTINGS)


def test_a_loss_that_is_not_a_number_names_the_step_and_keeps_the_best(digits, network, tmp_path):
    steps_up = {"schedule": "step", "step_at": (0.6,), "step_factor": 1e30}
    bursting = replace(RECIPE, **steps_up, warmup=0.0, average=None)
    message = r"loss is (nan|inf) at step \d+ .*best weights, of epoch 1\.00.*best\.safetensors"
    with pytest.raises(TrainingError, match=message) as caught:
        train(network, digits, bursting, SETTINGS, folder=tmp_path)
    step = int(str(caught.value).split("at step ")[1].split()[0])
    steps = 3 * (len(digits.train) // 64)
    assert 0.6 * steps <= step <= 0.6 * steps + 3
    best = read(tmp_path / "checkpoints" / BEST)
    assert best.record["best"]["epoch"] == 1.0
    assert all(np.isfinite(array).all() for array in best.arrays.values())


class Interrupting(Watching):
    """Presses Ctrl-C after some number of validations."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def epoch(self, row):
        super().epoch(row)
        if len(self.rows) == self.after:
            signal.raise_signal(signal.SIGINT)


class InterruptingSteps(Watching):
    """Presses Ctrl-C at the first steps that are shown."""

    def step(self, tick):
        if not self.ticks:
            signal.raise_signal(signal.SIGINT)
        super().step(tick)


def test_ctrl_c_in_a_process_of_its_own():
    """One process for all of them here, and for that of trainings from disk."""
    names = ["ctrl_c_before", "ctrl_c_stops", "survives_a_kill", "taken_up_again"]
    files = ["test_training_loop.py", "test_stored_training.py"]
    printed = check_alone(files, " or ".join(names), **{ALONE: "1"})
    assert f"{len(names)} passed" in printed


@alone
def test_ctrl_c_before_the_first_epoch_ends_keeps_what_was_learned(digits, network):
    options = {"progress": InterruptingSteps(), "has_learned": True}
    trained = train(network, digits, replace(RECIPE, warmup=0.0), SETTINGS, **options)
    assert trained.stopped == "interrupted" and 0 < trained.epochs < 1
    assert trained.best is trained.history[-1] and trained.best["step"] == trained.steps


@alone
def test_ctrl_c_stops_cleanly_with_the_best_so_far_and_can_be_resumed(digits, network, tmp_path):
    show = Interrupting(after=2)
    trained = train(network, digits, RECIPE, SETTINGS, folder=tmp_path, progress=show)
    assert trained.stopped == "interrupted" and trained.epochs == 2.0 and len(trained.history) == 2
    assert trained.best in trained.history
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = train(network, digits, RECIPE, SETTINGS, folder=tmp_path, resume=True)
    whole = train(network, digits, RECIPE, SETTINGS)
    assert resumed.stopped == "finished" and resumed.epochs == 3.0
    assert same_weights(resumed, whole)


KILLED = """
import sys, os, signal
sys.path.insert(0, {tests!r})
from test_training_loop import *
class Killing(Progress):
    def step(self, tick):
        if tick.epoch > 1.5:
            os.kill(os.getpid(), signal.SIGKILL)
from allotrope.config import DataOptions
from allotrope.data import read_data
data = read_data("digits", DataOptions())
always = Intervals(looks=0.0, ticks=0.0, checkpoints=0.0)
options = {{"folder": Path({folder!r}), "progress": Killing(), "intervals": always}}
train(small_network(), data, RECIPE, SETTINGS, **options)
"""


EXACT = ("epoch", "step", "learning_rate", "loss", "validation_loss", "validation_accuracy")
"""What of an epoch is the same in a training that was resumed; its seconds are not."""


def test_a_killed_training_resumes_to_the_same_bits(digits, network, taught, tmp_path):
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    command = [sys.executable, "-c", script]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=one_thread, capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    steps = len(digits.train) // 64
    saved = read(tmp_path / "checkpoints" / LAST).record["state"]
    assert steps < saved["step"] < 2 * steps
    resumed = train(network, digits, RECIPE, SETTINGS, folder=tmp_path, resume=True)
    for name, array in taught.network.weights.items():
        assert resumed.network.weights[name].tobytes() == array.tobytes(), name
    for row, other in zip(resumed.history, taught.history, strict=True):
        for key in EXACT:
            assert row[key] == other[key]


def test_resume_without_a_checkpoint_is_an_error(digits, network, tmp_path):
    with pytest.raises(RunFolderError, match="no checkpoint"):
        train(network, digits, RECIPE, SETTINGS, folder=tmp_path, resume=True)
    with pytest.raises(RunFolderError, match="no run folder"):
        train(network, digits, RECIPE, SETTINGS, resume=True)


def test_resume_with_another_recipe_or_network_is_an_error(digits, network, tmp_path):
    recipe = replace(RECIPE, epochs=0.2)
    slower = replace(recipe, learning_rate=0.1)
    train(network, digits, recipe, SETTINGS, folder=tmp_path)
    with pytest.raises(UsageError, match=r"learning_rate was 0\.2 and is now 0\.1"):
        train(network, digits, slower, SETTINGS, folder=tmp_path, resume=True)
    other = of_digits(zoo.mlp(10, (1, 8, 8)))
    with pytest.raises(TrainingError, match="does not fit"):
        train(other, digits, recipe, SETTINGS, folder=tmp_path, resume=True)


def test_a_finished_training_resumes_to_itself(digits, network, tmp_path):
    recipe = replace(RECIPE, epochs=1)
    first = train(network, digits, recipe, SETTINGS, folder=tmp_path)
    again = train(network, digits, recipe, SETTINGS, folder=tmp_path, resume=True)
    assert again.history == first.history and again.steps == first.steps
    assert same_weights(again, first)


def test_a_damaged_checkpoint_is_said_and_the_one_before_it_used(digits, network, tmp_path):
    recipe = replace(RECIPE, epochs=1)
    often = Intervals(checkpoints=0.0)
    train(network, digits, recipe, SETTINGS, folder=tmp_path, intervals=often)
    last = tmp_path / "checkpoints" / LAST
    last.write_bytes(last.read_bytes()[:-10])
    show = Watching()
    options = {"folder": tmp_path, "resume": True, "progress": show}
    trained = train(network, digits, recipe, SETTINGS, **options)
    assert trained.stopped == "finished"
    assert any("damaged" in line for line in show.lines)


class InterruptingTail(Watching):
    """Presses Ctrl-C in the last tenth of a training."""

    def step(self, tick):
        super().step(tick)
        if tick.fraction > 0.9:
            signal.raise_signal(signal.SIGINT)


@alone
def test_the_mean_of_the_last_weights_is_validated_and_survives_a_kill(digits, network, tmp_path):
    """Stochastic weight averaging: the rate is held, and what is resumed ends in the same bits."""
    recipe = replace(RECIPE, average=None, swa=True, epochs=2.0)
    show = Watching()
    whole = train(network, digits, recipe, SETTINGS, progress=show)
    assert [row["epoch"] for row in whole.history] == [1.0, 2.0, 2.0]
    held = [row["learning_rate"] for row in whole.history[1:]]
    assert held[0] == held[1] == pytest.approx(0.2 * 0.25 / 0.8)
    (line,) = [line for line in show.lines if "SWA" in line]
    assert ("kept" in line) == (whole.best is whole.history[-1])
    halted = InterruptingTail()
    at_once = Intervals(looks=0.0, ticks=0.0)
    recorded = {"folder": tmp_path, "progress": halted, "intervals": at_once}
    assert train(network, digits, recipe, SETTINGS, **recorded).stopped == "interrupted"
    assert 0 < read(tmp_path / "checkpoints" / LAST).record["state"]["averaged"] < SAMPLES
    resumed = train(network, digits, recipe, SETTINGS, folder=tmp_path, resume=True)
    assert same_weights(whole, resumed)
    again = train(network, digits, recipe, SETTINGS, folder=tmp_path, resume=True)
    assert again.history == resumed.history
