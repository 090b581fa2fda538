"""Answers of a network that is sure of one: what a member of a vote gives."""

from __future__ import annotations

from collections.abc import Mapping

from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter


def with_vote(network: Network, ballots: Mapping[str, str]) -> Network:
    """The network with an operator behind outputs [n, k], such as Hardmax, that keep their names.

    `ballots` are the operators by output.
    """
    outputs = {value.name: value for value in network.outputs}
    taken = names_in(network.graph) | set(network.weights)
    unsure = {name: free_name(f"{name}.unsure", taken) for name in ballots}
    inner = network.renamed(unsure)
    rewriter = Rewriter(inner.graph, inner.weights)
    for name, operator in ballots.items():
        rewriter.append(operator, [unsure[name]], name, {"axis": -1})
    rewriter.give(*outputs.values())
    return rewriter.applied_to(inner)
