"""What every test shares: one thread per process, and the data beside the repository.

The data is there in some checkouts.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atexit
import gc
import pathlib
import shutil
import signal
import tempfile

import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.examples import Data
from allotrope.frameworks.jax.releases import flags
from allotrope.measure.machine import version
from tested import TESTED


def keep_what_jax_compiles() -> None:
    """For this process and those that it starts: tests train the same few networks many times.

    In a folder of its own, since JAX writes there without a lock; it goes with the process.
    """
    folder = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    # What is compiled faster than it is written and found is not kept.
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def leave_the_users_cache_alone() -> None:
    """Nothing is put there, and what lies there decides no test; it goes with the process."""
    folder = tempfile.mkdtemp(prefix="cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["ALLOTROPE_CACHE"] = folder


def compile_quickly() -> None:
    """XLA makes code without optimizing it, in a third of the time; what it computes is the same.

    For JAX in this process and those that it starts; in `test_jax.py` a process has it as users do.
    """
    os.environ.setdefault("XLA_FLAGS", flags(version("jaxlib"), optimization=0))


def work_in_memory() -> None:
    """Temporary folders where `fsync` costs nothing, if there is room.

    Tests save thousands of times, little each, which goes when its test has passed.
    """
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4e9:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def hear_ctrl_c() -> None:
    """Also if a shell that started the tests in its background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


keep_what_jax_compiles()
leave_the_users_cache_alone()
compile_quickly()
work_in_memory()
hear_ctrl_c()
SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_finish() -> None:
    """Garbage is looked for less often, and not among the tests and modules, which stay.

    Four frameworks are a million objects; going through them was a tenth of the time of tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


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
