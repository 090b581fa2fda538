"""What every runtime must do, as tests: inherit `RuntimeContract` and name a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from allotrope.network.network import Network
from allotrope.runtimes import runtime as find
from allotrope.runtimes.contract import Runtime, Session
from allotrope.testing.runtime_network import examples, two_inputs_three_outputs


class RuntimeContract:
    """The tests.

    `runtime` is the name under which the runtime is found; a fixture `name` that is given instead
    may go over several.
    """

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
