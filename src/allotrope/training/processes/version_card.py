"""What processes that train together have to agree in, whatever they are asked for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import allotrope
from allotrope.frameworks import FRAMEWORKS


def version_card() -> dict[str, str]:
    """The versions of Allotrope and of every framework, by what messages call them."""
    packages = {f"the version of {package}": _version(package) for package in FRAMEWORKS.values()}
    return {"the version of allotrope": allotrope.__version__, **packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
