"""The data of a call, as it was asked for and as the network prescribes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allotrope.progress import Progress

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.verbs.network_file import NetworkFile
    from allotrope.verbs.request import Request


def read_asked(asked: Request, source: NetworkFile | None, show: Progress) -> Data:
    """The data, the task that decides in front.

    Raises: DataError, UsageError.
    """
    from allotrope.data import read_data

    options = asked.data if source is None else source.sized(asked.data)
    return read_data(asked.source, options, show.say)
