"""Volumes that are larger than memory: decoded one at a time to the disk, the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from made_volumes import ball, save_nifti, save_series
from read_sources import error_of
from stored_pictures import TINY
from stored_tables import check_same, held_and_stored

LIMIT = "ALLOTROPE_DATA_LIMIT"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def scans(folder, count=6, **said):
    """Class folders of NIfTI files and of a DICOM series each, of several sizes."""
    rng = np.random.default_rng(0)
    for label in ("ill", "well"):
        for number in range(count):
            values = ball(rng, label == "ill", (8, 12 + number % 2, 12))
            place = folder / label / f"{number}"
            if number % 3:
                save_nifti(place.with_suffix(".nii.gz"), values, (2, 1, 1))
            else:
                save_series(place, values, patient=f"{label}-{number}", **said)
    return folder


def test_volumes_are_the_same_from_disk(tmp_path, monkeypatch, store):
    folder = scans(tmp_path / "scans")
    held, stored = held_and_stored(folder, monkeypatch)
    assert isinstance(stored.train["volume"], StoredRows)
    check_same(held, stored)
    check_same(held, allotrope.read(folder))
    (entry,) = store.glob("volumes-*")
    assert b"ill" not in (entry / "facts.json").read_bytes()


def test_values_that_are_no_numbers_are_said_each_time(tmp_path, monkeypatch):
    folder = scans(tmp_path / "scans")
    values = np.where(np.arange(8 * 12 * 12).reshape(8, 12, 12) == 700, np.nan, 1).astype("f4")
    values[0, 0, 0] = 9
    save_nifti(folder / "well" / "9.nii", values)
    held, stored = held_and_stored(folder, monkeypatch)
    assert "are no numbers" in str(held) or "1 values" in str(held)
    check_same(held, stored)
    check_same(held, allotrope.read(folder))


def test_scales_of_their_own_are_pointed_out_from_disk(tmp_path, monkeypatch):
    folder = tmp_path / "scans"
    for number in range(12):
        values = np.abs(ball(np.random.default_rng(number), number % 2)) * (1 + 3 * (number % 3))
        save_nifti(folder / ("ill", "well")[number % 2] / f"{number}.nii", values)
    held, stored = held_and_stored(folder, monkeypatch)
    assert "--scan-values relative" in str(held)
    check_same(held, stored)


def test_volumes_of_a_table_are_the_same_from_disk(tmp_path, monkeypatch):
    folder = scans(tmp_path / "scans")
    names = [f"ill/{n}.nii.gz,1" for n in (1, 2, 4, 5)]
    names += [f"well/{n}.nii.gz,0" for n in (1, 2, 4, 5)]
    (folder / "labels.csv").write_text("scan,label\n" + "\n".join(names))
    held, stored = held_and_stored(folder, monkeypatch)
    assert isinstance(stored.train["volume"], StoredRows)
    check_same(held, stored)


def test_what_cannot_be_decoded_is_the_same_error_and_leaves_nothing(tmp_path, monkeypatch, store):
    folder = scans(tmp_path / "scans")
    for name in ("ill/1.nii.gz", "well/2.nii.gz"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-200])
    said = error_of(folder, cache_size=0)
    assert "2 of 12 volumes cannot be read" in said
    monkeypatch.setenv(LIMIT, TINY)
    assert error_of(folder) == said
    assert not list(store.glob("*"))


def test_without_room_on_disk_volumes_are_held_in_memory(tmp_path, monkeypatch, store):
    folder = scans(tmp_path / "scans")
    monkeypatch.setenv(LIMIT, TINY)
    said = []
    data = allotrope.read(folder, cache_size="1KB", report=said.append)
    assert isinstance(data.train["volume"], np.ndarray)
    assert any("volumes are held in memory" in line for line in said)
    assert not list(store.glob("*"))
