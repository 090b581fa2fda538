"""Networks built in code: `allotrope.networks`.

One family a file, weight names as in torchvision and timm.
"""

from __future__ import annotations

from collections.abc import Callable

from allotrope.errors import unknown_name
from allotrope.network.network import Network
from allotrope.network.zoo.convolutional import cnn
from allotrope.network.zoo.dense import mlp
from allotrope.network.zoo.mobile import mobilenet_v2
from allotrope.network.zoo.ngram import Terms, ngram
from allotrope.network.zoo.published_weights import load_safetensors
from allotrope.network.zoo.recurrent_text import gru, lstm
from allotrope.network.zoo.residual import (
    resnet8,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet50,
    resnet56,
)
from allotrope.network.zoo.tabular import TableStyle, quantile_edges, table_mlp
from allotrope.network.zoo.text_cnn import text_cnn
from allotrope.network.zoo.transformer import EncoderSize, transformer
from allotrope.network.zoo.volumetric import cnn_3d, resnet8_3d, resnet18_3d
from allotrope.network.zoo.whitened import whitened_cnn, whitening_filters

NETWORKS: dict[str, Callable[..., Network]] = {
    build.__name__: build
    for build in (
        mlp,
        cnn,
        whitened_cnn,
        resnet8,
        resnet20,
        resnet32,
        resnet56,
        resnet18,
        resnet34,
        resnet50,
        mobilenet_v2,
    )
}
"""Those that take pictures."""
VOLUMETRIC: dict[str, Callable[..., Network]] = {
    build.__name__: build for build in (cnn_3d, resnet8_3d, resnet18_3d)
}
"""Those that take volumes."""
TEXT_NETWORKS: dict[str, Callable[..., Network]] = {
    build.__name__: build for build in (ngram, text_cnn, lstm, gru, transformer)
}
"""Those that take texts."""


def network(name: str) -> Callable[..., Network]:
    """The function that builds the network called `name`; it takes (classes, image, …).

    Raises: UsageError for an unknown name.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    return NETWORKS[name]


__all__ = [
    "NETWORKS",
    "TEXT_NETWORKS",
    "VOLUMETRIC",
    "EncoderSize",
    "TableStyle",
    "Terms",
    "cnn",
    "cnn_3d",
    "gru",
    "load_safetensors",
    "lstm",
    "mlp",
    "mobilenet_v2",
    "network",
    "ngram",
    "quantile_edges",
    "resnet8",
    "resnet8_3d",
    "resnet18",
    "resnet18_3d",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet56",
    "table_mlp",
    "text_cnn",
    "transformer",
    "whitened_cnn",
    "whitening_filters",
]
