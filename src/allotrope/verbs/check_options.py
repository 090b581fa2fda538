"""What a call of `check` asks for: its options, and what they are for one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allotrope.errors import UsageError
from allotrope.network.graph import Value
from allotrope.option import ABOVE_0, BELOW_1, FROM_0, FROM_2, Option, check_values

if TYPE_CHECKING:
    from allotrope.measure.agreement.check_plan import Options
    from allotrope.measure.agreement.judge import Tolerance

LENGTH, SIDE = 3, 64
"""What a free dimension is by default: small, and not what others are; and that of a map, which
pooling makes smaller."""

PRECISIONS = ("float64", "float32")

PRECISION = Option("precision", "float64, float32 or both.", choices=PRECISIONS, several=True)

CHECK = (
    Option("network", "an ONNX file, or a network."),
    Option("frameworks", "which to compare; all by default."),
    PRECISION,
    Option("steps", "training steps; 0 for none.", range=FROM_0),
    Option(
        "batch",
        "the batch size, if the first dimension of the inputs is free; by default 8, or 4 or 2 if "
        "an example is large. A batch of 1 is tried as well.",
        range=ABOVE_0,
    ),
    Option(
        "dimensions",
        "lengths of other free dimensions, such as sequence=128; by default 3, and 64 for height "
        "and width, or what fits.",
    ),
    Option(
        "values",
        "what random values inputs get, such as mask=padding or ids=0..99, if names and uses do "
        "not tell. There are: normal, uniform, mask, padding, added-mask, positions, LOW..HIGH, "
        "lengths:N, NUMBER.",
    ),
    Option(
        "tasks",
        "kinds of tasks that outputs are trained for, such as label=classification or "
        "age=regression; there is multilabel too. By default the squared error of all outputs, or "
        "cross-entropy of a single row of a network of raw bytes.",
    ),
    Option(
        "missing",
        "the part of the labels of these tasks that is missing, at random, such as 0.3.",
        range=BELOW_1,
    ),
    Option("seed", "decides inputs, targets, directions and dropout.", range=FROM_0),
    Option("learning_rate", "of the training.", range=FROM_0),
    Option(
        "directions",
        "finite differences are taken along at most so many, each of a few weights, and along half "
        "as many in training.",
        range=FROM_2,
    ),
    Option(
        "output_tolerance",
        "the largest error of outputs, and of the first step's loss and state, in float64.",
        range=FROM_0,
    ),
    Option(
        "gradient_tolerance",
        "the largest error of gradients between frameworks, in float64.",
        range=FROM_0,
    ),
    Option(
        "loss_tolerance",
        "the largest error of losses in float64; ten times that for weights and state.",
        range=FROM_0,
    ),
    Option(
        "slope_tolerance",
        "the largest error of gradients against finite differences of the reference, in float64.",
        range=FROM_0,
    ),
    Option(
        "float32_tolerance",
        "the largest error of outputs, and of the first step's loss and state, in float32; ten "
        "times that for gradients.",
        range=FROM_0,
    ),
    Option(
        "parting",
        "the difference of float32 losses at which they are said to part; that is no departure.",
        range=FROM_0,
    ),
    Option(
        "threads",
        "processor threads of each process; by default the cores are shared by processes side by "
        "side, at most four.",
        range=ABOVE_0,
    ),
    Option("quiet", "show nothing while working."),
)


@dataclass(frozen=True)
class CheckOptions:
    """The arguments of `check`, checked.

    `named` are the frameworks without which the proof is not whole, `tolerances` by precision.
    """

    frameworks: list[str]
    named: list[str]
    tolerances: Mapping[str, Tolerance]
    arguments: Mapping[str, Any]

    def fitted(self, inputs: Sequence[Value]) -> Options:
        """What is asked for, of a network with these inputs.

        Raises: UsageError for lengths, values and tasks that are not written as such.
        """
        from allotrope.measure.agreement.check_plan import Options
        from allotrope.measure.random_inputs import batch_names, fitting_batch, parse_lengths

        arguments = self.arguments
        batch = arguments["batch"] or fitting_batch(inputs)
        asked = parse_lengths(arguments["dimensions"], inputs)
        lengths = {**usual_lengths(inputs, batch), **asked}
        # What was asked for, and the batch, stays; other lengths may give way to what fits.
        settled = {*asked, *batch_names(inputs)}
        as_they_are = ("steps", "missing", "seed", "learning_rate", "directions", "parting")
        return Options(
            batch=batch,
            lengths=lengths,
            free=[name for name in lengths if name not in settled],
            values=_kinds(
                arguments["values"], "an input and its kind of values, such as ids=0..99"
            ),
            tasks=_kinds(
                arguments["tasks"], "an output and its kind of task, such as label=classification"
            ),
            threads=arguments["threads"],
            **{name: arguments[name] for name in as_they_are},
        )


def check_options(arguments: Mapping[str, Any]) -> CheckOptions:
    """The options that the arguments of `check` ask for.

    Raises: UsageError for unknown names, and for all values out of range in one message.
    """
    from allotrope.frameworks import named

    check_values(CHECK, arguments)
    names = list(named(arguments["frameworks"]))
    precisions = PRECISION.parts(arguments["precision"]) or PRECISIONS
    tolerances = _tolerances(arguments)
    return CheckOptions(
        frameworks=names,
        named=names if arguments["frameworks"] else [],
        tolerances={name: tolerances[name] for name in PRECISIONS if name in precisions},
        arguments={option.name: arguments[option.name] for option in CHECK},
    )


def _tolerances(arguments: Mapping[str, Any]) -> dict[str, Tolerance]:
    """What each precision is held to; trainings in float32 may part."""
    from allotrope.measure.agreement.judge import Tolerance

    losses, single = arguments["loss_tolerance"], arguments["float32_tolerance"]
    # After all steps the weights hold every error that losses had on the way.
    float64 = Tolerance(
        outputs=arguments["output_tolerance"],
        gradients=arguments["gradient_tolerance"],
        slopes=arguments["slope_tolerance"],
        first_step=arguments["output_tolerance"],
        losses=losses,
        weights=10 * losses,
    )
    float32 = Tolerance(
        outputs=single,
        gradients=10 * single,
        slopes=1e-2,
        first_step=single,
        losses=None,
        weights=None,
    )
    return {"float64": float64, "float32": float32}


def usual_lengths(inputs: Sequence[Value], batch: int) -> dict[str, int]:
    """The usual length of every free dimension; a name such as `past + sequence` is a sum."""
    from allotrope.measure.random_inputs import named_lengths

    lengths = named_lengths(inputs, batch, {})
    for shape in (value.shape or () for value in inputs):
        is_map = len(shape) == 4
        for axis, length in enumerate(shape):
            if not isinstance(length, int) and (axis or length):
                lengths.setdefault(length or "", SIDE if is_map and axis > 1 else LENGTH)
    # A cache of attention is as long as what was before it and what is now, and says so by name.
    for name in lengths:
        parts = [part.strip() for part in name.split("+")]
        if len(parts) > 1:
            lengths[name] = sum(int(p) if p.isdecimal() else lengths.get(p, LENGTH) for p in parts)
    return lengths


def _kinds(texts: Sequence[str], expected: str) -> dict[str, str]:
    """Kinds by name, of texts such as `ids=0..99`. Raises: UsageError for one without a name."""
    kinds = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f"'{text}' is not {expected}.")
        kinds[name] = kind
    return kinds
