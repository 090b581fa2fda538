"""The options that kinds of inputs bring to the verbs that train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from allotrope.config import parse_cache_size
from allotrope.inputs.image.image_options import (
    AUGMENTATION_OPTIONS,
    IMAGE_OPTIONS,
    ImageOptions,
    TrainedImageOptions,
    pretrained,
    reading,
)
from allotrope.inputs.text.text_options import (
    SYNONYM_OPTIONS,
    TOKEN_OPTIONS,
    SynonymOptions,
    TokenOptions,
    text_reading,
)
from allotrope.option import Option

__all__ = [
    "TAKING",
    "TRAINING",
    "TakingOptions",
    "TrainingOptions",
    "pretrained",
    "reading",
    "text_reading",
]

COLUMNS = (
    Option(
        "target",
        "the column to predict, or several with commas between; by default what the data shows.",
    ),
    Option(
        "task",
        "the kind of a task, such as age=regression: classification, multilabel or regression; "
        "may be repeated.",
    ),
    Option(
        "input",
        "the kind of an input, such as scan=image: image, text, number, categorical, date or "
        "table, or none for a column to leave out; may be repeated.",
    ),
    Option(
        "group",
        "a column of which no value may stand in two splits, such as the patient; it is no input.",
    ),
    Option(
        "time",
        "a column of numbers or dates: the test is the latest part, validation what comes before "
        "it; it is no input.",
    ),
    Option(
        "encoding",
        "the encoding of texts and tables, such as gb18030, shift_jis or cp1251; by default what "
        "each file shows.",
    ),
    Option(
        "decimal",
        "what parts decimals in numbers of a table, point or comma, if 1,234 may be either.",
        choices=("point", "comma"),
    ),
    Option(
        "skip_bad_rows",
        "leave out the rows of a table that cannot be read; each is named.",
        default=False,
    ),
    Option("decide", "of several tasks the one whose metric decides; by default the first."),
    Option(
        "metric",
        "the metric of a task, such as side=macro_f1, if not the usual one; may be repeated.",
    ),
)
"""What columns are for."""
DECODED = Option(
    "cache_size",
    "how much decoded examples may take on disk, 20GB by default: what was used longest ago is "
    "removed beyond that; 0 puts none there.",
    parse=parse_cache_size,
)
TAKING = (*COLUMNS, *IMAGE_OPTIONS, *TOKEN_OPTIONS, DECODED)
"""How what the network takes is read, for every verb that trains."""
TRAINING = (*TAKING, *AUGMENTATION_OPTIONS, *SYNONYM_OPTIONS)
"""The same, and how it is changed in training, for a verb that decides how to train."""


class ColumnOptions(TypedDict, total=False):
    """The types of `COLUMNS`."""

    target: Sequence[str] | str | None
    task: Sequence[str] | Mapping[str, str] | str | None
    input: Sequence[str] | Mapping[str, str] | str | None
    group: str | None
    time: str | None
    encoding: str | None
    decimal: str | None
    skip_bad_rows: bool
    decide: str | None
    metric: Sequence[str] | Mapping[str, str] | str | None


class TakingOptions(ColumnOptions, ImageOptions, TokenOptions, total=False):
    """The types of `TAKING`."""

    cache_size: str | None


class TrainingOptions(
    ColumnOptions, TrainedImageOptions, TokenOptions, SynonymOptions, total=False
):
    """The types of `TRAINING`."""

    cache_size: str | None
