"""The frameworks that tests run in.

Those that ALLOTROPE_TEST_FRAMEWORKS names, with commas between them, else all that are installed.

One that is named and missing fails the tests that run in it.
"""

import os

import pytest

from allotrope.frameworks import FRAMEWORKS, missing

WANTED = tuple(name for name in os.environ.get("ALLOTROPE_TEST_FRAMEWORKS", "").split(",") if name)
TESTED = WANTED or tuple(
    name for name in FRAMEWORKS if name != "reference" and missing(name) is None
)
EVERYTHING = os.environ.get("ALLOTROPE_TEST_CONFORMANCE") == "full"
"""Whether every framework runs every case of ONNX's suite; else all but the reference and PyTorch
run a sample."""


class InEach:
    """What stands before a contract whose fixture `name` is to go over the tested frameworks."""

    @pytest.fixture(params=TESTED)
    def name(self, request):
        return request.param
