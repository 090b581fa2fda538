"""int8 files: what stands before the layers stays as it is, and OpenVINO opens them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from allotrope.inputs.table.table import Table
from allotrope.measure.file_answers import FileAnswers
from allotrope.network.build import Builder
from allotrope.runtimes import runtime
from allotrope.shrinking.quantize import quantize_with_onnxruntime

RANDOM = np.random.default_rng(2)
ROWS = RANDOM.standard_normal((64, 3)).astype(np.float32)
ROWS[:, 2] = RANDOM.integers(1, 4, 64)
ROWS[::9, 0] = np.nan


def row_network():
    """The smallest network of the kind that crashed: numbers, gaps and flags, scaled, a layer."""
    table = Table(name="row", columns=("a", "b", "kind"), categories=((), (), ("x", "y", "z")))
    table = table.fitted(ROWS)
    build = Builder("small")
    x = build.input("row", np.float32, ("n", table.features))
    scale = build.constant(np.linspace(0.5, 1.5, table.features, dtype=np.float32), "scale")
    weight = np.random.default_rng(3).standard_normal((8, table.features)).astype(np.float32)
    names = [build.weight("w", weight), build.weight("b", np.zeros(8, np.float32))]
    y = build.add("Gemm", [build.add("Mul", [x, scale]), *names], {"transB": 1}, name="layer")
    build.output(y, "price")
    return table.prepare(build.network())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    row_network().save(folder / "float.onnx")
    quantize_with_onnxruntime(folder / "float.onnx", {"row": ROWS}, folder / "int8.onnx")
    return folder


def test_what_stands_before_the_layers_is_not_rounded(files):
    nodes = onnx.load(files / "int8.onnx").graph.node
    makers = {name: node for node in nodes for name in node.output}
    quantized = [makers.get(node.input[0]) for node in nodes if node.op_type == "QuantizeLinear"]
    # What goes into the layer and what comes out of it, and nothing in front.
    assert sorted(node.op_type for node in quantized if node is not None) == ["Gemm", "Mul"]


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_int8_file_of_a_small_table_is_opened(files, name):
    reason = runtime(name).available()
    if reason is not None:
        pytest.skip(reason)
    row = {"runtime": name, "precision": "int8", "file": "int8.onnx"}
    with FileAnswers(row, files, threads=1) as answers:
        price = answers({"row": ROWS})["price"]
        again = answers({"row": ROWS[:5]})["price"]
    expected = row_network().run({"row": ROWS})["price"]
    np.testing.assert_allclose(price, expected, atol=0.1 * np.abs(expected).max())
    np.testing.assert_allclose(again, price[:5], atol=1e-2)
