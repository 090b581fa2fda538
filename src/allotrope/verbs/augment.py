"""`augment`: what augmentation makes of one's own examples, on a sheet, before anything trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from allotrope.config import AUGMENTATIONS, POLICIES
from allotrope.errors import UsageError
from allotrope.inputs.input_options import TRAINING, TrainingOptions
from allotrope.option import ABOVE_0, FROM_0, Option, check_values
from allotrope.progress import display
from allotrope.verbs.declaring import spelled_out, takes
from allotrope.verbs.request import check_for_files, data_options

AUGMENT = (
    Option("data", "as fit takes it: 'digits', a folder, a table, lines of texts, arrays."),
    Option(
        "preset",
        "what to show: one of the names that fit --augmentation takes.",
        choices=(*AUGMENTATIONS, *POLICIES),
        noun="augmentation",
    ),
    Option("examples", "how many examples are shown.", range=ABOVE_0),
    Option("variants", "in how many epochs each is shown.", range=ABOVE_0),
    Option("out", "the sheet's file; by default DATA-PRESET.png, or .txt, in this folder."),
    Option("seed", "decides what is drawn, as in fit.", range=FROM_0),
    Option("quiet", "show nothing while working."),
    *TRAINING,
)
OF_RECIPE = ("flip", "cutmix", "mosaic", "synonym_rate")
"""What kinds of inputs add to a preset."""


@dataclass(frozen=True)
class AugmentSheet:
    """Where the sheet is and what to mind, in `json`; printed, they are lines."""

    json: dict[str, Any]

    def __str__(self) -> str:
        return "\n".join([*self.json["notes"], f"sheet: {self.json['sheet']}"])


@takes(AUGMENT)
def augment(
    data: str | Path | Mapping[str, Any],
    *,
    preset: str = "medium",
    examples: int = 8,
    variants: int = 6,
    out: str | Path | None = None,
    seed: int = 0,
    quiet: bool = False,
    **of_inputs: Unpack[TrainingOptions],
) -> AugmentSheet:
    """Write a sheet of training examples beside what augmentation makes of them in some epochs.

    Of texts and rows it is a text. Whatever may change a label is pointed out.
    Example: allotrope augment photos/ --preset heavy

    Raises: UsageError, DataError; nothing that is there is written over.
    """
    from allotrope.architectures.augmented_examples import augmented_examples
    from allotrope.config import Recipe
    from allotrope.data import read_data
    from allotrope.report.augmented_sheet import augmented_sheet

    arguments = spelled_out(locals())
    check_values(AUGMENT, arguments)
    check_for_files(AUGMENT, {**arguments, "network": "augment"})
    if out is not None and Path(out).exists():
        raise UsageError(f"--out {out} is there already. Name another file, or remove it.")
    options = data_options({**arguments, "validation": 0.1, "test": 0.2})
    with display(quiet) as show:
        source = read_data(data, options, show.say)
    added = {name: arguments[name] for name in OF_RECIPE}
    recipe = Recipe(augmentation=preset, seed=seed, **added)
    made = augmented_examples(source, recipe, examples, variants)
    sheet = augmented_sheet(source, made, preset, None if out is None else Path(out))
    return AugmentSheet(
        {
            "data": source.name,
            "preset": preset,
            "sheet": str(sheet),
            "examples": [source.train.title(row, "train") for row in made.rows.tolist()],
            "variants": variants,
            "notes": made.notes,
        }
    )
