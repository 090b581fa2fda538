"""The form in which a network answers fastest, for files that nobody trains further."""

from __future__ import annotations

from allotrope.network.network import Network
from allotrope.network.rewriting.inference.reversed_places import with_reversed_places
from allotrope.network.rewriting.inference.unweighed import without_unweighed


def inference_form(network: Network) -> Network:
    """The network without what no answer needs; itself if there is no such thing."""
    return with_reversed_places(without_unweighed(network))
