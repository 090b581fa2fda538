"""Two networks as one: what the first gives goes to the inputs of the second of the same names."""

from __future__ import annotations

from dataclasses import replace

from allotrope.errors import UsageError
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network


def chained(first: Network, second: Network) -> Network:
    """One network of the two.

    Its inputs are those of `first`, and those of `second` that `first` does not give; its outputs
    those of `first` that `second` does not take, and those of `second`. Without names in common
    the two lie side by side. Inner values of `second` give way if their names are taken; weights
    keep their names.

    Raises: UsageError if both have a weight, an input or an output of one name.
    """
    taken = {value.name for value in first.outputs} & {value.name for value in second.inputs}
    _check(first, second, taken)
    second = _apart(first, second)
    graph = replace(
        first.graph,
        inputs=first.inputs + tuple(x for x in second.inputs if x.name not in taken),
        outputs=tuple(y for y in first.outputs if y.name not in taken) + second.outputs,
        nodes=first.graph.nodes + second.graph.nodes,
        constants={**first.graph.constants, **second.graph.constants},
        values={
            **first.graph.values,
            **second.graph.values,
            **{value.name: value for value in first.outputs if value.name in taken},
        },
    )
    return first.changed(
        graph=graph,
        weights=second.weights,
        trainable=first.trainable | second.trainable,
        metadata=second.metadata,
    )


def _check(first: Network, second: Network, taken: set[str]) -> None:
    ends = [{value.name for value in (*each.inputs, *each.outputs)} for each in (first, second)]
    shared = (first.weights.keys() & second.weights.keys()) | ((ends[0] & ends[1]) - taken)
    if shared:
        raise UsageError(
            f"two networks cannot be joined: both have {', '.join(map(repr, sorted(shared)))}."
        )


def _apart(first: Network, second: Network) -> Network:
    """The second network with no inner value or constant that has a name of the first."""
    fixed = {value.name for value in (*second.inputs, *second.outputs)} | set(second.weights)
    others = names_in(first.graph) | set(first.weights)
    own = names_in(second.graph)
    names = others | own
    clashing = sorted((own - fixed - {""}) & others)
    return second.renamed({name: free_name(name, names) for name in clashing})
