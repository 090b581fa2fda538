"""Several processes make the steps of one: by every framework's own engine."""

import math
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data, Examples
from allotrope.errors import TrainingError, UnsupportedError, UsageError
from allotrope.frameworks import alone
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.together import rows_of
from allotrope.frameworks.widening import widened
from allotrope.inputs.image.image import Image
from allotrope.measure.machine import cores
from allotrope.network import zoo
from allotrope.network.graph import Graph, Node, Value
from allotrope.operators.share import BatchShare, axes_of_examples
from allotrope.process.group import ProcessGroup
from allotrope.progress import Progress
from allotrope.tasks import Classification
from allotrope.training.checkpoints import BEST, LAST, read
from allotrope.training.loop import train
from allotrope.training.processes.asked_training import AskedTraining
from allotrope.training.processes.checked import check_together
from allotrope.training.processes.group_trainer import GroupTrainer
from allotrope.training.processes.version_card import version_card
from allotrope.training.underway import Intervals
from allotrope.verbs.fit import fit, fit_among
from allotrope.verbs.processes_asked import WORKER, Processes, processes_asked
from allotrope.verbs.request import defaults
from planned import of_digits
from tested import TESTED

ROWS = 7  # which neither two nor three processes can share evenly
RECIPE = Recipe(learning_rate=0.05, average=0.9, clip_norm=1.0, batch_size=ROWS)
RNG = np.random.default_rng(5)
X = RNG.integers(0, 17, (4 * ROWS, 8, 8, 1)).astype(np.uint8)
LABELS = RNG.integers(0, 10, 4 * ROWS)


def data() -> Data:
    part = Examples({"image": X, "label": LABELS})
    image = Image(name="image", height=8, width=8, channels=1)
    task = Classification(name="label", classes=tuple("0123456789"))
    return Data("made", (image,), (task,), dict.fromkeys(("train", "validation", "test"), part))


def network():
    """With BatchNormalization over places and rows, over rows alone, and dropout."""
    options = {"channels": (4,), "hidden": (8,), "normalization": "batch", "dropout": 0.3}
    return of_digits(zoo.cnn(10, (1, 8, 8), **options))


def batch(step: int) -> Batch:
    rows = np.arange(step, step + ROWS)
    return Batch({"image": X[rows]}, {"label": np.eye(10)[LABELS[rows]]})


@pytest.fixture(scope="module")
def pair():
    with ProcessGroup(WORKER, 2, version_card(), threads=1) as group:
        yield group


@pytest.mark.parametrize("name", TESTED)
def test_two_processes_make_the_steps_of_one(pair, name):
    # Without a number of threads, which TensorFlow takes only before its first computation.
    asked = AskedTraining(widened(network()), data(), RECIPE, Settings(), name)
    # As it is sent: a file has constants such as epsilon in float32.
    one, two = AskedTraining.of(*asked.message()).trainer(), GroupTrainer(pair, asked)
    for step in range(1, 9):
        losses = [float(each.step(batch(step), 0.05, step)) for each in (one, two)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-10), step
    mine, theirs = one.state(), two.state()
    assert mine.keys() == theirs.keys()
    for key, array in mine.items():
        np.testing.assert_allclose(theirs[key], array, rtol=0, atol=1e-10, err_msg=key)
    two.load_state(mine)
    for key, array in two.state().items():
        np.testing.assert_array_equal(array, mine[key], err_msg=key)
    answers = [each.evaluate({"image": X})["label"] for each in (one, two)]
    np.testing.assert_allclose(*answers, rtol=1e-6)


@pytest.mark.parametrize("name", TESTED)
def test_two_processes_train_in_the_types_of_one(pair, name):
    asked = AskedTraining(network(), data(), RECIPE, Settings(), name)
    one, two = AskedTraining.of(*asked.message()).trainer(), GroupTrainer(pair, asked)
    for step in (1, 2):
        losses = [float(each.step(batch(step), np.float64(0.05), step)) for each in (one, two)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5), step
    mine, theirs = one.state(), two.state()
    assert {key: array.dtype for key, array in theirs.items()} == {
        key: array.dtype for key, array in mine.items()
    }
    weights = network().weights
    assert all(array.dtype == weights[key].dtype for key, array in one.weights().items())
    assert any(array.dtype == np.float32 for array in mine.values())


class Killing(Progress):
    """Kills a process after so many validations."""

    def __init__(self, pid, after):
        self.pid, self.left = pid, after

    def epoch(self, row):
        self.left -= 1
        if not self.left:
            os.kill(self.pid, signal.SIGKILL)


def test_a_killed_process_is_named_and_the_training_goes_on_in_one(pair, tmp_path):
    recipe, name = replace(RECIPE, epochs=4), TESTED[0]
    settings, often = Settings(threads=1), Intervals(checkpoints=0.0)
    whole = train(network(), data(), recipe, settings, name)
    show = Killing(pair.members[1].pid, after=2)
    began = time.monotonic()
    with pytest.raises(TrainingError, match=r"^rank 1 .* was killed by signal 9.* (in|after) step"):
        train(
            *(network(), data(), recipe, settings, name, tmp_path, show),
            intervals=often,
            group=pair,
        )
    assert time.monotonic() - began < 15
    again = train(network(), data(), recipe, settings, name, tmp_path, resume=True)
    losses = [[row["loss"] for row in each.history] for each in (whole, again)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert again.steps == whole.steps == 16


LITTLE = {
    "data": "digits",
    "network": "mlp",
    "epochs": 3,
    "seed": 1,
    "precision": "float32",
    "memory_layout": "default",
    "saliency": False,
    "quiet": True,
}


class KillingAChild(Progress):
    """Kills the worker of rank 1, a child of this process, behind a checkpoint."""

    def __init__(self, out):
        self.out = out

    def epoch(self, row):
        if list(self.out.glob(f"digits-1/checkpoints/{LAST}")):
            os.kill(worker_of_rank(1), signal.SIGKILL)


def worker_of_rank(rank):
    for pid in children_of_this_process():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if WORKER in words and words[words.index(WORKER) + 1] == str(rank):
            return pid
    raise LookupError(rank)


def children_of_this_process():
    for task in Path("/proc/self/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def weights_of(run):
    return read(run / "checkpoints" / BEST).arrays


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A run in two processes of which one was killed."""
    out = tmp_path_factory.mktemp("broken")
    arguments = {**USUAL, **LITTLE, "out": out, "processes": 2}
    with pytest.raises(TrainingError, match=r"rank 1 .* was killed by signal 9"):
        fit_among(arguments, show=KillingAChild(out))
    return out / "digits-1"


def test_a_run_comes_to_the_same_bits_in_any_number_of_processes(broken_off, tmp_path):
    whole = fit(**LITTLE, out=tmp_path, processes=2)
    expected = weights_of(whole.folder)
    for processes in (1, 3):
        copy = tmp_path / str(processes) / "digits-1"
        shutil.copytree(broken_off, copy)
        again = fit(resume=copy, processes=processes, quiet=True)
        assert again.json["arguments"]["shares"] == 2
        assert again.json["training"]["steps"] == whole.json["training"]["steps"]
        for key, array in weights_of(copy).items():
            np.testing.assert_array_equal(array, expected[key], err_msg=key)
    assert "--shares 2" in whole.json["command"] and "--threads" in whole.json["repeat"]
    finished = {**USUAL, "data": None, "resume": whole.folder}
    assert processes_asked(finished, {}) is None


# --- without other processes


def test_rows_are_shared_evenly_in_their_order():
    for total, size in ((7, 2), (7, 3), (8, 4), (3, 3)):
        parts = [rows_of(total, rank, size) for rank in range(size)]
        assert [stop for _, stop in parts[:-1]] == [start for start, _ in parts[1:]]
        assert (parts[0][0], parts[-1][1]) == (0, total)
        assert max(stop - start for start, stop in parts) - total // size <= 1


@pytest.mark.parametrize("shape", [(7, 3), (14, 2), (2, 7, 3)])
def test_masks_are_those_of_the_rows_of_a_whole_batch(shape):
    axis = next(place for place, length in enumerate(shape) if length % 7 == 0)
    each = shape[axis] // 7
    whole = np.arange(math.prod(shape)).reshape(shape)
    share = BatchShare(2, 3, 7, lambda x: x, {"x": axis, "weight": None})
    own = whole.take(range(2 * each, 5 * each), axis)
    places = share.positions(ReferencePrimitives(), own.shape, "x")
    np.testing.assert_array_equal(places, own.reshape(-1))
    everywhere = share.positions(ReferencePrimitives(), (4, 2), "weight")
    np.testing.assert_array_equal(everywhere, np.arange(8))


def test_a_mask_of_unknown_rows_is_refused():
    inside = Value("inside", np.dtype(np.float32), ("n", "m"))
    node = Node("Dropout", ("inside",), ("y",), name="drop")
    taken = Value("x", np.dtype(np.float32), ("n", 3))
    graph = Graph((taken,), (), (node,), values={"inside": inside})
    with pytest.raises(UnsupportedError, match=r"Dropout \(node 'drop'\).*--processes"):
        axes_of_examples(graph)


def test_what_several_processes_cannot_train_is_said_at_once():
    with pytest.raises(UsageError, match=r"a batch has 7 rows, .*--drop-block"):
        check_together(8, 7, data(), replace(RECIPE, drop_block=0.1), None)
    check_together(7, 7, data(), RECIPE, None)


USUAL = {**defaults(fit), "data": "digits"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "4",
    "RANK": "2",
    "MASTER_ADDR": "node-a",
    "MASTER_PORT": "29500",
    "LOCAL_WORLD_SIZE": "2",
}


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        ({}, {}, None),
        ({}, {"WORLD_SIZE": "4", "RANK": "2"}, None),
        ({}, TORCHRUN, Processes(4, 2, "node-a:29501", 2)),
        ({"processes": 2}, {}, Processes(2, 0, None, 2)),
        ({"processes": 2, "address": "a:1"}, TORCHRUN, Processes(2, 0, "a:1")),
        ({"rank": 1, "address": "a:1"}, {}, Processes(0, 1, "a:1")),
        ({"shares": 4}, {}, Processes(1, shares=4)),
        ({"shares": 1}, {}, None),
        ({"shares": 4, "processes": 2}, {}, Processes(2, 0, None, 2, shares=4)),
        ({"shares": 4}, TORCHRUN, Processes(4, 2, "node-a:29501", 2)),
        ({"shares": 4}, {**TORCHRUN, "RANK": "0"}, Processes(4, 0, "node-a:29501", 2, shares=4)),
        ({"data": None, "resume": "elsewhere"}, TORCHRUN, Processes(4, 2, "node-a:29501", 2)),
    ],
)
def test_which_processes_are_asked_for(asked, environment, expected):
    assert processes_asked({**USUAL, **asked}, environment) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, Processes(1, shares=2, worker_threads=1)),
        ({"processes": 3}, Processes(3, 0, None, 3, 2, 1)),
        ({"processes": 3, "shares": 3}, Processes(3, 0, None, 3, 3, 1)),
    ],
)
def test_a_run_goes_on_in_its_shares(broken_off, asked, expected):
    assert processes_asked({**USUAL, "data": None, "resume": broken_off, **asked}, {}) == expected


def test_who_computes_what_is_said():
    assert Processes(2, beside=2).in_words(["b", "a", "a"]) == "2 processes train together, on a, b"
    one = Processes(1, shares=2).in_words(["a"])
    assert one == (
        "1 process trains, on a: each batch in 2 shares, to the same bits as in 2 processes"
    )
    three = Processes(3, shares=2).in_words(["a"])
    assert three.endswith(
        "1 of them will have nothing to compute; --shares 3 gives each a share, and adds in "
        "another order"
    )
    assert [list(brought) for brought in Processes(3, shares=2).brought] == [[0], [1], []]
    assert [list(brought) for brought in Processes(2, shares=5).brought] == [[0, 1, 2], [3, 4]]


def test_cores_are_shared_by_all_workers_of_a_machine():
    several = max(1, cores() // 4)
    assert Processes(2, beside=2, shares=4).threads(None) == several
    assert Processes(1, shares=4).threads(None) == several
    assert Processes(2, address="a:1", shares=4, worker_threads=3).threads(5) == 3
    assert Processes(2, address="a:1", shares=8).threads(5) == 5


def test_two_processes_on_one_device_do_without_nccl():
    from allotrope.frameworks.pytorch.collective import between_devices

    assert between_devices(["a", "a", "b", "b"], 2) == "nccl"
    assert between_devices(["a", "a", "a", "b"], 2) == "gloo"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"processes": 2, "rank": 1}, "--rank 1 needs --address HOST:PORT"),
        ({"address": "a:1"}, "--address needs --processes N"),
        ({"processes": 2, "rank": 2, "address": "a"}, "none of 0 to 1; --address a is not HOST"),
        ({"processes": 2, "ensemble": 3}, "--ensemble trains its members in one process"),
        ({"processes": 2, "compile": True}, "--compile compiles the step of one process"),
    ],
)
def test_options_at_odds_are_named(asked, message):
    with pytest.raises(UsageError, match=message):
        processes_asked({**USUAL, **asked}, {})


def test_keras_on_jax_is_refused_with_those_that_can():
    assert alone("keras", "tensorflow") is None
    assert alone("keras", "jax") == (
        "keras on jax trains in one process only; these in several: pytorch, tensorflow, keras, jax"
    )
