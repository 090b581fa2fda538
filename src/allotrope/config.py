"""The options of each stage, as frozen dataclasses: from TOML, from flags, into run.json."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from allotrope.errors import UsageError, unknown_name

AUGMENTATIONS = ("none", "light", "medium", "heavy")
POLICIES = ("randaugment", "trivialaugment", "augmix", "distorted", "swap-noise", "text-noise")
"""Augmentations that are taken if somebody asks for them: of pictures, rows and texts."""
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")
LAYOUTS = ("default", "channels-last")
FOLDER_LAYOUTS = (
    "auto",
    "classes",
    "deepest",
    "pooled",
    "splits",
    "splits-deepest",
    "classes-splits",
    "folds",
)
ENSEMBLES_OF = ("seeds", "folds", "snapshots", "networks", "soup")
COMBINED_BY = ("auto", "average", "greedy", "stacking", "vote")
CHANNEL_ORDERS = ("rgb", "bgr")
SCAN_VALUES = ("auto", "absolute", "relative")


@dataclass(frozen=True)
class Tokenizing:
    """How texts become ids of tokens for a network that takes such.

    `file` is a tokenizer.json. Texts are cut to `longest` tokens, and all filled up to as many if
    that is `fixed`. `padding` is the id of what fills them up, `masking` that of a masked word, and
    `special` are those of no word. `ids`, `mask` and `types` are inputs of a network from
    elsewhere.
    """

    file: Path
    longest: int
    padding: int
    fixed: bool = False
    special: tuple[int, ...] = ()
    masking: int | None = None
    ids: str = ""
    mask: str | None = None
    types: str | None = None


@dataclass(frozen=True)
class KnownColumns:
    """What a network from a file says of the columns that it was trained on.

    It holds for columns that the data has, if nobody asks for something else. `targets` are those
    that it answers and `tasks` their kinds; `inputs` are the kinds of columns that it takes, and
    `categories` the texts that have codes, by column. `grid` are the voxels of its volumes and the
    millimetres between them, along each axis. `tokens` is how every text becomes ids of tokens, if
    the network takes such.
    """

    targets: tuple[str, ...] = ()
    tasks: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grid: tuple[tuple[int, int, int], tuple[float, float, float]] | None = None
    tokens: Tokenizing | None = None


@dataclass(frozen=True)
class DataOptions:
    """How data is read and split.

    `validation` and `test` are the fractions split off where the source brings no such split.
    `image_size` is the side in pixels to which folders of pictures are brought; None chooses from
    the data. `layout` is how folders are read, one of FOLDER_LAYOUTS; `auto` takes the only reading
    that there is. `value_range` are the values that are black and white in arrays, and in pictures
    of more than 8 bits a channel; None for what the data says. `scan_values` says whether a
    value means the same in every volume, one of SCAN_VALUES. `target` are the columns to predict;
    `task` and `input` are kinds by column, if not those that the data shows. `group` and `time` are
    columns by which splits are parted: no group in two, or the test is the latest. `decide` is the
    task by which is chosen, the first if None; `metric` are names of metrics by task. `cache_size`
    is how many bytes of decoded examples may lie on disk, 0 for none, None for the usual number.
    `encoding` is that of texts and tables, None for what each file shows.
    `decimal` is what parts decimals in texts, point or comma, None for what the table shows;
    `skip_bad_rows` leaves rows out that cannot be read. `tokenizer`, `max_tokens`, `padding_token`
    and `token_inputs` say what a network from an ONNX file takes of texts, None for what it and the
    tokenizer.json beside it say. `synonyms` is a file of words that training may put in the place
    of others.
    """

    validation: float = 0.1
    test: float = 0.2
    image_size: int | None = None
    seed: int = 0
    workers: int | None = None
    layout: str = "auto"
    value_range: tuple[float, float] | None = None
    scan_values: str = "auto"
    target: tuple[str, ...] = ()
    task: Mapping[str, str] = field(default_factory=dict)
    input: Mapping[str, str] = field(default_factory=dict)
    decide: str | None = None
    group: str | None = None
    time: str | None = None
    metric: Mapping[str, str] = field(default_factory=dict)
    known: KnownColumns = field(default_factory=KnownColumns)
    cache_size: int | None = None
    encoding: str | None = None
    decimal: str | None = None
    skip_bad_rows: bool = False
    tokenizer: Path | None = None
    max_tokens: int | None = None
    padding_token: str | None = None
    token_inputs: str | None = None
    synonyms: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training, and nothing that only changes its speed.

    `decay_kind`: `l2` adds weight_decay * weight to the gradient, `decoupled` multiplies the
    weight. `warmup` and `step_at` are fractions of the training; `epochs` may be fractional;
    `budget` is in seconds and, where given, ends the training (the schedule follows whichever of
    the two is nearer its end). The warm-up begins at `start_fraction` of the learning rate, and the
    schedule ends at `final_fraction` of it. `schedule_power` is of polynomial, `cycles` of cosines
    with restarts; `plateau_patience` counts validations that are not the best. `average` is the
    decay per step of the exponential moving average of the weights, None for none. `swa` holds the
    learning rate in the last quarter and delivers the mean of the weights of that. `loss` may name
    one for each kind of task, with commas between them. `task_weights`: what each of several tasks
    counts is `fixed`, or `learned` by its uncertainty. `bias_scale` multiplies the learning rate of
    normalization biases (cifar10-airbench uses 64), `backbone_rate` that of all layers but the
    last, and `layer_decay` that of the first layer, with equal steps from layer to layer up to the
    last. `activation`, `normalization` and `dropout` are those of a network of the zoo, None for
    its own. `lookahead` and `accumulate` count steps. `labelled_share` of a batch has labels.
    `selection` says which weights a training gives back: the `best` on validation data, or the
    `last`, where validation data is so little that the best would be so by chance.
    `sam` is how far from the weights the loss is highest where gradients are taken.
    """

    optimizer: str = "nesterov"
    learning_rate: float = 0.1
    find_rate: bool | None = None
    momentum: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 5e-4
    decay_kind: str = "l2"
    decay_all: bool = False
    bias_scale: float = 1.0
    backbone_rate: float = 1.0
    layer_decay: float = 1.0
    schedule: str = "one-cycle"
    warmup: float = 0.2
    start_fraction: float = 0.0
    step_at: tuple[float, ...] = (0.5, 0.75)
    step_factor: float = 0.1
    schedule_power: float = 2.0
    cycles: int = 3
    plateau_patience: int = 3
    final_fraction: float = 0.0
    loss: str = "cross-entropy"
    quantile: float = 0.5
    label_smoothing: float = 0.0
    class_weights: str = "none"
    sampling: str = "natural"
    task_weights: str = "fixed"
    clip_norm: float | None = None
    lookahead: int | None = None
    accumulate: int | None = None
    centralize: bool | None = None
    sam: float | None = None
    l1: float | None = None
    max_norm: float | None = None
    weight_standardization: bool | None = None
    r_drop: float | None = None
    spatial_dropout: float | None = None
    drop_block: float | None = None
    drop_connect: float | None = None
    stochastic_depth: float | None = None
    average: float | None = None
    swa: bool | None = None
    augmentation: str = "light"
    flip: bool | None = None
    mixup: float | None = None
    cutmix: float | None = None
    mosaic: float | None = None
    synonym_rate: float | None = None
    labelled_share: float | None = None
    selection: str = "best"
    batch_size: int = 128
    epochs: float | None = None
    budget: float | None = None
    patience: int | None = None
    activation: str | None = None
    normalization: str | None = None
    dropout: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Repair:
    """What is mended when an ONNX file is read; each step can be left out.

    `batch` frees a batch that was baked in. `weights` finds weights in Constant nodes and behind
    Identity, Transpose and the like. `preprocessing` keeps the arithmetic on the raw input from
    learning. `batch_normalization` gives each running statistics of its own and both modes.
    `quantization` reads integers as the float numbers that they stand for, and rounds no
    activations. `shared_arrays` gives layers that only began with equal numbers arrays of their
    own. `dropout` lets nodes that were written in training mode drop in training alone; `noise`
    reads Dropout where it is spelled out by random arrays, and leaves out noise that is added.
    `slopes` lays a PRelu's slopes along the channels where they fit nowhere else. The others
    recognize one operator where a file spells it out.
    """

    batch: bool = True
    weights: bool = True
    preprocessing: bool = True
    batch_normalization: bool = True
    quantization: bool = True
    shared_arrays: bool = True
    dropout: bool = True
    noise: bool = True
    slopes: bool = True
    gelu: bool = True
    swish: bool = True
    hard_swish: bool = True
    layer_normalization: bool = True
    softmax: bool = True
    attention: bool = True

    @classmethod
    def none(cls) -> Repair:
        """The file as it is."""
        return cls.without(field.name for field in fields(cls))

    @classmethod
    def without(cls, steps: Iterable[str]) -> Repair:
        """All but these steps, as they are called here, with - for _ if one likes.

        `all` leaves out every step.

        Raises: UsageError for an unknown step.
        """
        known = {field.name for field in fields(cls)}
        asked = [step.replace("-", "_") for step in steps]
        for step in asked:
            if step not in known | {"all"}:
                raise unknown_name("repair", step, known | {"all"})
        return cls(**dict.fromkeys(known if "all" in asked else asked, False))


@dataclass(frozen=True)
class FineTuning:
    """How a network from an ONNX file is fitted to data of one's own.

    `new_head` gives the last layer fresh weights, for the data's classes. `freeze` are patterns of
    names of weights that do not learn. `mean` and `std` are per channel or one for all, in pixel
    units, those that the network was trained with; None for what the file or data says.
    `channel_order` is that of the network, `rgb` or `bgr`. `classifier` is the output that tells
    the classes apart, if there are several. `restore_batchnorm` puts BatchNormalization behind
    convolutions that lost theirs; None does so if the network knows the data's classes and
    nothing in it is normalized. `probe` fits the last layer before all others learn.
    """

    new_head: bool = False
    freeze: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None
    classifier: str | None = None
    restore_batchnorm: bool | None = None
    probe: bool = False


@dataclass(frozen=True)
class Settings:
    """What changes the speed of a training and not its meaning.

    `precision` is float32, tensorfloat32 (products of numbers rounded to 10 bits) or bfloat16;
    weights stay float32. `layout` is default or channels-last.
    """

    device: str = "cpu"
    precision: str = "float32"
    layout: str = "default"
    compiled: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class FixedSettings:
    """The settings that a user fixed.

    What is None, or `auto` for the device, is raced; `threads` None takes all cores.
    """

    device: str = "auto"
    precision: str | None = None
    memory_layout: str | None = None
    compile: bool | None = None
    threads: int | None = None


USUAL_DROP = 0.5
"""Points of the metric that speed may cost, unless it is said otherwise."""


@dataclass(frozen=True)
class Target:
    """What the delivered file must meet: latency at batch 1 in ms, bytes, drop in points.

    `max_worse` is by how many per cent the loss may exceed the best, None for as much as it likes.
    """

    max_latency: float | None = None
    max_size: int | None = None
    max_drop: float = USUAL_DROP
    max_worse: float | None = None


def parse_seconds(text: str | float) -> float:
    """Seconds from `90`, `90s`, `10m`, `1.5h` or `2ms`.

    Raises: UsageError for anything else, or for a length that is not above 0.
    """
    return _with_unit(
        text,
        {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0},
        "s",
        "a length of time such as 90s, 10m, 1.5h or 2ms",
    )


def parse_value_range(text: str) -> tuple[float, float]:
    """The two numbers of `0:4095` or `-1:1`: what is black, and what is white.

    Raises: UsageError for anything else, or if the first is not below the second.
    """
    try:
        low, high = (float(part) for part in str(text).split(":"))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(
            f"'{text}' is no range of values; expected the one that is black and the one that is "
            "white, such as 0:4095."
        )
    return low, high


def parse_bytes(text: str | float) -> int:
    """Bytes from `500`, `500B`, `900KB`, `1MB` or `2GB` (decimal units).

    Raises: UsageError for anything else, or for a size that is not above 0.
    """
    return int(
        _with_unit(
            text,
            {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
            "b",
            "a size such as 900KB or 1MB",
        )
    )


def parse_cache_size(text: str | float) -> int:
    """Bytes as `parse_bytes` reads them, or 0 from `0`.

    Raises: UsageError for anything else.
    """
    return 0 if str(text).strip() == "0" else parse_bytes(text)


def bytes_text(count: float) -> str:
    """Bytes for people, in decimal units: 512 B, 1.5 GB."""
    units = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
    power = min(int(math.log10(max(count, 1))) // 3, len(units) - 1)
    return f"{count / 1000**power:.3g} {units[power]}"


def _with_unit(text: str | float, units: dict[str, float], plain: str, expected: str) -> float:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", str(text).lower())
    unit = (match[2] or plain) if match else ""
    if match is None or unit not in units or float(match[1]) <= 0:
        raise UsageError(f"'{text}' is not {expected}.")
    return float(match[1]) * units[unit]
