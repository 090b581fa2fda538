"""A network with raw answers as the files that its candidates are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from allotrope.delivery.finished import answering, finished
from allotrope.inputs.contract import Input
from allotrope.measure.network_files import write_network
from allotrope.network.network import Network
from allotrope.tasks import Task


def write_finished(
    network: Network, inputs: Sequence[Input], tasks: Sequence[Task], folder: Path
) -> None:
    """Writes it with the endings of its tasks, and the form of that which only answers."""
    whole = finished(network, inputs, tasks)
    write_network(whole, answering(whole, inputs), folder)
