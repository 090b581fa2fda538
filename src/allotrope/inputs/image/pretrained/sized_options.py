"""The size of pictures in the options of reading, as a network from a file prescribes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.errors import UsageError
from allotrope.inputs.image.pretrained.form import picture_side
from allotrope.inputs.image.pretrained.picture_size import fits, side_inside
from allotrope.network.network import Network


def sized(
    network: Network, options: DataOptions, file: Path, report: Callable[[str], None]
) -> DataOptions:
    """The options with the size that the network is fixed to.

    Raises: UsageError if another one was asked for.
    """
    side = picture_side(network)
    if side is None:
        return _sized_by_inside(network, options, file, report)
    if options.image_size not in (None, side):
        raise UsageError(
            f"--image-size is {options.image_size}, and '{file}' takes images of {side}x{side} "
            "only. "
            "Leave it out, or export the file with free height and width."
        )
    return replace(options, image_size=side)


def _sized_by_inside(
    network: Network, options: DataOptions, file: Path, report: Callable[[str], None]
) -> DataOptions:
    """The options with the size to which the inside fixes a network whose input leaves it open."""
    asked = options.image_size
    side = side_inside(network)
    if side is None or (asked is not None and fits(network, asked)):
        return options
    if asked is not None:
        raise UsageError(
            f"--image-size is {asked}, and the inside of '{file}' does not take it: "
            f"{side}x{side} fits. Leave it out, or ask for --image-size {side}."
        )
    report(
        f"Its input leaves height and width free, and its inside does not: pictures in folders "
        f"are brought to {side}x{side}. For another size that fits: --image-size."
    )
    return replace(options, image_size=side)
