"""Packages that an import is not to find, though they may be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Within, imports do not find these packages, and keep to what they do without them."""
    modules = cast("dict[str, Any]", sys.modules)
    before = {package: modules[package] for package in packages if package in modules}
    modules.update(dict.fromkeys(packages))
    try:
        yield
    finally:
        for package in packages:
            del modules[package]
        modules.update(before)


def own_process(main: ModuleType | None = None) -> bool:
    """Whether this process, whose `main` module that is, runs Allotrope's code and no user's.

    Such is `python -m allotrope.…`, as workers are started, or the script `allotrope`.
    """
    main = main or sys.modules["__main__"]
    specification = getattr(main, "__spec__", None)
    if specification is not None:
        return bool(specification.name.split(".")[0] == "allotrope")
    return Path(getattr(main, "__file__", None) or "").name == "allotrope"
