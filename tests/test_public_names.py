"""What `allotrope` gives by name stays what it is, whatever of it was imported before."""

from __future__ import annotations

import pkgutil

import pytest

import allotrope

PARTS = {module.name for module in pkgutil.iter_modules(allotrope.__path__)}


@pytest.mark.parametrize("name", sorted(set(allotrope.__all__) - {"__version__"}))
def test_no_part_has_the_name_of_something_else(name):
    """Python puts a part that is imported into the place of a function of its name."""
    public = getattr(allotrope, name)
    if name in PARTS:
        assert public.__name__ == f"allotrope.{name}", f"the part {name} hides what is public"
