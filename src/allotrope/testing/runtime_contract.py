"""What every runtime must do, as tests: a file that inherits `RuntimeContract` and names a runtime runs them for it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing, with_probabilities
from allotrope.network.zoo import network as zoo_network
from allotrope.runtimes import runtime as find
from allotrope.runtimes.contract import Runtime

CLASSES = ("zero", "one", "two", "three")


class RuntimeContract:
    """The tests. `runtime` is the name under which the runtime is found; a fixture `name` that is given instead may go over several."""

    runtime: ClassVar[str]

    @pytest.fixture
    def name(self) -> str:
        """The runtime under test."""
        return self.runtime

    @pytest.fixture
    def found(self, name: str) -> Runtime:
        """The runtime itself."""
        return find(name)

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls) -> Network:
        """A small classifier, from raw pixels [n, 12, 12, 3] to probabilities [n, 4]."""
        network = zoo_network("cnn")(classes=len(CLASSES), image=(3, 12, 12))
        return with_probabilities(with_preprocessing(network, [120.0] * 3, [60.0] * 3), CLASSES)

    @pytest.fixture(scope="class")
    @classmethod
    def file(cls, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The classifier as a file."""
        path = tmp_path_factory.mktemp("runtime") / "model.onnx"
        network.save(path)
        return path

    def test_it_is_there_and_says_its_version(self, found: Runtime) -> None:
        assert found.available() is None
        assert found.version()
        assert "float32" in found.precisions

    @pytest.mark.parametrize("count", [1, 2, 65])
    def test_probabilities_are_the_references(self, found: Runtime, count: int, network: Network, file: Path) -> None:
        pixels = _pixels(count)
        expected = network.run({"image": pixels})["probabilities"]
        session = found.open(file, "float32", threads=1)
        np.testing.assert_allclose(session.run(pixels), expected, atol=1e-5)
        np.testing.assert_allclose(session.run_whole({"image": pixels})["probabilities"], expected, atol=1e-5)

    def test_a_result_is_not_overwritten_by_the_next_run(self, found: Runtime, file: Path) -> None:
        session = found.open(file, "float32", threads=1)
        first = session.run(_pixels(1, seed=5))
        kept = first.copy()
        assert not np.array_equal(session.run(_pixels(1, seed=6)), kept)
        np.testing.assert_array_equal(first, kept)

    def test_tuning_gives_options_that_open_takes(self, found: Runtime, network: Network, file: Path) -> None:
        pixels = _pixels(64)
        options = found.open(file, "float32", threads=1).tune(pixels)
        tuned = found.open(file, "float32", 1, **options).run(pixels)
        np.testing.assert_allclose(tuned, network.run({"image": pixels})["probabilities"], atol=1e-5)


def _pixels(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 3), np.uint8)
