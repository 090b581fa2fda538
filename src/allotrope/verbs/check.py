"""`check`: one network, its inputs and batches in every framework, held to the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from allotrope.measure.agreement.check_result import Proof
from allotrope.network.network import Network
from allotrope.progress import display
from allotrope.verbs.check_options import CHECK, PRECISIONS, check_options
from allotrope.verbs.declaring import takes


@takes(CHECK)
def check(
    network: str | Path | Network,
    *,
    frameworks: Sequence[str] | None = None,
    precision: Sequence[str] = PRECISIONS,
    steps: int = 20,
    batch: int | None = None,
    dimensions: Sequence[str] = (),
    values: Sequence[str] = (),
    tasks: Sequence[str] = (),
    missing: float = 0.0,
    seed: int = 0,
    learning_rate: float = 0.01,
    directions: int = 24,
    output_tolerance: float = 1e-10,
    gradient_tolerance: float = 1e-9,
    loss_tolerance: float = 1e-8,
    slope_tolerance: float = 1e-5,
    float32_tolerance: float = 1e-5,
    parting: float = 1e-3,
    threads: int | None = None,
    quiet: bool = False,
) -> Proof:
    """Prove that a network is the same everywhere: every node, gradients, and a training.

    Example: allotrope check model.onnx --frameworks pytorch --frameworks jax

    Errors are relative to the scale of an array: its largest absolute value that is no mask. A
    framework that is missing or fails is a row with its reason. The exit code is 1 where something
    departs, or a framework that was named could not be compared.

    Raises: ModelError for a file that is broken, UnsupportedError for operators without a meaning,
    UsageError for options that do not fit.
    """
    from allotrope.measure.agreement.proving import prove

    asked = check_options(locals())
    title = network.graph.name if isinstance(network, Network) else str(network)
    with display(quiet) as show, tempfile.TemporaryDirectory() as scratch:
        loaded = _loaded(network, show.say)
        file = Path(scratch) / "network.onnx"
        loaded.save(file)
        options = asked.fitted(loaded.inputs)
        return prove(
            title, file, asked.frameworks, asked.tolerances, options, asked.named, show.say
        )


def _loaded(network: str | Path | Network, say: Callable[[str], None]) -> Network:
    """The network as it is checked, in floats of 32 bits or more."""
    from allotrope.frameworks.widening import SINGLE
    from allotrope.network.reading.read import load

    loaded = network if isinstance(network, Network) else load(network, report=say)
    if not SINGLE.concerns(loaded):
        return loaded
    say("float16 and bfloat16 are computed as float32: how they round is no meaning")
    return SINGLE.network(loaded)
