"""How wide and how deep networks of the zoo can be made, as data: arguments of their functions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from allotrope.network.zoo import NETWORKS, TEXT_NETWORKS, VOLUMETRIC, TableStyle

WIDENED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(NETWORKS, ("width",)),
    **dict.fromkeys(VOLUMETRIC, ("width",)),
    "text_cnn": ("dimension", "filters"),
    "gru": ("dimension", "hidden"),
    "lstm": ("dimension", "hidden"),
    "table_mlp": ("hidden",),
}
"""By network: the arguments that a width multiplies."""
DEEPENED: Mapping[str, str] = {"whitened_cnn": "depth", "table_mlp": "hidden", "mlp": "hidden"}
"""By network: the argument that grows by a layer, a number of them or a tuple of their units."""
BOUNDS: Mapping[str, tuple[int, int]] = {"whitened_cnn": (2, 3)}
"""The least and the most layers, if not any number from 1 on."""
LADDERS = (("resnet8", "resnet20", "resnet32", "resnet56"), ("resnet18", "resnet34"))
"""Networks that are each other made deeper."""


def can_widen(network: str) -> bool:
    """Whether there is a width to set."""
    return network in WIDENED


def depths(network: str, arguments: Mapping[str, Any]) -> tuple[int, ...]:
    """How many layers more or less than chosen there may be; of a network without a depth 0 alone.

    Each is a network of its own.
    """
    shapes = {steps: sized(network, arguments, depth=steps) for steps in (0, -1, 1)}
    # At a bound a layer less is the same network: 0 stands first, and so is what remains.
    apart = {str(shape): steps for steps, shape in reversed(shapes.items())}
    return tuple(sorted(apart.values()))


def sized(
    network: str, arguments: Mapping[str, Any], width: float = 1.0, depth: int = 0
) -> tuple[str, dict[str, Any]]:
    """The network's name and the arguments of a size: so many times as wide, layers more or less.

    `arguments` are those that the network was chosen with.
    """
    usual = {**_defaults(network), **arguments}
    shape = {name: _times(usual.get(name, 1.0), width) for name in WIDENED.get(network, ())}
    if network in DEEPENED:
        name = DEEPENED[network]
        bounds = BOUNDS.get(network, (1, 100))
        shape[name] = _deeper(shape.get(name, usual[name]), depth, *bounds)
    return _up(network, depth), shape


def _defaults(network: str) -> dict[str, Any]:
    if network == "table_mlp":
        return {"hidden": TableStyle().hidden}
    build = {**NETWORKS, **TEXT_NETWORKS, **VOLUMETRIC}.get(network)
    if build is None:
        return {}
    parameters = inspect.signature(build).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def _times(value: Any, factor: float) -> Any:
    """Units are whole numbers of at least 4, a width any number."""
    if isinstance(value, (list, tuple)):
        return tuple(_times(one, factor) for one in value)
    if isinstance(value, int):
        return max(round(value * factor), min(value, 4))
    return round(value * factor, 4)


def _deeper(value: Any, layers: int, least: int, most: int) -> Any:
    """So many layers more, within the bounds; another is as wide as the last."""
    if isinstance(value, int):
        return min(max(value + layers, least), most)
    units = tuple(value)
    # The last layers go and come: the first ones see the input.
    count = min(max(len(units) + layers, least), most)
    return (*units[:count], *[units[-1]] * (count - len(units)))


def _up(network: str, steps: int) -> str:
    """The network so many rungs higher on its ladder, or the last."""
    for ladder in LADDERS:
        if network in ladder:
            return ladder[min(max(ladder.index(network) + steps, 0), len(ladder) - 1)]
    return network
