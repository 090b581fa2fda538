"""Networks of several kinds that suit the same data, for members that err otherwise."""

from __future__ import annotations

from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.image.image import Image
from allotrope.network.zoo import NETWORKS, TEXT_NETWORKS, VOLUMETRIC

SMALL_SIDE = 64
OF_SMALL = ("whitened_cnn", "resnet20", "cnn", "resnet8")
OF_LARGE = ("resnet18", "mobilenet_v2", "resnet34")
OF_TEXTS = ("text_cnn", "gru", "ngram", "transformer")
OF_VOLUMES = ("cnn_3d", "resnet8_3d")


def varied(data: Data, first: str) -> list[str]:
    """The names of networks that suit the data, the `first` one in front.

    Raises: UsageError if there is only that one.
    """
    others: tuple[str, ...] = ()
    if first in NETWORKS:
        pictures = [each for each in data.inputs if isinstance(each, Image)]
        sides = [side for each in pictures for side in (each.height, each.width)]
        others = OF_SMALL if max(sides) <= SMALL_SIDE else OF_LARGE
    elif first in TEXT_NETWORKS:
        others = OF_TEXTS
    elif first in VOLUMETRIC:
        others = OF_VOLUMES
    names = [first, *(name for name in others if name != first)]
    if len(names) < 2:
        kinds = ", ".join(f"'{each.name}' ({each.kind})" for each in data.inputs)
        raise UsageError(
            f"an ensemble of networks needs several kinds that suit the data, and for {kinds} "
            f"there is {first} alone. Take --ensemble-of seeds or folds."
        )
    return names
