"""Checkpoints: what comes back, and what happens when the file or the disk is bad."""

import os

import numpy as np
import pytest

import full_disk
from allotrope.errors import RunFolderError, TrainingError
from allotrope.training.checkpoints import (
    BEST,
    LAST,
    PREVIOUS,
    Checkpoint,
    Checkpoints,
    read,
    resumable,
)

ARRAYS = {
    "weights/a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "weights/b": np.float32(3.5).reshape(()),
    "average/n": np.array([7]),
}


def checkpoint(step):
    return Checkpoint(
        {**ARRAYS, "optimizer/step": np.array([step])},
        {"step": step, "losses": [0.1, 1 / 3], "best": None},
    )


def never(message):
    raise AssertionError(message)


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "run" / "checkpoints")


def test_arrays_and_record_come_back_bit_for_bit(checkpoints):
    checkpoints.save_last(checkpoint(4))
    restored = checkpoints.last(never)
    assert restored.record == checkpoint(4).record
    assert restored.arrays.keys() == checkpoint(4).arrays.keys()
    for name, array in checkpoint(4).arrays.items():
        assert restored.arrays[name].dtype == array.dtype
        assert restored.arrays[name].shape == array.shape
        assert restored.arrays[name].tobytes() == array.tobytes()


def test_arrays_in_any_memory_order_are_saved_by_value(checkpoints):
    weight = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4).transpose(0, 3, 1, 2)
    checkpoints.save_best(Checkpoint({"w": weight}, {}))
    assert np.array_equal(checkpoints.best(never).arrays["w"], weight)


def test_nothing_saved_is_none(checkpoints):
    assert checkpoints.last(never) is None and checkpoints.best(never) is None


def test_the_one_before_is_kept_and_no_temporary_file_is_left(checkpoints):
    for step in range(3):
        checkpoints.save_last(checkpoint(step))
    assert read(checkpoints.folder / LAST).record["step"] == 2
    assert read(checkpoints.folder / PREVIOUS).record["step"] == 1
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == [LAST, PREVIOUS]


def test_a_kill_between_two_renames_leaves_something_to_resume(checkpoints):
    assert not resumable(checkpoints.folder)
    checkpoints.save_last(checkpoint(1))
    (checkpoints.folder / LAST).rename(checkpoints.folder / PREVIOUS)
    assert resumable(checkpoints.folder) and checkpoints.last(never).record["step"] == 1


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def other_file(path):
    path.write_bytes(b"\x80\x04\x95" * 100)


@pytest.mark.parametrize("damage", [flip_a_bit, cut_in_half, empty, other_file])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(checkpoints, damage):
    checkpoints.save_last(checkpoint(1))
    checkpoints.save_last(checkpoint(2))
    damage(checkpoints.folder / LAST)
    said = []
    assert checkpoints.last(said.append).record["step"] == 1
    assert len(said) == 1
    assert str(checkpoints.folder / LAST) in said[0]
    assert "damaged" in said[0]
    assert PREVIOUS in said[0]


def test_all_damaged_is_an_error_that_names_both(checkpoints):
    for step in range(2):
        checkpoints.save_last(checkpoint(step))
    for name in (LAST, PREVIOUS):
        flip_a_bit(checkpoints.folder / name)
    with pytest.raises(TrainingError, match=f"(?s){LAST}.*{PREVIOUS}.*start again"):
        checkpoints.last(never)


def test_a_damaged_best_is_said_and_given_up(checkpoints):
    checkpoints.save_best(checkpoint(1))
    cut_in_half(checkpoints.folder / BEST)
    said = []
    assert checkpoints.best(said.append) is None
    assert BEST in said[0]


def test_a_killed_write_leaves_the_old_one(checkpoints):
    checkpoints.save_last(checkpoint(1))
    checkpoints.save_last(checkpoint(2))
    (checkpoints.folder / LAST).unlink()  # killed between the two renames
    assert checkpoints.last(never).record["step"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match=str(tmp_path)):
        Checkpoints(tmp_path / "checkpoints")


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(RunFolderError, match="run"):
        Checkpoints(tmp_path / "run" / "checkpoints")


def test_a_full_disk_is_named_and_the_old_checkpoint_stays(checkpoints):
    checkpoints.save_last(checkpoint(1))
    full_disk.fill(checkpoints.folder / f"{LAST}.new")
    with pytest.raises(RunFolderError, match=f"{LAST}.*the disk is full"):
        checkpoints.save_last(checkpoint(2))
    assert checkpoints.last(never).record["step"] == 1
    assert [path.name for path in checkpoints.folder.iterdir()] == [LAST]
