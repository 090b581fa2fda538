"""What every test shares: one thread per process, and the data beside the repository.

The data is there in some checkouts.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pathlib

import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.examples import Data
from tested import TESTED

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, with a counted reason, what needs ../shared if it is absent."""
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(
                pytest.mark.skip(reason="needs ../shared, which is not beside this clone")
            )


@pytest.fixture(params=["reference", *TESTED])
def framework(request: pytest.FixtureRequest) -> str:
    """Every framework that is tested, the reference first."""
    return request.param


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of data beside the repository; tests that use it are marked `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def digits() -> Data:
    """The digits of scikit-learn: grey 8x8 images, ten classes."""
    return read_data("digits", DataOptions())
