"""Published weights, read from safetensors files by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.network import Network
from allotrope.network.zoo.weight_names import COUNTER


def load_safetensors(network: Network, path: str | Path, strict: bool = True) -> Network:
    """`network` with the weights of the file at `path`, by name, in the network's own precision.

    Without `strict`, what the file lacks or has in another shape stays as it is, such as a last
    layer for other classes.

    Raises: ModelError if the file cannot be read, if nothing in it fits or, with `strict`, that
    lists every name that is missing, unexpected, or of another shape or type.
    """
    arrays = {
        name: array for name, array in read_arrays(Path(path)).items() if not COUNTER.search(name)
    }
    fitting = {
        name
        for name, array in arrays.items()
        if name in network.weights and _fits(array, network.weights[name])
    }
    problems = _problems(network, arrays, fitting)
    if not fitting or (strict and problems):
        raise ModelError(f"the weights in '{path}' do not fit this network: {'; '.join(problems)}.")
    return network.with_weights(
        {name: arrays[name].astype(network.weights[name].dtype) for name in sorted(fitting)}
    )


def _fits(array: np.ndarray, weight: np.ndarray) -> bool:
    """Whether the shapes are the same and no quantized weight stands for a float one.

    Bfloat16 is of NumPy's kind V.
    """
    return array.shape == weight.shape and (array.dtype.kind in "fV") == (weight.dtype.kind in "fV")


def _problems(network: Network, arrays: Mapping[str, np.ndarray], fitting: set[str]) -> list[str]:
    weights = network.weights
    missing = [name for name in weights if name not in arrays]
    unexpected = [
        f"{name} {list(array.shape)}" for name, array in arrays.items() if name not in weights
    ]
    different = [
        f"{name} is {array.dtype} {list(array.shape)} and must be {weights[name].dtype} "
        f"{list(weights[name].shape)}"
        for name, array in arrays.items()
        if name in weights and name not in fitting
    ]
    kinds = (
        ("missing", missing),
        ("unexpected", unexpected),
        ("of another shape or type", different),
    )
    return [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in kinds if names]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name.

    Raises: ModelError if it cannot be opened or is none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise ModelError(
            f"the weights '{path}' cannot be opened: {error.strerror or error}."
        ) from error
    except SafetensorError as error:
        raise ModelError(f"'{path}' is not a sound safetensors file: {error}.") from error
