"""`check` of what people export: attention under masks, and with a past; all agree."""

from __future__ import annotations

import pytest

import allotrope
from allotrope.frameworks import missing
from tested import TESTED

pytestmark = pytest.mark.skipif(missing("pytorch") is not None, reason="the exports are PyTorch's")


@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_an_export_agrees(name, tmp_path):
    from torch_exports import exported

    file = tmp_path / f"{name}.onnx"
    file.write_bytes(exported(name, batch=None))
    first = [TESTED[0]]
    proof = allotrope.check(file, frameworks=first, steps=2, batch=3, directions=6, quiet=True)
    assert proof.exit_code == 0, str(proof)
    assert proof.json["rows"][0]["parts"]["slopes"]["compared"]
