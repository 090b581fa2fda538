"""`import allotrope` and `allotrope --help` import nothing heavy.

benchmarks/import_time.py says how long they take.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

import allotrope

HEAVY = (
    "torch",
    "tensorflow",
    "keras",
    "jax",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "sklearn",
    "scipy",
    "numpy",
    "PIL",
    "jinja2",
)


def loaded(code: str) -> set[str]:
    """The top modules that a fresh process has loaded after `code`."""
    code += (
        "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(process.stderr.split())


def test_import_is_light():
    assert loaded(
        "import allotrope; dir(allotrope); allotrope.__version__; allotrope.errors"
    ).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["fit", "--help"], ["--version"], ["doctor", "--help"], ["fti"]]
)
def test_the_command_line_is_light(arguments: list[str]):
    assert loaded(f"from allotrope.cli import main; main({arguments})").isdisjoint(HEAVY)


def test_the_check_can_fail():
    assert not loaded("import numpy").isdisjoint(HEAVY)


@pytest.mark.parametrize("name", allotrope.__all__)
def test_public_names_are_there(name: str):
    assert getattr(allotrope, name) is not None
    assert name in dir(allotrope)


def test_functions_are_not_hidden_by_modules_of_the_same_name():
    import allotrope.cli
    import allotrope.verbs.bench
    import allotrope.verbs.fit

    assert all(
        callable(getattr(allotrope, name)) for name in ("fit", "bench", "predict", "doctor", "load")
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        allotrope.fitt  # noqa: B018
