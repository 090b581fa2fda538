"""docs/concepts.md has every name that an option takes."""

from pathlib import Path

import pytest

from allotrope.optimizer_options import OPTIMIZERS
from allotrope.recipe_choices import ACTIVATIONS, NORMALIZATIONS, SCHEDULES
from allotrope.tasks import KINDS

PAGE = (Path(__file__).parent.parent / "docs" / "concepts.md").read_text(encoding="utf-8")
LOSSES = {loss for kind in KINDS.values() for loss in kind.losses}


@pytest.mark.parametrize("names", [OPTIMIZERS, SCHEDULES, ACTIVATIONS, NORMALIZATIONS, LOSSES])
def test_the_page_has_every_name(names):
    assert [name for name in names if f"`{name}`" not in PAGE] == []
