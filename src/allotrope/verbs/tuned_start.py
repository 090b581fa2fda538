"""`fit --tuned RUN`: what a search found, done to the default of another training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import Settings
from allotrope.errors import UsageError
from allotrope.run import read_record

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.verbs.network_file import Tuning
    from allotrope.verbs.pipeline import Start
    from allotrope.verbs.request import FitOptions


def tuned_settings(folder: Path) -> dict[str, Any]:
    """The settings that a run of `tune` delivered.

    Raises: RunFolderError, UsageError for a run that is none or has not decided yet.
    """
    record = read_record(folder)
    if record.get("kind") != "tune":
        raise UsageError(
            f"--tuned {folder}: it was made by {record.get('kind', 'fit')}. Name a run that "
            "allotrope tune made."
        )
    facts = record.get("tuning", {})
    trial = facts.get("verdict", {}).get("trial")
    entrants = [each for each in facts.get("entrants", []) if each["trial"] == trial]
    if not entrants:
        raise UsageError(
            f"--tuned {folder}: its search has not come to an end. Go on with: "
            f"allotrope tune --resume {folder}"
        )
    settings: dict[str, Any] = entrants[0]["settings"]
    return settings


def tuned_start(
    start: Start,
    settings: Mapping[str, Any],
    options: FitOptions,
    data: Data,
    tuning: Tuning | None,
) -> Start:
    """The start with these settings; what an option asks for, or the data lacks, stays.

    Most are factors of the default's numbers, so that they hold for a training of any length.
    """
    from allotrope.tuning.space import Tunable, in_words, space_for
    from allotrope.verbs.pipeline.tuned_networks import TunedNetworks, base_of

    base = base_of(start, options.framework, Settings(), {}, options.members)
    subject = Tunable(data, base.recipe, base.network, base.arguments, tuning is None)
    space = space_for(subject, options.recipe)
    chosen = {name: x for name, x in settings.items() if name in space and space[name].takes(x)}
    length = {"budget": start.recipe.budget, "epochs": start.recipe.epochs}
    tuned = TunedNetworks(base, data, tuning).plan(chosen, options.seed, length).start
    said = f"Tuned by {options.tuned}: {in_words(space, chosen)}."
    details = {**tuned.details, "reasons": [*start.details["reasons"], said]}
    return replace(tuned, details=details)
