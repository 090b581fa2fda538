"""What a network from a file prescribes of how data is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.inputs.image.pretrained.sized_options import sized
from allotrope.network.network import Network


def prescribed(
    network: Network, options: DataOptions, file: Path, report: Callable[[str], None]
) -> DataOptions:
    """The options with what the network in `file` takes alone.

    What follows from its inside is reported.

    Raises: UsageError if something else was asked for.
    """
    return sized(network, options, file, report)
