"""What is asked for of an ensemble, and whether it goes together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allotrope.config import COMBINED_BY, ENSEMBLES_OF
from allotrope.errors import UsageError


def check_ensemble(arguments: Mapping[str, Any], file: Path | None) -> None:
    """Raises: UsageError for what says how an ensemble is to be if there is to be none."""
    usual = {"ensemble_of": ENSEMBLES_OF[0], "combine": COMBINED_BY[0], "distill": False}
    count = arguments["ensemble"]
    asked = [name for name, value in usual.items() if arguments[name] != value]
    if asked and (count is None or count < 2):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise UsageError(
            f"{flags}: for an ensemble of two networks or more, and {count or 'none'} is asked "
            "for. Add --ensemble 5."
        )
    if file is not None and arguments["ensemble_of"] == "networks":
        raise UsageError(
            f"--ensemble-of networks: {file.name} is one network, and the others would come from "
            "the zoo. Take seeds, folds, snapshots or soup, or leave --network out."
        )
