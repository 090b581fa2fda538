"""A network before and after it was cut, layer by layer: what is left, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allotrope.errors import UsageError
from allotrope.measure.kernel_timing import kernel_times
from allotrope.network.network import Network
from allotrope.shrinking.groups import groups
from allotrope.verbs.pipeline.shrunk_values import Row, Workbench


def cut_layers(whole: Network, network: Network) -> dict[str, Any]:
    """What is left of each layer, and what could not be cut and why."""
    known = groups(whole)
    reasons: dict[str, dict[str, Any]] = {}
    for each in known.frozen:
        facts = reasons.setdefault(
            str(each.reason), {"reason": str(each.reason), "places": 0, "weights": []}
        )
        facts["places"] += each.count
        facts["weights"].append(each.weight)
    return {
        "layers": _shapes(whole, network),
        "frozen": list(reasons.values()),
        "unknown": list(known.unknown),
    }


def _shapes(whole: Network, network: Network) -> list[dict[str, Any]]:
    """The shape of each weight of several axes before and after; None after: it is gone."""
    return [
        {
            "name": name,
            "before": list(array.shape),
            "after": list(network.weights[name].shape) if name in network.weights else None,
        }
        for name, array in whole.weights.items()
        if array.ndim > 1
    ]


def layer_times(bench: Workbench, whole: Network, network: Network, row: Row) -> dict[str, Any]:
    """Microseconds of each layer, and what follows it, before and after, as `row` runs it.

    Each is timed alone, where the rounds have not done so. Empty if kernels cannot be timed here.
    """
    one = {name: column[:1] for name, column in bench.plan.data.taken("validation").items()}
    how = row["runtime"], row["precision"], row["form"]
    try:
        with kernel_times(one, *how, bench.threads) as times:
            times.measure([whole, network])
            before, after = (times.of_parts(each) for each in (whole, network))
    except UsageError as error:
        bench.show.say(f"what each layer takes cannot be said: {error}")
        return {}
    return {
        "runtime": row["runtime"],
        "precision": row["precision"],
        "layers": _rows((whole, before), (network, after)),
    }


def _rows(
    *sides: tuple[Network, Sequence[tuple[str, float]]],
) -> list[dict[str, Any]]:
    """A row for each layer by its name: shape of its weight and microseconds, on each side.

    None on a side that does not have it.
    """
    parts = [
        {
            name: {"shape": _shape(network, name), "microseconds": 1e6 * seconds}
            for name, seconds in timed
        }
        for network, timed in sides
    ]
    names = dict.fromkeys(name for side in parts for name in side)
    before, after = parts
    return [{"name": name, "before": before.get(name), "after": after.get(name)} for name in names]


def _shape(network: Network, name: str) -> list[int]:
    """The shape of the weight of a layer; empty if it has none."""
    taken = (each for node in network.graph.nodes if node.label == name for each in node.inputs)
    arrays = (network.weights[each] for each in taken if each in network.weights)
    return next((list(array.shape) for array in arrays if array.ndim > 1), [])
