"""`check` of what people export: attention under masks, and with a past; all agree."""

from __future__ import annotations

import pytest

import allotrope
from allotrope.frameworks import missing
from tested import TESTED

pytestmark = pytest.mark.skipif(missing("pytorch") is not None, reason="the exports are PyTorch's")


PRECISIONS = {"bert": ["float64"], "gpt": ["float64", "float32"]}
"""What rounding to float32 may do is judged once, where there are a mask and a past."""


@pytest.mark.parametrize("name", PRECISIONS)
def test_an_export_agrees(name, tmp_path):
    from torch_exports import exported

    file = tmp_path / f"{name}.onnx"
    file.write_bytes(exported(name, batch=None))
    options = {"frameworks": [TESTED[0]], "precision": PRECISIONS[name], "quiet": True}
    proof = allotrope.check(file, steps=2, batch=3, directions=6, **options)
    assert proof.exit_code == 0, str(proof)
    assert len(proof.json["rows"]) == len(PRECISIONS[name])
    assert proof.json["rows"][0]["parts"]["slopes"]["compared"]
