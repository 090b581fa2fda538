"""What every runtime must do, as tests: a file that inherits `RuntimeContract` and names a runtime runs them for it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.runtimes import runtime as find
from allotrope.runtimes.contract import Runtime, Session


def two_inputs_three_outputs() -> Network:
    """Bytes [n, 6, 6, 2] and numbers [n, 3] in; probabilities [n, 4], one number [n, 1] and flags [n, 2] out."""
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> str:
        values = random.normal(size=shape) / np.sqrt(np.prod(shape[:-1]) + 1)
        return b.weight(name, values.astype(np.float32))

    b = Builder("contract")
    view = b.input("front view", "uint8", ("n", 6, 6, 2))
    row = b.input("row", "float32", ("n", 3))
    scale = b.constant(np.float32(1 / 255), "scale")
    x = b.add("Mul", [b.add("Cast", [view], {"to": 1}), scale])
    x = b.add("Transpose", [x], {"perm": (0, 3, 1, 2)})
    x = b.add("Conv", [x, weight("conv", 5, 2, 3, 3)], {"kernel_shape": (3, 3)})
    x = b.add("Flatten", [b.add("Relu", [x])])
    y = b.add("Relu", [b.add("MatMul", [row, weight("dense", 3, 7)])])
    joined = b.add("Concat", [x, y], {"axis": 1})
    heads = {"which": 4, "how much": 1, "flags": 2}
    raw = {name: b.add("MatMul", [joined, weight(f"{name} head", 87, size)]) for name, size in heads.items()}
    b.output(b.add("Softmax", [raw["which"]], {"axis": -1}), "which")
    b.output(b.add("Identity", [raw["how much"]]), "how much")
    b.output(b.add("Sigmoid", [raw["flags"]]), "flags")
    return b.network()


def examples(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random inputs for `two_inputs_three_outputs`."""
    random = np.random.default_rng(seed)
    return {
        "row": random.normal(size=(count, 3)).astype(np.float32),
        "front view": random.integers(0, 256, (count, 6, 6, 2), np.uint8),
    }


class RuntimeContract:
    """The tests. `runtime` is the name under which the runtime is found; a fixture `name` that is given instead may go over several."""

    runtime: ClassVar[str]

    @pytest.fixture
    def name(self) -> str:
        """The runtime under test."""
        return self.runtime

    @pytest.fixture
    def tested(self, name: str) -> Runtime:
        """The runtime itself."""
        return find(name)

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls) -> Network:
        """Several inputs and outputs, of several dtypes."""
        return two_inputs_three_outputs()

    @pytest.fixture(scope="class")
    @classmethod
    def file(cls, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The network as a file."""
        path = tmp_path_factory.mktemp("runtime") / "model.onnx"
        network.save(path)
        return path

    @pytest.fixture
    def session(self, tested: Runtime, file: Path) -> Session:
        """The file, opened."""
        return tested.open(file, "float32", threads=1)

    def test_it_is_there_and_says_its_version(self, tested: Runtime) -> None:
        assert tested.available() is None
        assert tested.version()
        assert "float32" in tested.precisions

    @pytest.mark.parametrize("count", [1, 2, 65])
    def test_every_output_by_its_name_is_the_references(
        self, session: Session, count: int, network: Network
    ) -> None:
        inputs = examples(count)
        assert_close(session.run(inputs), network.run(inputs))
        assert_close(session.run_whole(inputs), network.run(inputs))

    def test_the_order_of_inputs_does_not_matter(self, session: Session) -> None:
        inputs = examples(3)
        turned = dict(reversed(inputs.items()))
        assert_close(session.run(turned), session.run(inputs))

    @pytest.mark.parametrize("count", [1, 9])
    def test_a_result_is_not_overwritten_by_the_next_run(
        self, session: Session, count: int
    ) -> None:
        first = session.run(examples(count, seed=5))
        before = {name: array.copy() for name, array in first.items()}
        second = session.run(examples(count, seed=6))
        for name, array in before.items():
            assert not np.array_equal(second[name], array)
            np.testing.assert_array_equal(first[name], array)

    def test_inputs_stay_as_they_are(self, session: Session) -> None:
        inputs, same = examples(9), examples(9)
        session.run(inputs)
        for name, array in same.items():
            np.testing.assert_array_equal(inputs[name], array)

    def test_tuning_gives_options_that_open_takes(
        self, tested: Runtime, session: Session, network: Network, file: Path
    ) -> None:
        inputs = examples(64)
        tuned = tested.open(file, "float32", 1, **session.tune(inputs))
        assert_close(tuned.run(inputs), network.run(inputs))


def assert_close(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """As many outputs of the same names and, but for rounding, the same values."""
    assert outputs.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(outputs[name], array, atol=1e-5, err_msg=name)
