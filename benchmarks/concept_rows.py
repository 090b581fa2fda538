"""What `concepts.py` measures: each concept as one change of a bare recipe or network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from allotrope.optimizer_options import OPTIMIZERS
from allotrope.recipe_choices import ACTIVATIONS, NORMALIZATIONS, SCHEDULES

USUAL = {
    "optimizer": "adamw",
    "schedule": "one-cycle",
    "activation": "relu",
    "normalization": "batch",
}
"""What the bare recipe of `fashion` has: of these there is no difference."""


@dataclass(frozen=True)
class Concept:
    """A change of a problem's bare training: fields of the recipe, or a `special` way to train."""

    key: str
    problem: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    special: str = ""


def _named(field_name: str, names: Iterable[str], problem: str = "fashion") -> list[Concept]:
    """One for each name that a field of the recipe takes, but for the usual one."""
    return [
        Concept(f"{problem}/{field_name}/{name}", problem, {field_name: name})
        for name in names
        if name != USUAL.get(field_name)
    ]


def _set(problem: str, changes: Mapping[str, Mapping[str, Any]]) -> list[Concept]:
    return [Concept(f"{problem}/{key}", problem, recipe) for key, recipe in changes.items()]


def _special(problem: str, names: Iterable[str]) -> list[Concept]:
    return [Concept(f"{problem}/{name}", problem, special=name) for name in names]


OF_CLASSES = (
    *("focal", "logit-adjusted", "kl-divergence", "hinge", "squared-hinge", "mean-squared-error"),
    *("center", "triplet", "supervised-contrastive"),
)
PICTURES = (*("light", "medium", "heavy", "randaugment", "trivialaugment", "augmix", "distorted"),)

CONCEPTS: tuple[Concept, ...] = (
    *_named("loss", OF_CLASSES),
    *_named("loss", ("focal", "logit-adjusted"), "adult"),
    *_named("loss", ("ordinal",), "bands"),
    *_named("loss", ("focal", "hinge", "squared-hinge"), "emotions"),
    *_named("loss", ("mean-absolute-error", "huber", "quantile", "poisson"), "age"),
    *_named("optimizer", OPTIMIZERS),
    *_set(
        "fashion",
        {
            "lookahead": {"lookahead": 5},
            "accumulate": {"accumulate": 4},
            "centralize": {"centralize": True},
            "clip_norm": {"clip_norm": 1.0},
            "sam": {"sam": 0.05},
        },
    ),
    *_named("schedule", SCHEDULES),
    *_set("fashion", {"warmup": {"warmup": 0.0}}),
    *_special("fashion", ("find_rate",)),
    *_named("activation", ACTIVATIONS),
    *_named("normalization", NORMALIZATIONS),
    *_set(
        "fashion",
        {
            "weight_decay": {"weight_decay": 0.02},
            "l1": {"l1": 1e-4},
            "max_norm": {"max_norm": 2.0},
            "dropout": {"dropout": 0.2},
            "spatial_dropout": {"spatial_dropout": 0.1},
            "drop_block": {"drop_block": 0.1},
            "drop_connect": {"drop_connect": 0.2},
            "weight_standardization": {"weight_standardization": True},
            "swa": {"swa": True},
            "r_drop": {"r_drop": 1.0},
            "label_smoothing": {"label_smoothing": 0.1},
            "mixup": {"mixup": 0.2},
            "cutmix": {"cutmix": 1.0},
            "mosaic": {"mosaic": 0.3},
            "average": {"average": 0.98},
            "patience": {"patience": 1},
        },
    ),
    *_set("residual", {"stochastic_depth": {"stochastic_depth": 0.1}}),
    *_set(
        "adult",
        {
            "weight_decay": {"weight_decay": 0.02},
            "dropout": {"dropout": 0.2},
            "label_smoothing": {"label_smoothing": 0.1},
            "class_weights": {"class_weights": "balanced"},
            "augmentation/heavy": {"augmentation": "heavy"},
            "augmentation/swap-noise": {"augmentation": "swap-noise"},
        },
    ),
    *_set(
        "trec",
        {
            "dropout": {"dropout": 0.5},
            "label_smoothing": {"label_smoothing": 0.1},
            "r_drop": {"r_drop": 1.0},
            "mixup": {"mixup": 0.2},
            "average": {"average": 0.98},
        },
    ),
    *_named("augmentation", PICTURES),
    *_named("augmentation", ("light", "medium", "heavy", "text-noise"), "trec"),
    *_set("fashion", {"flip": {"augmentation": "light", "flip": False}}),
    *_special("plain", ("glorot", "lecun", "tiny")),
    *_special("fashion", ("glorot", "lecun", "tiny")),
    *_set(
        "fashion",
        {f"batch_size/{size}": {"batch_size": size} for size in (16, 32, 128, 256)},
    ),
    *_special("fashion", ("ensemble", "distill")),
)
"""Each key is `problem/…`, and stands in the marks of the pages."""
