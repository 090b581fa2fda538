"""A volume beside a picture, a text or numbers: each has its trunk, and all frameworks train it."""

from __future__ import annotations

import numpy as np
import pytest

from quick import fit

COUNT = 48


def columns():
    """What is ill is brighter in the scan, darker in the picture, and older."""
    random = np.random.default_rng(0)
    ill = np.arange(COUNT) % 2
    scan = random.uniform(0, 50, (COUNT, 9, 9, 9)) + 100 * ill[:, None, None, None]
    photo = random.uniform(0, 50, (COUNT, 8, 8, 3)) + 100 * (1 - ill)[:, None, None, None]
    return {
        "scan": scan.astype(np.float32),
        "photo": photo.astype(np.uint8),
        "note": np.array([f"seen {'often' if one else 'once'}" for one in ill], object),
        "age": 40.0 + 20 * ill + random.normal(0, 1, COUNT),
        "ill": ill,
    }


def trained(others, folder, **options):
    every = columns()
    table = {name: every[name] for name in ("scan", *others, "ill")}
    kinds = {"scan": "volume", "photo": "image", "note": "text"}
    asked = {name: kind for name, kind in kinds.items() if name in table}
    how = {"epochs": 2, "out": folder, "saliency": False, "quiet": True, **options}
    return fit(table, input=asked, target="ill", **how), table


@pytest.mark.parametrize("other", ["photo", "note", "age"])
def test_each_has_a_trunk(other, tmp_path):
    run, table = trained([other], tmp_path)
    assert len(run.json["data"]["inputs"]) == 2
    reasons = " ".join(run.json["network_details"]["reasons"])
    assert "a small network of 3-D convolutions" in reasons and "cnn_3d for scan" in reasons
    named = {name: x[:3] for name, x in table.items() if name != "ill"}
    assert len(run.predict(named).json) == 3


def test_the_network_of_the_volume_can_be_asked_for(tmp_path):
    run, _ = trained(["age"], tmp_path, network="resnet8_3d")
    reasons = " ".join(run.json["network_details"]["reasons"])
    assert "resnet8_3d was asked for" in reasons and "resnet8_3d for scan" in reasons
