"""Runs a network and the same one for any number of examples, and compares what they answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.write import as_it_computes
from allotrope.process.carried_arrays import packed, unpacked
from allotrope.process.isolation import Crashed, Refused, module

Arrays = dict[str, np.ndarray]

EXAMPLES = (2, 7)
"""How many examples at once are tried, in units of the file's batch."""
_SECONDS = 0.1
"""How long the first two examples at once may take for more to be tried."""
_LARGEST_MODEL = 2**29
_LARGEST_INPUT = 2**24
"""Bytes beyond which nothing is tried."""
_MOST_PRODUCTS = 5 * 10**9
"""The same in products of numbers for one batch; ResNet-50 has 4 * 10**9 at 224 pixels."""
_TOLERANCE = 1e-3
"""In float32, of the largest answer: more examples at once are added up in another order."""

_PROCESS = module("allotrope.runtimes.onnxruntime.guarded_worker")


def tried(
    baked: Network,
    freed: Network,
    batch: int,
    inputs: Mapping[str, Placement],
    outputs: Mapping[str, Placement],
    free: int,
) -> str:
    """What came of running both in ONNX Runtime on the same random examples, as words for a report.

    `free` is what other free lengths are taken to be.

    Raises: Mixes if any answer of the freed network is not that of the one in the file.
    """
    if _too_large(baked, free):
        return "by its rules alone, for it is too large to be tried"
    singles = [_random(baked, seed, free) for seed in range(max(EXAMPLES))]
    singles = [
        {name: (one if name in inputs else singles[0])[name] for name in one} for one in singles
    ]
    done, seconds = list[int](), 0.0
    for count in EXAMPLES:
        alone = _alone(baked, singles[:count]) if seconds < _SECONDS else []
        start = time.monotonic()
        together = _together(freed, _joined(singles[:count], inputs)) if alone else []
        if not together:
            break
        for index, answers in enumerate(alone):
            _compare(answers, together[0], index, count, batch, outputs)
        done.append(count)
        seconds = time.monotonic() - start
    return _words(done, batch) if done else "by its rules alone, for ONNX Runtime cannot try it"


def _too_large(network: Network, free: int) -> bool:
    weights = sum(array.nbytes for array in network.weights.values())
    inputs = sum(math.prod(_shape(value, free)) * value.dtype.itemsize for value in network.inputs)
    if weights > _LARGEST_MODEL or inputs > _LARGEST_INPUT:
        return True
    return _products(network) > _MOST_PRODUCTS


def _products(network: Network) -> int:
    """How many products of numbers the layers need for one batch, as far as lengths are known."""
    known = (*network.graph.values.values(), *network.outputs)
    shapes = {value.name: _shape(value, 1) for value in known}
    shapes |= {name: array.shape for name, array in network.weights.items()}
    total = 0
    for node in network.graph.nodes:
        if node.operator not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        shape, output = shapes.get(node.inputs[1]), shapes.get(node.outputs[0])
        if shape and output:
            channels = max(shape[-1 if node.operator == "MatMul" else 0], 1)
            total += math.prod(output) * math.prod(shape) // channels
    return total


def _shape(value: Value, free: int) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) else free for length in value.shape or ())


def _words(done: Sequence[int], batch: int) -> str:
    return f"tried with {' and '.join(str(count * batch) for count in done)} examples"


def _random(network: Network, seed: int, free: int) -> Arrays:
    """Inputs for one batch: normal for floats, all of uint8, else 0 and 1, indices everywhere."""
    random = np.random.default_rng(seed)
    arrays = {}
    for value in network.inputs:
        shape = _shape(value, free)
        if value.dtype.kind == "f":
            arrays[value.name] = random.standard_normal(shape).astype(value.dtype)
        else:
            arrays[value.name] = random.integers(
                0, 256 if value.dtype == np.uint8 else 2, shape
            ).astype(value.dtype)
    return arrays


def _joined(singles: Sequence[Arrays], inputs: Mapping[str, Placement]) -> Arrays:
    """Batches as one; an input that holds no examples is the same in all."""
    joined = {}
    for name, array in singles[0].items():
        place = inputs.get(name)
        joined[name] = (
            array if place is None else np.concatenate([one[name] for one in singles], place.axis)
        )
    return joined


def _run(network: Network, runs: Sequence[Arrays]) -> list[Arrays]:
    """The outputs for each of several inputs; none if ONNX Runtime crashes, or takes too long.

    Raises: ModelError if it refuses.
    """
    model = as_it_computes(network).SerializeToString()
    inputs = [packed([arrays[value.name] for value in network.inputs]) for arrays in runs]
    try:
        answers = _PROCESS.ask("run", model, *inputs)
    except Crashed:
        return []
    except Refused as error:
        raise ModelError(str(error)) from error
    names = [value.name for value in network.outputs]
    return [dict(zip(names, unpacked(part), strict=True)) for part in answers]


def _alone(network: Network, runs: Sequence[Arrays]) -> list[Arrays]:
    """The same for the network of the file; none also if ONNX Runtime knows no such operators."""
    try:
        return _run(network, runs)
    except ModelError:
        return []


def _together(network: Network, arrays: Arrays) -> list[Arrays]:
    """The same for several examples at once. Raises: Mixes if that cannot be computed."""
    try:
        return _run(network, [arrays])
    except ModelError as error:
        raise Mixes(f"with several examples it cannot be computed: {error}") from error


def _compare(
    answers: Arrays,
    together: Arrays,
    index: int,
    count: int,
    batch: int,
    outputs: Mapping[str, Placement],
) -> None:
    for name, alone in answers.items():
        place, other = outputs.get(name), together[name]
        if place is not None:
            other = _part(other, place.axis, index, count)
        if other.size != alone.size or not _same(alone, other.reshape(alone.shape)):
            at_once = f"tried with {count * batch} examples at once"
            raise Mixes(f"{at_once}, its output '{name}' is another than for each alone")


def _part(array: np.ndarray, axis: int, index: int, count: int) -> np.ndarray:
    """One of `count` equal parts; nothing if there are none."""
    fits = axis < array.ndim and array.shape[axis] % count == 0
    return np.split(array, count, axis)[index] if fits else array[:0]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind != "f":
        return bool((one == other).all())
    scale = float(np.abs(np.where(np.isfinite(one), one, 0)).max(initial=1e-6))
    return bool(np.allclose(one, other, rtol=0, atol=_TOLERANCE * scale, equal_nan=True))
