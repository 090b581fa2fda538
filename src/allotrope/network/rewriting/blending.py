"""Blends examples inside a network, if their raw form, such as the bytes of a text, cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import used

OTHER, SHARE = "mixing.other", "mixing.share"
"""What such a network takes beside examples: int64 [n], the place of the one that each is blended
with, and float32 [n], how much it keeps of itself."""


def with_blending(network: Network, names: Sequence[str]) -> Network:
    """The network that blends what it makes of each of these inputs alone: its training form.

    What is made of such an input alone, and goes where other inputs come in, is blended there, as
    rows [n, f]; so is an output that is made of it alone. Behind a last dense layer, which is
    linear, that is the same as to blend the rows that the layer takes. Weights and outputs keep
    their names. With a share of 1 an example is as it would be without.

    Raises: UsageError if something else than rows of floats goes where other inputs come in.
    """
    if not names:
        return network
    made_of, outputs = _made_of(network), network.outputs
    alone = [y.name for y in outputs if made_of[y.name] in [{name} for name in names]]
    ends = {name: f"{name}/alone" for name in alone}
    network = network.renamed(ends)
    made_of = _made_of(network)
    further = Value(OTHER, np.dtype(np.int64), ("n",)), Value(SHARE, np.dtype(np.float32), ("n",))
    graph = replace(network.graph, inputs=(*network.graph.inputs, *further))
    rewriter = Rewriter(graph, network.weights)
    for name in names:
        for x in _met(rewriter, name, made_of):
            _check(rewriter, x, name)
            _blend_for_others(rewriter, x, name, made_of)
    for name, own in ends.items():
        _blend(rewriter, own, name)
    rewriter.give(*outputs)
    return rewriter.applied_to(network)


def _made_of(network: Network) -> dict[str, set[str]]:
    """The inputs that each value is made of."""
    made_of: dict[str, set[str]] = {value.name: {value.name} for value in network.inputs}
    for node in network.graph.nodes:
        inputs = set[str]().union(*(made_of.get(name, set()) for name in used(node)))
        made_of |= dict.fromkeys(node.outputs, inputs)
    return made_of


def _met(rewriter: Rewriter, name: str, made_of: Mapping[str, set[str]]) -> list[str]:
    """The values made of this input alone that go where others come in."""
    met = (
        value
        for node in rewriter.nodes()
        for value in sorted(used(node))
        if made_of.get(value) == {name} and made_of[node.outputs[0]] != {name}
    )
    return list(dict.fromkeys(met))


def _check(rewriter: Rewriter, x: str, name: str) -> None:
    known = rewriter.known(x)
    if known is None or known.dtype.kind != "f" or rewriter.rank(x) != 2:
        raise UsageError(
            f"mixup and cutmix have to blend what the network makes of '{name}' before other "
            f"inputs come in: expected rows of floats [n, f] there, found {known}. "
            "Leave them out."
        )


def _blend_for_others(
    rewriter: Rewriter, x: str, name: str, made_of: Mapping[str, set[str]]
) -> None:
    """Gives what takes other inputs too the blended rows in the place of x."""
    users = [node for node in rewriter.users(x) if made_of[node.outputs[0]] != {name}]
    blended = rewriter.fresh(f"{x}/blended")
    _blend(rewriter, x, blended)
    for node in users:
        inputs = tuple(blended if value == x else value for value in node.inputs)
        rewriter.replace(node.outputs, [replace(node, inputs=inputs)])


def _blend(rewriter: Rewriter, x: str, y: str) -> None:
    """Puts nodes behind the maker of x [n, k] that make y = x * share + x[other] * (1 - share)."""
    known, maker = rewriter.known(x), rewriter.maker(x)
    assert known is not None and maker is not None
    one = rewriter.constant(f"{y}/one", np.ones((), known.dtype))
    axis = rewriter.constant(f"{y}/axis", np.array([1], np.int64))
    nodes = [maker]

    def add(operator: str, inputs: Sequence[str], made: str, **attributes: int) -> str:
        made = rewriter.fresh(made)
        nodes.append(Node(operator, tuple(inputs), (made,), attributes, made))
        return made

    # In a batch that was cut short, places beyond its end count from its start again.
    count = add("Shape", [x], f"{y}/count", start=0, end=1)
    other = add("Mod", [OTHER, count], f"{y}/other")
    partner = add("Gather", [x, other], f"{y}/partner", axis=0)
    share = add("CastLike", [add("Unsqueeze", [SHARE, axis], f"{y}/column"), x], f"{y}/share")
    rest = add("Sub", [one, share], f"{y}/rest")
    own = add("Mul", [x, share], f"{y}/own")
    nodes.append(Node("Add", (own, add("Mul", [partner, rest], f"{y}/others")), (y,), {}, y))
    rewriter.replace([x], nodes)
