"""The data of a call, as it was asked for and as the network prescribes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allotrope.progress import Progress

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.verbs.network_file import NetworkFile
    from allotrope.verbs.network_weights import NetworkWeights
    from allotrope.verbs.request import Request


def read_asked(asked: Request, source: NetworkFile | NetworkWeights | None, show: Progress) -> Data:
    """The data, the task that decides in front.

    Raises: DataError, UsageError.
    """
    from allotrope.data import read_data

    if source is None:
        return read_data(asked.source, asked.data, show.say)
    data = read_data(asked.source, source.sized(asked.data), show.say)
    suited = source.suited(data, asked.fine_tuning)
    for line in suited.lines[len(data.lines) :]:
        show.say(line)
    return suited
