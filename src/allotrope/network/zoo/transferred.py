"""A network of the zoo with the weights of a file that another library wrote.

What the file says decides the network: how wide it is, and how many classes its last layer tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from allotrope.errors import ModelError
from allotrope.network.network import Network
from allotrope.network.rewriting.head import head_of
from allotrope.network.zoo.building_blocks import Image
from allotrope.network.zoo.published_weights import read_arrays
from allotrope.network.zoo.weight_names import in_zoo_names

Build = Callable[..., Network]
SHOWN = 3
"""So many names of a kind are in the line that says what was loaded."""
PLACES = "pos_embed"
"""The weight that has a row for each patch, and so depends on the picture's size."""


@dataclass(frozen=True)
class Transferred:
    """The network, whose names the file has, and one line: what matched and what did not."""

    network: Network
    library: str
    line: str


def transferred(build: Build, image: Image, path: Path, seed: int) -> Transferred:
    """The network that `build` makes for pictures `image` (c, h, w), with the weights in `path`.

    It has as many classes as the file's last layer, or 2 if the file has none, with fresh weights.

    Raises: ModelError for a file that is no safetensors file, and one that lists all weights of
    the network that the file lacks or has in another shape.
    """
    plain = build(2, image, seed=seed)
    arrays, library = in_zoo_names(read_arrays(path), plain.weights)
    options = _options_for(plain, arrays, library)
    classes = _classes(plain, arrays)
    network = build(classes or 2, image, seed=seed, **options)
    arrays = _in_shape(arrays, network)
    fresh = frozenset() if classes else head_weights(network)
    _check(network, arrays, fresh, path)
    used = {name: arrays[name] for name in network.weights if name in arrays}
    line = _line(path, library, options, network, used, fresh, sorted(arrays.keys() - used.keys()))
    typed = {name: array.astype(network.weights[name].dtype) for name, array in used.items()}
    return Transferred(network.with_weights(typed), library, line)


def head_weights(network: Network) -> frozenset[str]:
    """The weights of the last layer."""
    head = head_of(network)
    return frozenset() if head is None else head.weights


def _classes(network: Network, arrays: Mapping[str, np.ndarray]) -> int | None:
    """How many classes the file's last layer tells apart; None if it has none.

    The first axis of each of its arrays are classes, here as in every layout.
    """
    own = [arrays[name] for name in sorted(head_weights(network)) if name in arrays]
    return len(own[0]) if own and own[0].ndim and len(own[0]) > 1 else None


def _options_for(
    network: Network, arrays: Mapping[str, np.ndarray], library: str
) -> dict[str, Any]:
    """What the network is to be built with: the file's width, and what a library does otherwise."""
    options: dict[str, Any] = {}
    # The first layer tells the width: all channels follow from it.
    for name, weight in network.weights.items():
        if name in arrays and weight.ndim == 4 and arrays[name].ndim == 4:
            ratio = arrays[name].shape[0] / weight.shape[0]
            if ratio != 1:
                options["width"] = ratio
            break
    if library == "Caffe":
        # The authors' file pads its last convolution.
        options["final_padding"] = 1
    return options


def _in_shape(arrays: Mapping[str, np.ndarray], network: Network) -> dict[str, np.ndarray]:
    """The arrays in the network's shapes, if only axes of length 1 differ, or patches by number."""
    shaped = {}
    for name, array in arrays.items():
        weight = network.weights.get(name)
        if weight is not None and array.shape != weight.shape:
            if _without_ones(array.shape) == _without_ones(weight.shape):
                array = array.reshape(weight.shape)
            elif name == PLACES and array.ndim == 3 and array.shape[2] == weight.shape[2]:
                array = _resampled(array, network)
        shaped[name] = array
    return shaped


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _resampled(places: np.ndarray, network: Network) -> np.ndarray:
    """Places of a square of patches [1, 1 + s s, d] for the network's grid, by cubic interpolation.

    As timm does it; the row of the class token stays. As it is if the patches are no square.
    """
    side = math.isqrt(places.shape[1] - 1)
    shape = network.graph.values["patch_embed.proj"].shape or ()
    height, width = (int(length or 0) for length in shape[2:])
    if side * side != places.shape[1] - 1:
        return places
    grid = places[0, 1:].reshape(side, side, -1).astype(np.float32)
    layers = [
        np.asarray(
            Picture.fromarray(np.ascontiguousarray(layer)).resize(
                (width, height), Picture.Resampling.BICUBIC
            )
        )
        for layer in np.moveaxis(grid, 2, 0)
    ]
    rows = np.stack(layers, -1).reshape(height * width, -1)
    return np.concatenate([places[0, :1], rows])[None]


def _check(
    network: Network, arrays: Mapping[str, np.ndarray], fresh: frozenset[str], path: Path
) -> None:
    """Raises ModelError for all that is missing or of another shape, at once."""
    missing = [name for name in network.weights if name not in arrays and name not in fresh]
    different = [
        f"{name} is {list(arrays[name].shape)} and must be {list(weight.shape)}"
        for name, weight in network.weights.items()
        if name in arrays and arrays[name].shape != weight.shape
    ]
    kinds = (("of another shape", different), ("missing", missing))
    problems = [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in kinds if names]
    if not problems:
        return
    unused = [name for name in arrays if name not in network.weights]
    called = f" The file calls its weights {', '.join(unused[:5])}, …" if unused else ""
    raise ModelError(
        f"the weights in '{path}' do not fit {network.graph.name}: {'; '.join(problems)}.{called} "
        "Name the network that they are of, and for weights that depend on the picture's size, the "
        "size that they were trained at (--image-size 224)."
    )


def _line(
    path: Path,
    library: str,
    options: Mapping[str, Any],
    network: Network,
    used: Mapping[str, np.ndarray],
    fresh: frozenset[str],
    unused: list[str],
) -> str:
    """What matched and what did not, in one line."""
    said = [
        f"{len(used)} of the {len(network.weights)} weights of {network.graph.name} come from "
        f"{path.name}, in {library} names"
    ]
    if "width" in options:
        said.append(f"at width {options['width']:g}, as the file has it")
    if fresh:
        said.append(f"the file has no last layer: {', '.join(sorted(fresh))} begin anew")
    if unused:
        more = ", …" if len(unused) > SHOWN else ""
        said.append(f"{len(unused)} in the file are not used: {', '.join(unused[:SHOWN])}{more}")
    return "; ".join(said) + "."
