"""The contract of a framework, for every framework that is installed.

ALLOTROPE_TEST_FRAMEWORKS (names with commas between them) says which are wanted: those are tested
and no others, and one that is missing fails. Without it all are tested, the missing ones skipped
and counted.
"""

import os

import pytest

from allotrope.frameworks import FRAMEWORKS, missing
from allotrope.testing import FrameworkContract

WANTED = [name for name in os.environ.get("ALLOTROPE_TEST_FRAMEWORKS", "").split(",") if name]


class TestFramework(FrameworkContract):
    @pytest.fixture(params=WANTED or sorted(FRAMEWORKS.keys() - {"reference"}))
    def name(self, request):
        if request.param not in FRAMEWORKS:
            pytest.fail(f"there is no framework {request.param}")
        reason = missing(request.param)
        if reason is not None:
            (pytest.fail if WANTED else pytest.skip)(reason)
        return request.param
